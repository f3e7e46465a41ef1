#!/bin/sh
# vLLM's router (pip install vllm-router) with each conversation hashed to one worker: vllm-router.sh URL...
# consistent_hash reads X-Session-ID, which the profile vllm-router sends.
exec vllm-router --host 127.0.0.1 --port "${PORT:-30000}" --policy consistent_hash --worker-urls "$@"
