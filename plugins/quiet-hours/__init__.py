"""Give calls a priority by the time of day, the day of the week and the platform."""

from __future__ import annotations

import datetime as dt
import re
import sys
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import hermes_hints
from hermes_hints import Call, ConfigError, Identity, hookimpl

_NAME = "quiet-hours"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PRIORITIES = ("low", "normal", "high")
_RULE = ("from", "to", "days", "platforms", "purposes", "priority")
_DEFAULT: Mapping[str, Any] = {"rules": [{"platforms": ["cron"], "priority": "low"}]}
_CLOCK = re.compile(r"(?:([01]?\d|2[0-3]):([0-5]\d)|24:00)")


@dataclass(frozen=True, slots=True)
class _Rule:
    begins: int
    ends: int
    """Minutes of the day; a rule that ends before it begins, or just then, goes over midnight."""
    days: frozenset[int]
    """Those on which it begins."""
    platforms: frozenset[str]
    purposes: frozenset[str]
    priority: str

    def covers(self, now: dt.datetime, platform: str | None, purpose: str | None) -> bool:
        if (self.platforms and platform not in self.platforms) or (self.purposes and purpose not in self.purposes):
            return False
        minute, today = now.hour * 60 + now.minute, now.weekday()
        if self.begins < self.ends:
            return today in self.days and self.begins <= minute < self.ends
        return (minute >= self.begins and today in self.days) or (minute < self.ends and (today - 1) % 7 in self.days)


def _refuse(what: str) -> NoReturn:
    message = f"{_NAME}: {what}"
    raise ConfigError(message)


def _settings(settings: Mapping[str, Any]) -> tuple[zoneinfo.ZoneInfo | None, tuple[_Rule, ...]]:
    for key in settings:
        if key not in ("timezone", "rules"):
            _refuse(f"there is no setting {key!r}; use timezone and rules")
    zone = settings.get("timezone")
    rules = settings.get("rules", _DEFAULT["rules"])
    if not isinstance(rules, list) or not all(isinstance(rule, Mapping) for rule in cast("list[object]", rules)):
        _refuse(f"rules is {rules!r}; give a list, such as [{{from: '22:00', to: '07:00', priority: low}}]")
    try:
        found = None if zone is None else zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        if not zoneinfo.available_timezones():
            _refuse(
                f"timezone is {zone!r}, and this machine knows no time zones; pip install tzdata, or leave timezone out"
            )
        _refuse(f"timezone is {zone!r}; give a name such as Europe/Berlin, or leave it out for this machine's own")
    return found, tuple(_rule(rule) for rule in cast("list[Mapping[str, Any]]", rules))


def _rule(given: Mapping[str, Any]) -> _Rule:
    for key in given:
        if key not in _RULE:
            _refuse(f"there is no key {key!r} in a rule; use {', '.join(_RULE)}")
    if given.get("priority") not in _PRIORITIES:
        _refuse(f"the priority of a rule is {given.get('priority')!r}; use one of {', '.join(_PRIORITIES)}")
    days = _texts(given, "days") or frozenset(_DAYS)
    for day in days - set(_DAYS):
        _refuse(f"there is no day {day!r}; use {', '.join(_DAYS)}")
    return _Rule(
        _minute(given, "from", "00:00"),
        _minute(given, "to", "24:00"),
        frozenset(map(_DAYS.index, days)),
        _texts(given, "platforms"),
        _texts(given, "purposes"),
        given["priority"],
    )


def _minute(given: Mapping[str, Any], key: str, otherwise: str) -> int:
    written = given.get(key, otherwise)
    clock = _CLOCK.fullmatch(written) if isinstance(written, str) else None
    if clock is None or (key == "from" and not clock[1]):
        _refuse(f"{key} is {written!r}; give a time of day in quotes, such as '22:00'")
    return int(clock[1]) * 60 + int(clock[2]) if clock[1] else 24 * 60


def _texts(given: Mapping[str, Any], key: str) -> frozenset[str]:
    listed = given.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in cast("list[object]", listed)):
        _refuse(f"{key} is {listed!r}; give a list of texts")
    return frozenset(one.strip().lower() for one in cast("list[str]", listed))


_zone, _rules = _settings({})


@hookimpl
def configure(settings: Mapping[str, Any]) -> None:
    """Take ``timezone`` and ``rules``: the first that covers a call gives it its priority."""
    global _zone, _rules
    _zone, _rules = _settings(settings)


@hookimpl
def contribute_hints(call: Call, identity: Identity) -> dict[str, str] | None:
    """The priority of this moment; nothing where no rule covers it."""
    now = dt.datetime.now(_zone)
    platform, purpose = identity.platform, call.purpose
    return next(({"priority": rule.priority} for rule in _rules if rule.covers(now, platform, purpose)), None)


def register(ctx: object) -> None:  # noqa: ARG001 - the host hands over its context
    """Register as a Hermes user plugin."""
    hermes_hints.register(sys.modules[__name__], _NAME)
