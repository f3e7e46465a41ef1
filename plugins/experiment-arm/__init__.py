"""Assign every conversation to an arm of an experiment, the same one for its whole life."""

from __future__ import annotations

import bisect
import hashlib
import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import hermes_hints
from hermes_hints import Call, ConfigError, Identity, hookimpl

_NAME = "experiment-arm"
_BY = ("conversation_id", "user_id", "chat_id")


@dataclass(frozen=True, slots=True)
class _Experiment:
    name: str
    by: str
    arms: tuple[str, ...]
    bounds: tuple[float, ...]

    def arm(self, subject: str) -> str:
        digest = hashlib.sha256(f"{self.name}\0{subject}".encode()).digest()
        place = int.from_bytes(digest[:8]) / 2**64 * self.bounds[-1]
        return self.arms[min(bisect.bisect_right(self.bounds, place), len(self.arms) - 1)]


def _experiment(settings: Mapping[str, Any]) -> _Experiment:
    for key in settings:
        if key not in ("name", "by", "arms"):
            message = f"{_NAME}: there is no setting {key!r}; use name, by and arms"
            raise ConfigError(message)
    by = settings.get("by", "conversation_id")
    if by not in _BY:
        message = f"{_NAME}: by is {by!r}; use one of {', '.join(_BY)}"
        raise ConfigError(message)
    arms = settings.get("arms", {"control": 1, "treatment": 1})
    if not isinstance(arms, Mapping) or not arms:
        message = f"{_NAME}: arms is {arms!r}; give each arm a weight, such as {{control: 9, treatment: 1}}"
        raise ConfigError(message)
    weights = cast("Mapping[object, object]", arms)
    for arm, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            message = f"{_NAME}: the weight of arm {arm!r} is {weight!r}; give a number of 0 or more"
            raise ConfigError(message)
    bounds = tuple(itertools.accumulate(float(cast("float", weight)) for weight in weights.values()))
    if bounds[-1] <= 0:
        message = f"{_NAME}: all weights in arms are 0; give at least one arm more"
        raise ConfigError(message)
    return _Experiment(str(settings.get("name", "experiment")), by, tuple(map(str, weights)), bounds)


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
