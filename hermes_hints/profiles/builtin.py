"""The profiles that come with the package."""

from __future__ import annotations

from collections.abc import Mapping

from .declaration import Native, Natives, Profile, each
from .gateways import GATEWAYS, ROUTERS

__all__ = ["BUILTIN"]

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
    (
        *("chat_id", "chat_type", "thread_id", "platform", "turn_id", "request_id", "purpose", "agent", "profile"),
        *("user_intent", "command_origin", "requested_model", "priority", "experiment_arm", "cost_center"),
    ),
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
    profile.name: profile for profile in (*_OWN, *GATEWAYS, *ROUTERS, *_PROVIDERS, *_TRACES)
}
"""By name."""
