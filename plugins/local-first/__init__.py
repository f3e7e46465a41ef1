"""Wish for the local model where it will do, and for the cloud where the context is too long for it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import hermes_hints
from hermes_hints import Call, ConfigError, hookimpl

_NAME = "local-first"
_PLACES = ("local", "cloud")
_LONGEST_INTENT = 512
_DEFAULT: Mapping[str, Any] = {
    "longest_local": 60_000,
    "purposes": {"title_generation": "local", "compression": "cloud", "vision": "cloud"},
    "local": "prefer-local",
    "cloud": "prefer-cloud",
}


@dataclass(frozen=True, slots=True)
class _Wishes:
    longest: int
    purposes: Mapping[str, str]
    intents: Mapping[str, str]

    def of(self, call: Call) -> str:
        place = None if call.purpose is None else self.purposes.get(call.purpose)
        if place != "cloud" and call.context_chars() > self.longest:
            place = "cloud"
        return self.intents[place or "local"]


def _refuse(what: str) -> NoReturn:
    message = f"{_NAME}: {what}"
    raise ConfigError(message)


def _wishes(settings: Mapping[str, Any]) -> _Wishes:
    for key in settings:
        if key not in _DEFAULT:
            _refuse(f"there is no setting {key!r}; use {', '.join(_DEFAULT)}")
    given = {**_DEFAULT, **settings}
    longest, purposes = given["longest_local"], given["purposes"]
    if isinstance(longest, bool) or not isinstance(longest, int) or longest < 0:
        _refuse(f"longest_local is {longest!r}; give a whole number of characters, such as 60000")
    if not isinstance(purposes, Mapping):
        _refuse(f"purposes is {purposes!r}; give each purpose its place, such as {{title_generation: local}}")
    for purpose, place in cast("Mapping[object, object]", purposes).items():
        if place not in _PLACES:
            _refuse(f"the place of {purpose!r} in purposes is {place!r}; use one of {', '.join(_PLACES)}")
    for place in _PLACES:
        if not isinstance(given[place], str) or not 0 < len(given[place].strip()) <= _LONGEST_INTENT:
            _refuse(
                f"{place} is {given[place]!r:.80}; give the user_intent that means it, 1 to {_LONGEST_INTENT} characters, such as "
                f"prefer-{place}"
            )
    return _Wishes(
        longest,
        {str(purpose): place for purpose, place in purposes.items()},
        {place: given[place] for place in _PLACES},
    )


_known = _wishes({})


@hookimpl
def configure(settings: Mapping[str, Any]) -> None:
    """Take ``longest_local`` (characters), ``purposes`` (each with its place), and the intents ``local`` and ``cloud``."""
    global _known  # noqa: PLW0603 - a module is this plugin's only object
    _known = _wishes(settings)


@hookimpl(trylast=True)
def contribute_hints(call: Call) -> dict[str, str]:
    """The wish for this call. It is the weakest: what any other plugin or the user says of ``user_intent`` wins."""
    return {"user_intent": _known.of(call)}


def register(ctx: object) -> None:  # noqa: ARG001 - the host hands over its context
    """Register as a Hermes user plugin."""
    hermes_hints.register(sys.modules[__name__], _NAME)
