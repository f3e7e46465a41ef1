"""The profiles of what stands between a caller and the models: gateways that count, route and trace, and routers of conversations."""

from __future__ import annotations

from .declaration import Native, Natives, Profile, each

__all__ = ["GATEWAYS", "ROUTERS"]

_PLACE = ("chat_id", "chat_type", "thread_id", "platform")
_CALL = ("purpose", "turn_id", "request_id", "agent", "profile")
_HINTS = ("user_intent", "command_origin", "requested_model", "priority", "experiment_arm", "cost_center")
_NAMES = ("user_name", "chat_name")

_LANGFUSE_CHARS = 200
"""Langfuse drops a longer user, session or metadata value (langfuse.com/docs/observability/features/sessions)."""
_PORTKEY_CHARS = 128
"""portkey.ai/docs/product/observability/metadata."""

_SPEND: Natives = each(
    "litellm_metadata.spend_logs_metadata.<name>",
    ("user_id", "conversation_id", "session_id", *_PLACE, *_CALL, *_HINTS, *_NAMES),
    limit=_LANGFUSE_CHARS,
)
"""What LiteLLM keeps in the spend row (docs.litellm.ai/docs/proxy/enterprise#tracking-spend-with-custom-metadata)."""

_TRACED: Natives = {
    "litellm_metadata.trace_user_id": Native("user_id", limit=_LANGFUSE_CHARS),
    "litellm_metadata.generation_name": Native("purpose", limit=_LANGFUSE_CHARS),
}

_END_USER: Natives = {"x-litellm-end-user-id": Native("user_id", limit=_LANGFUSE_CHARS)}
"""Becomes the end user without configuration, and unlike ``user`` does not go on to the provider
(litellm 1.106.2: constants.py, proxy/auth/auth_utils.py)."""

_SPANS: Natives = {
    "user.id": Native("user_id", limit=_LANGFUSE_CHARS),
    "session.id": Native("conversation_id", "token", _LANGFUSE_CHARS),
    "langfuse.trace.name": Native("turn_id", "prefix", prefix="hermes turn"),
    **each("langfuse.trace.metadata.<name>", (*_PLACE, *_HINTS, *_NAMES, "turn_id"), limit=_LANGFUSE_CHARS),
    **each("langfuse.observation.metadata.<name>", ("purpose", "request_id"), limit=_LANGFUSE_CHARS),
}
"""What Langfuse reads of a span that its SDK, or any other in the process, makes
(langfuse.com/integrations/native/opentelemetry; langfuse 4.18.0, _client/attributes.py)."""

GATEWAYS = (
    Profile(
        name="litellm",
        # litellm 1.106.2, proxy/litellm_pre_call_utils.py: any x-*-session-id header of the form [A-Za-z0-9_-]{8,} is the
        # session and the trace, also for session affinity; litellm_metadata is merged into LiteLLM's own metadata on every
        # route and taken out before the provider is called, where metadata would go on to it from /responses.
        # Tags route and can cost money, so they are no part of it.
        summary="A LiteLLM proxy: end user, session, spend log metadata and headers; nothing that goes on to a provider.",
        headers=True,
        native_headers=_END_USER,
        native_body={**_TRACED, **_SPEND},
    ),
    Profile(
        name="langfuse",
        # As litellm; integrations/langfuse/langfuse_otel.py and langfuse.py read trace_user_id, session_id, trace_id,
        # trace_name and generation_name. Without a session header, which would also be the trace's id, a turn is a trace.
        summary="A LiteLLM proxy that logs to Langfuse, and Langfuse's SDK here: user, session, one trace for each turn.",
        native_headers=_END_USER,
        native_body={
            "litellm_metadata.session_id": Native("conversation_id", "token", _LANGFUSE_CHARS),
            "litellm_metadata.trace_id": Native("turn_id", "trace"),
            "litellm_metadata.trace_name": Native("turn_id", "prefix", prefix="hermes turn"),
            **_TRACED,
            **each(
                "litellm_metadata.trace_metadata.<name>", (*_PLACE, *_CALL, *_HINTS, *_NAMES), limit=_LANGFUSE_CHARS
            ),
            **_SPEND,
        },
        span=_SPANS,
    ),
    Profile(
        name="portkey",
        # portkey.ai/docs/product/observability/metadata: a JSON object of strings of 128 characters, _user is the user;
        # portkey.ai/docs/product/ai-gateway/conditional-routing reads metadata.*; x-portkey-trace-id groups requests.
        summary="Portkey: x-portkey-metadata, which it routes and filters by, and x-portkey-trace-id.",
        native_headers={"x-portkey-trace-id": Native("conversation_id", "token", _PORTKEY_CHARS)},
        json_headers={
            "x-portkey-metadata": {
                "_user": Native("user_id", limit=_PORTKEY_CHARS),
                **each("<name>", ("conversation_id", *_PLACE, *_CALL, *_HINTS, *_NAMES), limit=_PORTKEY_CHARS),
            }
        },
    ),
    Profile(
        name="helicone",
        # docs.helicone.ai/helicone-headers/header-directory and /features/sessions. A session's path begins with /.
        summary="Helicone: Helicone-User-Id, a session for each conversation, and properties.",
        native_headers={
            "Helicone-User-Id": Native("user_id"),
            "Helicone-Session-Id": Native("conversation_id"),
            "Helicone-Session-Path": Native("purpose", prefix="/"),
            "Helicone-Session-Name": Native("chat_name"),
            **each("Helicone-Property-<Name>", (*_PLACE, *_CALL, *_HINTS)),
        },
    ),
    Profile(
        name="bifrost",
        # docs.getbifrost.ai/providers/supported-headers: x-bf-session-id keeps a session at one key; /features/telemetry:
        # x-bf-dim-* are dimensions of its metrics, so only what has few values. Its logging_headers can name X-Hermes-*.
        summary="Bifrost: x-bf-session-id, dimensions for its metrics, and headers for its logs.",
        headers=True,
        native_headers={
            "x-bf-session-id": Native("conversation_id", "token"),
            "x-bf-dim-platform": Native("platform"),
            "x-bf-dim-purpose": Native("purpose"),
            "x-bf-dim-cost-center": Native("cost_center"),
        },
    ),
)


ROUTERS = (
    Profile(
        name="vllm-router",
        # The production stack's router takes the name of its header: --routing-logic session --session-key
        # x-hermes-session-id (docs.vllm.ai/projects/production-stack, router logic). The Rust router's consistent_hash
        # reads X-Session-ID (github.com/vllm-project/router, load balancing).
        summary="vLLM's routers: the conversation in X-Hermes-Session-Id and X-Session-ID, and headers.",
        headers=True,
        native_headers={"X-Session-ID": Native("conversation_id", "token")},
    ),
    Profile(
        name="sglang-gateway",
        # github.com/smg-project/smg-docs, concepts/routing/sticky-sessions: x-smg-routing-key is what the policies manual
        # and consistent_hashing, and --routing-key-override, pin a worker by.
        summary="SGLang's model gateway: the conversation in X-SMG-Routing-Key, and headers.",
        headers=True,
        native_headers={"X-SMG-Routing-Key": Native("conversation_id", "token")},
    ),
    Profile(
        name="envoy",
        # github.com/envoyproxy/ai-gateway, internal/requestheaderattrs: agent-session-id becomes the span's session.id by
        # default, and any other header where spanRequestHeaderAttributes names it. Routes match any header.
        summary="Envoy AI Gateway: agent-session-id, and headers that its routes match.",
        headers=True,
        native_headers={"agent-session-id": Native("conversation_id", "token")},
    ),
)
