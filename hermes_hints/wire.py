"""The layout of the wire contract, version 1: its record, and which field goes by which name in which carrier."""

from __future__ import annotations

from typing import Any, Literal

from .hints import Hints
from .identity import Identity
from .values import Count, Id, Short

__all__ = [
    "BODY_KEY",
    "CALL_FIELDS",
    "CONVERSATION_HEADER",
    "CORRELATION",
    "HEADERS",
    "IDS",
    "MAX_HEADERS_BYTES",
    "MAX_HEADER_BYTES",
    "METADATA",
    "METADATA_EXT",
    "METADATA_PREFIX",
    "NAMES",
    "SIGNATURE",
    "TICKET",
    "VERSION",
    "WHO_AND_WHERE",
    "WIRE_FIELDS",
    "Record",
]

VERSION = 1

BODY_KEY = "hermes"
"""The top-level object of the JSON body that carries every field."""

CALL_FIELDS = ("request_id", "turn_id", "task_id", "call", "purpose")
"""The fields of `Call` that go on the wire."""

WIRE_FIELDS = (*Identity.model_fields, *CALL_FIELDS, *Hints.model_fields)

METADATA_PREFIX = "hermes_"
METADATA_EXT = "hermes_ext_"

METADATA = tuple(
    (field, METADATA_PREFIX + field)
    for field in (
        *("user_id", "conversation_id", "chat_id", "user_intent", "purpose", "platform", "session_id"),
        *("requested_model", "priority", "cost_center", "experiment_arm", "request_id", "turn_id", "thread_id"),
        *("user_name", "chat_name", "chat_type", "command_origin", "labels", "parent_session_id", "task_id", "call"),
        *("message_id", "session_key", "agent", "profile", "user_id_alt"),
    )
)
"""Fields in ``metadata``, most telling first: OpenAI takes 16 pairs, so the tail is what is left out."""

CONVERSATION_HEADER = "X-Hermes-Session-Id"
"""Carries ``conversation_id``: the name that LiteLLM, nginx recipes and vLLM's router can pin on without code."""

TICKET = "X-Hermes-Request-Id"
"""The header by which a host's own requests are known again where they leave."""

SIGNATURE = "X-Hermes-Hints-Signature"
"""Carries a signature over the record, where the operator has set a ``signing_key``."""

HEADERS = (
    ("user_id", "X-Hermes-User-Id"),
    ("conversation_id", CONVERSATION_HEADER),
    ("chat_id", "X-Hermes-Chat-Id"),
    ("user_intent", "X-Hermes-User-Intent"),
    ("purpose", "X-Hermes-Purpose"),
    ("platform", "X-Hermes-Platform"),
    ("request_id", TICKET),
    ("thread_id", "X-Hermes-Thread-Id"),
    ("requested_model", "X-Hermes-Requested-Model"),
    ("priority", "X-Hermes-Priority"),
    ("cost_center", "X-Hermes-Cost-Center"),
    ("experiment_arm", "X-Hermes-Experiment-Arm"),
    ("command_origin", "X-Hermes-Command-Origin"),
    ("user_name", "X-Hermes-User-Name"),
    ("chat_type", "X-Hermes-Chat-Type"),
    ("chat_name", "X-Hermes-Chat-Name"),
)
"""Fields in headers, most telling first: the first ones stay when all of them would exceed 4 KiB."""

MAX_HEADER_BYTES = 512
MAX_HEADERS_BYTES = 4096

NAMES = frozenset({"user_name", "chat_name"})
IDS = frozenset(
    {
        *("user_id", "user_id_alt", "chat_id", "thread_id", "message_id"),
        *("session_id", "conversation_id", "session_key", "parent_session_id"),
        *("request_id", "turn_id", "task_id"),
    }
)
WHO_AND_WHERE = frozenset(
    {
        *("user_id", "user_id_alt", "user_name", "platform", "chat_id", "chat_name", "chat_type"),
        *("thread_id", "message_id", "session_key"),
    }
)
"""What ``privacy: none`` leaves out. ``session_key`` is among them because Hermes writes chat and user into it."""
CORRELATION = IDS - WHO_AND_WHERE


class Record(Identity, Hints):
    """One request's identity, call and hints under the names of the wire contract. Frozen.

    It is what `hermes_hints.receive.read` returns and what the observer hook ``request_stamped`` is given. To a
    receiver it is the caller's claim, not a fact.
    """

    v: Literal[1] = 1
    request_id: Id = None
    turn_id: Id = None
    task_id: Id = None
    call: Count = None
    purpose: Short = None

    def fields(self) -> dict[str, Any]:
        """The fields that have a value, by name, in the order of the wire contract; without the version ``v``."""
        own = self.__dict__
        return {field: own[field] for field in WIRE_FIELDS if own[field] is not None}
