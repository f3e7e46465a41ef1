"""Problems, and the line of configuration that mends each."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from pydantic import ValidationError

from ..endpoints import Endpoint, parse_match
from ..errors import ConfigError
from ..privacy import Privacy
from ..profiles import BUILTIN
from ..settings import EndpointRule, Settings

__all__ = ["Problem", "Remedy", "match_of", "named", "remedy_for_settings", "rule", "written"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_SPOKEN = frozenset({"on", "off", "yes", "no", "true", "false", "null", "y", "n"})
"""What YAML 1.1 reads as something else than text."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to write, and where."""

    place: str
    """A path of keys in the configuration, or ``shell`` for a command."""
    line: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend."""

    what: str
    remedy: Remedy | None


def match_of(endpoint: Endpoint) -> str:
    """What to write under ``match`` to name this endpoint alone: its host, and its port where that is its own."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    usual = endpoint.port is None or (endpoint.scheme, endpoint.port) in (("http", 80), ("https", 443))
    return host if usual else f"{host}:{endpoint.port}"


def rule(match: str, profile: str, privacy: str = "raw") -> str:
    """One entry of ``endpoints`` as YAML on one line."""
    parts = {"match": match, "profile": profile} | ({} if privacy == "raw" else {"privacy": privacy})
    return "{" + ", ".join(f"{key}: {written(value)}" for key, value in parts.items()) + "}"


def written(value: object) -> str:
    """A value as YAML 1.1 and 1.2 both read it, inside braces too."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) is not None and value.lower() not in _SPOKEN:
        return value
    return json.dumps(value)


def named(endpoint: Endpoint, profile: str, place: str, privacy: Privacy = "raw") -> Remedy:
    """Name an endpoint, before all other entries: the first match wins."""
    return Remedy(f"{place}.endpoints, before the others", "- " + rule(match_of(endpoint), profile, privacy))


def remedy_for_settings(kind: type[Settings], given: Mapping[str, Any], place: str) -> Remedy:
    """The line that mends the first thing that is wrong with settings of this kind."""
    try:
        kind.model_validate(given)
    except ValidationError as error:
        location = error.errors(include_url=False)[0]["loc"]
    else:
        # The only thing that is found out later than the settings are read.
        return Remedy(place, "# leave out: pseudonym_key")
    match location:
        case ("endpoints", int(position), *_):
            return Remedy(f"{place}.endpoints.{position}", "- " + _mended_rule(given["endpoints"][position]))
        case ("endpoints",):
            return Remedy(place, f"endpoints: [{_mended_rule(given['endpoints'])}]")
        case (str(key), *_):
            return Remedy(place, _mended_value(kind, key, given[key]))
        case _:
            return Remedy(place, _mended_name(kind, given))


def _mended_rule(given: object) -> str:
    """An entry of ``endpoints`` that says what this one seems to mean."""
    told = cast("Mapping[object, object]", given if isinstance(given, Mapping) else {"match": given})
    meant: dict[str, object] = {}
    for key, value in told.items():
        near = difflib.get_close_matches(str(key), EndpointRule.model_fields, n=1)
        if near:
            meant.setdefault(near[0], value)
    match = meant.get("match")
    try:
        parse_match(match if isinstance(match, str) else "")
    except ConfigError:
        match = "llm.example.org"
    profile = "off" if match == "*" else _nearest(meant.get("profile", "dispatcher"), sorted(BUILTIN), "dispatcher")
    privacy = _nearest(meant.get("privacy", "raw"), get_args(Privacy), "none")
    return rule(str(match), profile, privacy)


def _mended_value(kind: type[Settings], key: str, value: object) -> str:
    if key == "privacy":
        return f"privacy: {_nearest(value, get_args(Privacy), 'none')}"
    default = kind.model_fields[key].get_default(call_default_factory=True)
    return f"# leave out: {key}" if default is None else f"{key}: {json.dumps(default)}"


def _mended_name(kind: type[Settings], given: Mapping[str, Any]) -> str:
    unknown = next((str(key) for key in given if key not in kind.model_fields), "")
    free = [name for name in kind.model_fields if name not in given]
    near = next(iter(difflib.get_close_matches(unknown, free, n=1)), None)
    if near is None:
        return f"# leave out: {unknown}"
    secret = near in ("pseudonym_key", "signing_key", "plugins")
    return f"# write {near} instead of {unknown}" if secret else f"{near}: {json.dumps(given[unknown], default=str)}"


def _nearest(value: object, known: Sequence[str], otherwise: str) -> str:
    return next(iter(difflib.get_close_matches(str(value), known, n=1)), otherwise)
