#!/bin/sh
# SGLang's model gateway (pip install sglang-router) with each conversation pinned to one worker: sglang-gateway.sh URL...
# The policy manual pins the routing key that the profile sglang-gateway sends; a worker that goes hands its keys over.
exec smg launch --host 127.0.0.1 --port "${PORT:-30000}" --policy manual --assignment-mode min_group --worker-urls "$@"
