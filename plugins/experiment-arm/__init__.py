"""Assign every conversation to an arm of an experiment, the same one for its whole life."""

from __future__ import annotations

import bisect
import hashlib
import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import hermes_hints
from hermes_hints import Call, ConfigError, Identity, hookimpl

_NAME = "experiment-arm"
_BY = ("conversation_id", "user_id", "chat_id")
_LONGEST_ARM = 512


@dataclass(frozen=True, slots=True)
class _Experiment:
    name: str
    by: str
    arms: tuple[str, ...]
    bounds: tuple[float, ...]

    def arm(self, subject: str) -> str:
        digest = hashlib.sha256(f"{self.name}\0{subject}".encode(errors="surrogatepass")).digest()
        place = int.from_bytes(digest[:8]) / 2**64 * self.bounds[-1]
        return self.arms[min(bisect.bisect_right(self.bounds, place), len(self.arms) - 1)]


def _refuse(what: str) -> NoReturn:
    message = f"{_NAME}: {what}"
    raise ConfigError(message)


def _experiment(settings: Mapping[str, Any]) -> _Experiment:
    for key in settings:
        if key not in ("name", "by", "arms"):
            _refuse(f"there is no setting {key!r}; use name, by and arms")
    name = settings.get("name", "experiment")
    if not isinstance(name, str) or not name.strip():
        _refuse(f"name is {name!r}; give a text, in quotes where YAML takes it for something else")
    by = settings.get("by", "conversation_id")
    if by not in _BY:
        _refuse(f"by is {by!r}; use one of {', '.join(_BY)}")
    arms = settings.get("arms", {"control": 1, "treatment": 1})
    if not isinstance(arms, Mapping) or not arms:
        _refuse(f"arms is {arms!r}; give each arm a weight, such as {{control: 9, treatment: 1}}")
    weights = cast("Mapping[object, object]", arms)
    for arm, weight in weights.items():
        if not isinstance(arm, str) or not 0 < len(arm.strip()) <= _LONGEST_ARM:
            _refuse(f"the arm {arm!r:.80} is no text of 1 to {_LONGEST_ARM} characters; write it in quotes")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            _refuse(f"the weight of arm {arm!r} is {weight!r}; give a number of 0 or more")
    bounds = tuple(itertools.accumulate(float(cast("float", weight)) for weight in weights.values()))
    if not 0 < bounds[-1] < float("inf"):
        _refuse(f"the weights in arms sum up to {bounds[-1]:g}; give at least one arm more than 0, and none too much")
    return _Experiment(name, by, tuple(cast("Mapping[str, object]", arms)), bounds)


_running = _experiment({})


@hookimpl
def configure(settings: Mapping[str, Any]) -> None:
    """Take ``name`` (changing it draws anew), ``by`` (whom to assign) and ``arms`` (each with its weight)."""
    global _running  # noqa: PLW0603 - a module is this plugin's only object
    _running = _experiment(settings)


@hookimpl
def contribute_hints(call: Call, identity: Identity) -> dict[str, str] | None:  # noqa: ARG001 - the hook's arguments
    """The arm of this conversation; nothing where there is none."""
    subject = getattr(identity, _running.by)
    return {"experiment_arm": _running.arm(subject)} if subject else None


def register(ctx: object) -> None:  # noqa: ARG001 - the host hands over its context
    """Register as a Hermes user plugin."""
    hermes_hints.register(sys.modules[__name__], _NAME)
