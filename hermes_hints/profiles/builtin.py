"""The profiles that come with the package."""

from __future__ import annotations

from collections.abc import Mapping

from .declaration import Native, Natives, Profile, each
from .gateways import GATEWAYS, ROUTERS
from .providers import PROVIDERS

__all__ = ["BUILTIN"]

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
    profile.name: profile for profile in (*_OWN, *GATEWAYS, *ROUTERS, *PROVIDERS, *_TRACES)
}
"""By name."""
