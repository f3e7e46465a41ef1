"""Read the user's intent off the first words of the message."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, cast

import hermes_hints
from hermes_hints import Call, ConfigError, hookimpl

_NAME = "intent-words"
_DEFAULT = {"force-cloud": ["force-cloud"], "force-local": ["force-local"]}
_TURNS = (None, "main")


def _openings(settings: Mapping[str, Any]) -> tuple[tuple[re.Pattern[str], str], ...]:
    for key in settings:
        if key != "words":
            message = f"{_NAME}: there is no setting {key!r}; use words"
            raise ConfigError(message)
    words = settings.get("words", _DEFAULT)
    if not isinstance(words, Mapping) or not words:
        message = f"{_NAME}: words is {words!r}; give each intent its openings, such as {{force-cloud: [think hard]}}"
        raise ConfigError(message)
    found: list[tuple[str, str]] = []
    for intent, openings in cast("Mapping[object, object]", words).items():
        listed = [openings] if isinstance(openings, str) else openings
        if not isinstance(listed, list) or not all(
            isinstance(one, str) and one.strip() for one in cast("list[object]", listed)
        ):
            message = f"{_NAME}: the openings of {intent!r} are {openings!r}; give a list of texts"
            raise ConfigError(message)
        found.extend((one.strip(), str(intent)) for one in cast("list[str]", listed))
    found.sort(key=lambda pair: len(pair[0]), reverse=True)
    return tuple((re.compile(rf"\s*{re.escape(opening)}(?!\w)", re.IGNORECASE), intent) for opening, intent in found)


_known = _openings({})


@hookimpl
def configure(settings: Mapping[str, Any]) -> None:
    """Take ``words``: for each intent, the openings that mean it, in as many languages as you like."""
    global _known  # noqa: PLW0603 - a module is this plugin's only object
    _known = _openings(settings)


@hookimpl
def contribute_hints(call: Call) -> dict[str, str] | None:
    """The intent of the message that this turn answers; nothing for calls that are no turn."""
    if call.purpose not in _TURNS:
        return None
    text = call.user_text()
    if text is None:
        return None
    return next(({"user_intent": intent} for opening, intent in _known if opening.match(text)), None)


def register(ctx: object) -> None:  # noqa: ARG001 - the host hands over its context
    """Register as a Hermes user plugin."""
    hermes_hints.register(sys.modules[__name__], _NAME)
