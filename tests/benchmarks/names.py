"""Who takes part, by name."""

from __future__ import annotations

BARE = "bare client"
OURS = {0: "ours, no plugin", 1: "ours, 1 plugin", 5: "ours, 5 plugins", 20: "ours, 20 plugins"}
SCOPED = "ours, 5 plugins, `with identify(…)` around each call"
OFF = "ours, a public host that nobody named"
BY_HAND = "by hand: `metadata=`, `extra_body=`, `extra_headers=`"
BY_HAND_FRESH = "by hand: the same, made for each call with its own request id"
BY_HAND_EXTRA = "by hand: `extra_body=` for both, `extra_headers=`"
FLOOR = "the floor: the same bytes, constant, put into the request that the client has built"

OTEL = "OpenTelemetry openai-v2"
LANGFUSE = "langfuse.openai"
LOGFIRE = "logfire"
OPENLIT = "openlit"
TRACELOOP = "traceloop (opentelemetry-instrumentation-openai)"
PEERS = (OTEL, LANGFUSE, OPENLIT, LOGFIRE, TRACELOOP)

MIDDLEWARE = "its middleware alone"
IN_HERMES = "a main turn in Hermes, 5 plugins"

IN_STREAMS = (BARE, OURS[5], *PEERS)
UNDER_LOAD = (BARE, OURS[0], OURS[5], BY_HAND, FLOOR, OTEL, LANGFUSE)
