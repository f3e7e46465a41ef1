"""What the profile tests share: one record with every field, and what a request carries with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from hermes_hints import Identity, Settings, identify
from hermes_hints.context import calling, hint
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline

KEY = "a key of the operator's own"
HOST = "llm.example.org"
WHO = {
    "user_id": "alice",
    "user_name": "Zoë Archer",
    "platform": "matrix",
    "chat_id": "!ops:example.org",
    "chat_name": "Ops, München",
    "chat_type": "group",
    "thread_id": "thread-9",
    "session_id": "session-2",
    "conversation_id": "conversation-1",
    "session_key": "matrix:!ops:alice",
    "agent": "hermes-agent/0.19.0",
}
CALL = {"request_id": "request-1", "turn_id": "turn-1", "purpose": "main"}
HINTS = {
    "user_intent": "force-cloud",
    "cost_center": "7",
    "labels": ["red", "blue"],
    "ext": {"acme.tenant": "north"},
}


class Carried(NamedTuple):
    """What one request carries."""

    headers: Mapping[str, str]
    body: Mapping[str, Any]


@pytest.fixture
def carried():
    """What a request carries to an endpoint with a profile, for somebody of whom everything is known.

    Instead of that person ``who`` is calling, where it is given.
    """

    def carried(
        profile: str,
        privacy: str = "raw",
        *,
        api: str = "chat.completions",
        body: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        who: Mapping[str, Any] | None = None,
        call: Mapping[str, Any] = CALL,
        hints: Mapping[str, Any] = HINTS,
        profiles: Mapping[str, Any] | None = None,
    ) -> Carried:
        rule = {"match": HOST, "profile": profile, "privacy": privacy}
        settings = Settings.load({"endpoints": [rule], "profiles": profiles or {}, "pseudonym_key": KEY})
        pipeline = Pipeline(settings)
        outgoing = Outgoing(api, {"model": "m", **(body or {})}, extra, headers)
        with identify(Identity(**(WHO if who is None else who))), calling(**call), hint(**hints):
            stamp = pipeline.stamp(outgoing, pipeline.decide(f"https://{HOST}/v1"))
        return Carried({}, {}) if stamp is None else Carried(stamp.carriers.headers, stamp.carriers.body)

    return carried
