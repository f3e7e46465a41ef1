"""The profiles that come with the package."""

from __future__ import annotations

from collections.abc import Mapping

from .declaration import Native, Natives, Profile, each

__all__ = ["BUILTIN"]

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

_GATEWAYS = (
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


_ROUTERS = (
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


_OPENAI_APIS = ("chat.completions", "responses")
"""Completions and embeddings answer 400 to fields they do not know (platform.openai.com/docs/api-reference)."""

_ANTHROPIC_APIS = ("messages",)

_PROVIDERS = (
    Profile(
        name="openai",
        # platform.openai.com/docs/api-reference: safety_identifier (hashed, 64 characters), prompt_cache_key, and
        # metadata, which chat completions take with `store` only and responses store unless told not to.
        summary="OpenAI itself: a hashed safety_identifier, prompt_cache_key, and metadata where it is stored.",
        metadata="stored",
        native_body={
            "safety_identifier": Native("user_id", "hashed", 64, apis=_OPENAI_APIS),
            "prompt_cache_key": Native("conversation_id", "token", 64, apis=_OPENAI_APIS),
        },
    ),
    Profile(
        name="openrouter",
        # openrouter.ai/docs/guides/administration/user-tracking: user, any stable id, hashed where it is personal.
        # openrouter.ai/docs/agent-sdk/typescript/models/chatgenerationparams: session_id, 128 characters (other pages say
        # 256), which also keeps a conversation at one provider; metadata, a map of strings as OpenAI's. Hermes sets
        # session_id itself, and what the caller set stays.
        # openrouter.ai/docs/guides/features/broadcast: trace, an object with trace_id and generation_name.
        summary="OpenRouter: a hashed user, session_id, metadata, and names for the traces that it broadcasts.",
        metadata="always",
        native_body={
            "user": Native("user_id", "hashed", 64, apis=_OPENAI_APIS),
            "session_id": Native("conversation_id", limit=128, apis=_OPENAI_APIS),
            "trace.trace_id": Native("turn_id", limit=128, apis=("chat.completions",)),
            "trace.generation_name": Native("purpose", limit=128, apis=("chat.completions",)),
        },
    ),
    Profile(
        name="anthropic",
        # platform.claude.com/docs/en/api/messages: metadata.user_id, opaque, at most 256 characters; nothing else.
        summary="Anthropic itself: an opaque metadata.user_id.",
        native_body={"metadata.user_id": Native("user_id", "hashed", 256, apis=_ANTHROPIC_APIS)},
    ),
    Profile(
        name="bedrock",
        summary="Amazon Bedrock's Converse API: requestMetadata, which its invocation logs keep.",
        request_metadata=True,
    ),
    Profile(
        name="hermes",
        # gateway/platforms/api_server.py of hermes-agent 0.19 and 0.22: X-Hermes-Session-Key scopes long-term memory, 256
        # characters, and is answered 403 where the server has no API key. X-Hermes-Session-Id would load the stored
        # session of that name, so it is not sent; X-Hermes-Conversation-Id is what hermes-hints there reads instead. The
        # X-Hermes-User-* and -Chat-* names are those proposed for the API server.
        summary="Another Hermes' API server: who, where and which conversation; never X-Hermes-Session-Id.",
        native_headers={
            **each(
                "X-Hermes-<Name>",
                ("user_id", "user_name", "chat_id", "chat_name", "chat_type", "thread_id", "session_key"),
                limit=256,
            ),
            "X-Hermes-Conversation-Id": Native("conversation_id", limit=256),
        },
        advertised=True,
    ),
)


# opentelemetry.io/docs/specs/semconv: user.id, user.name, session.id, gen_ai.conversation.id. What the conventions have no name
# for has a prefix of its own. The conversation is the session: session_id changes within it.
_PERSON: Natives = {
    "user.id": Native("user_id"),
    "session.id": Native("conversation_id"),
    "gen_ai.conversation.id": Native("conversation_id"),
}
_MORE: Natives = each(
    "hermes.<name>",
    (*_PLACE, "turn_id", "request_id", "purpose", "agent", "profile", *_HINTS),
)

_TRACES = (
    Profile(
        name="otel",
        summary="OpenTelemetry: W3C baggage, and attributes of the span that is current by the GenAI conventions.",
        baggage={**_PERSON, **_MORE},
        span={**_PERSON, "user.name": Native("user_name"), "hermes.chat_name": Native("chat_name"), **_MORE},
    ),
)


_OWN = (
    Profile(
        name="dispatcher",
        summary="A receiver of your own: everything, in the body, in metadata and in headers.",
        body=True,
        metadata="always",
        headers=True,
        native_body={"metadata.user_id": Native("user_id", limit=256, apis=("messages",))},
        request_metadata=True,
    ),
    Profile(
        name="headers",
        summary="Proxies and load balancers that match headers, in front of servers with a strict body.",
        headers=True,
    ),
    Profile(name="off", summary="Nothing at all."),
)

BUILTIN: Mapping[str, Profile] = {
    profile.name: profile for profile in (*_OWN, *_GATEWAYS, *_ROUTERS, *_PROVIDERS, *_TRACES)
}
"""By name."""
