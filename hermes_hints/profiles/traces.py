"""The profile of OpenTelemetry: nothing but what traces carry."""

from __future__ import annotations

from .declaration import Native, Natives, Profile, each

__all__ = ["TRACES"]

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

TRACES = (
    Profile(
        name="otel",
        summary="OpenTelemetry: W3C baggage, and attributes of the span that is current by the GenAI conventions.",
        baggage={**_PERSON, **_MORE},
        span={**_PERSON, "user.name": Native("user_name"), "hermes.chat_name": Native("chat_name"), **_MORE},
    ),
)
