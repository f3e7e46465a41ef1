"""One LLM call, as a hint plugin sees it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol, cast

from pydantic import PrivateAttr

from .values import Count, Id, Short, Value, made_of
from .wire import CALL_FIELDS

__all__ = ["CALL_FIELDS", "Body", "Call", "described", "fresh_request_id"]


class Body(Protocol):
    """A request's body, as far as `Call` reads it."""

    def get(self, key: str, /) -> Any:
        """A top-level field, or ``None``."""
        ...


class Call(Value):
    """What is known of one LLM call before it leaves. Frozen; every field is optional.

    ``model``, ``base_url``, ``api`` and ``stream`` are for plugins; the others go on the wire.
    """

    request_id: Id = None
    """One for each call, kept over the client's own retries."""
    turn_id: Id = None
    """A message and everything that answering it takes."""
    task_id: Id = None
    """The host's task within the turn."""
    call: Count = None
    """The nth call of its turn, from 1."""
    purpose: Short = None
    """What the call is for: ``main``, ``subagent``, ``title_generation``, …"""
    model: str | None = None
    """The model that is asked for."""
    base_url: str | None = None
    """The endpoint, without credentials."""
    api: str | None = None
    """``chat.completions``, ``responses``, …"""
    stream: bool = False
    """Whether the answer is streamed."""

    _body: Body | None = PrivateAttr(default=None)

    def user_text(self) -> str | None:
        """The text of the last message that the user wrote, or ``None`` where there is none.

        Reads the messages from the end and only as far as needed. Text parts are joined by a newline.
        """
        for message in reversed(_messages(self._body)):
            if isinstance(message, Mapping) and cast("Mapping[str, object]", message).get("role") == "user":
                return _text(cast("Mapping[str, object]", message).get("content"))
        return None

    def context_chars(self) -> int:
        """How many characters of text all messages hold together: a cheap measure of the context's length.

        Walks every message, so its cost grows with the conversation; call it only where it is needed.
        """
        total = 0
        for message in _messages(self._body):
            if isinstance(message, Mapping):
                total += len(_text(cast("Mapping[str, object]", message).get("content")) or "")
        return total


def described(fields: Mapping[str, Any], body: Body | None, **more: object) -> Call:
    """A `Call` of fields that are known to be good, with the request's body for `Call.user_text` and `Call.context_chars`."""
    return made_of(Call, {**_NOTHING_KNOWN, **fields, **more}, {*fields, *more}, {"_body": body})


def fresh_request_id() -> str:
    """128 random bits in hexadecimal."""
    try:
        return _drawn.pop()
    except IndexError:
        # Of several at once: asking the system hands the interpreter to other threads, and getting it back takes time.
        digits = os.urandom(16 * _DRAWN_AT_ONCE).hex()
        _drawn.extend([digits[start : start + 32] for start in range(32, len(digits), 32)])
        return digits[:32]


_NOTHING_KNOWN = {name: field.default for name, field in Call.model_fields.items()}
_DRAWN_AT_ONCE = 256
_drawn: list[str] = []
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_drawn.clear)


def _messages(body: Body | None) -> list[object]:
    if body is None:
        return []
    found = body.get("messages") or body.get("input") or body.get("prompt")
    if isinstance(found, str):
        return [{"role": "user", "content": found}]
    return cast("list[object]", found) if isinstance(found, list) else []


def _text(content: object) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts: list[str] = []
    for part in cast("list[object]", content):
        if isinstance(part, Mapping):
            text = cast("Mapping[str, object]", part).get("text")
            if isinstance(text, str):
                texts.append(text)
    return "\n".join(texts) or None
