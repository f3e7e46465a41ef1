"""Calls that no test of an author's own has: nobody is calling, nothing is said, or it is said in another form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..identity import Identity
from .calls import FakeCall
from .sessions import FakeSession

__all__ = ["ANONYMOUS", "ODD", "longest"]

ANONYMOUS = (
    FakeCall.of(),
    FakeCall.of("Who am I?"),
    FakeCall.of("Who am I?", purpose="main"),
    FakeCall.of("Who am I?", platform="cli"),
    FakeCall.of("Who am I?", session_id="s-1"),
    FakeCall.of("Who am I?", user_id="u-1"),
    FakeCall.of("Who am I?", chat_id="c-1"),
)
"""Calls of which little or nothing is known: as from a plain program, or a host that cannot tell."""

_WHO = FakeSession("matrix").identity


def _body(**fields: Any) -> FakeCall:
    return FakeCall(_WHO, {"purpose": "main"}, fields)


def _said(content: object) -> FakeCall:
    return _body(model="some-model", messages=[{"role": "user", "content": content}])


_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}

ODD: Mapping[str, FakeCall] = {
    "no body at all": FakeCall(_WHO),
    "no messages": _body(model="some-model", messages=[]),
    "messages that are no list": _body(model="some-model", messages="hello"),
    "messages that are null": _body(model="some-model", messages=None),
    "messages that are no mappings": _body(model="some-model", messages=["hello", None, 5]),
    "no model": _body(messages=[{"role": "user", "content": "hello"}]),
    "a model that is no text": _body(model=5, messages=[{"role": "user", "content": "hello"}]),
    "no word of the user": _body(model="some-model", messages=[{"role": "system", "content": "Be brief."}]),
    "an empty message": _said(""),
    "a message of blanks": _said(" \n\t "),
    "a message without text": _said(None),
    "a message of parts": _said([{"type": "text", "text": "hello"}, _IMAGE, {"type": "text", "text": "there"}]),
    "an image alone": _said([_IMAGE]),
    "parts that are none": _said([None, 5, {"type": "text"}, {"type": "text", "text": 5}]),
    "half a surrogate pair": _said("hello \ud83d"),
    "control characters": _said("hello\x00\x1b[31m\u202ethere"),
    "other scripts": _said("Почему? なぜ لماذا 🤷\u200d♀️"),
    "an embedding": FakeCall(_WHO, {}, {"model": "some-model", "input": ["one", "two"]}, "embeddings"),
    "an embedding of tokens": FakeCall(_WHO, {}, {"model": "some-model", "input": [15339, 1917]}, "embeddings"),
    "a response": FakeCall(_WHO, {"purpose": "main"}, {"model": "some-model", "input": "hello"}, "responses"),
    "a completion": FakeCall(_WHO, {}, {"model": "some-model", "prompt": ["hello"]}, "completions"),
    "an image to be made": FakeCall(_WHO, {}, {"model": "some-model", "prompt": "a cat"}, "images.generations"),
    "a purpose that is new": FakeCall.of("hello", purpose="no-such-purpose", **_WHO.fields()),
    "a platform that is new": FakeCall.of("hello", platform="no-such-platform", chat_type="no-such-type"),
    "the hundred-thousandth call of a turn": FakeCall.of("hello", call=100_000, purpose="main"),
    "ids and names at their longest": FakeCall(
        Identity(**dict.fromkeys(Identity.model_fields, "x" * 512)), {"purpose": "main"}, _said("hello").body
    ),
    "ids and names in other scripts": FakeCall(
        Identity(**dict.fromkeys(Identity.model_fields, "Ünï cødé 🤖\n%00,;=")),
        {"purpose": "main"},
        _said("hello").body,
    ),
}
"""Calls as they also arrive, by what is odd about them."""


def longest() -> FakeCall:
    """A call with a very long conversation: 400,000 characters in 800 messages."""
    messages = [{"role": ("user", "assistant")[turn % 2], "content": "word " * 100} for turn in range(800)]
    return _body(model="some-model", messages=messages)
