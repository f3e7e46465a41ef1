"""A plain value that follows a JSON Schema, for clients that ask for structured output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

__all__ = ["sample"]

_MOST_VALUES = 1000
_DEEPEST = 50
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "someone@example.org",
    "hostname": "example.org",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Mapping[str, Any], word: str) -> Any:
    """Return a value that follows ``schema``; texts are ``word``.

    Knows what OpenAI's structured outputs allow (platform.openai.com/docs/guides/structured-outputs), except
    ``pattern`` and ``multipleOf``. An array is as short as it may be and what may be null is null, so that recursion ends; beyond
    1,000 values or 50 levels everything is null, whatever the schema says.
    """
    return _Sampler(schema, word).value(schema, 0)


class _Sampler:
    def __init__(self, root: Mapping[str, Any], word: str) -> None:
        self._root = root
        self._word = word
        self._left = _MOST_VALUES

    def value(self, schema: object, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            return None
        rules = _mapping(schema)
        if "const" in rules:
            return rules["const"]
        if _list(rules, "enum"):
            return rules["enum"][0]
        elsewhere = self._elsewhere(rules)
        if elsewhere is not None:
            return self.value(elsewhere, depth + 1)
        return self._of_kind(_kind(rules), rules, depth + 1)

    def _elsewhere(self, rules: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The schema that stands for ``rules``, where they refer to others."""
        if isinstance(rules.get("$ref"), str):
            return self._resolve(rules["$ref"])
        options = [_mapping(option) for option in _list(rules, "anyOf") or _list(rules, "oneOf")]
        if options:
            return next((option for option in options if _kind(option) == "null"), options[0])
        parts = [_mapping(part) for part in _list(rules, "allOf")]
        return {key: item for part in parts for key, item in part.items()} if parts else None

    def _of_kind(self, kind: str, rules: Mapping[str, Any], depth: int) -> Any:
        match kind:
            case "object":
                return {name: self.value(item, depth) for name, item in _mapping(rules.get("properties")).items()}
            case "array":
                length = min(_length(rules, "minItems"), _MOST_VALUES)
                return [self.value(rules.get("items"), depth) for _ in range(length)]
            case "string":
                text = _FORMATS.get(str(rules.get("format")), self._word)
                text = text.ljust(min(_length(rules, "minLength"), _MOST_VALUES), ".")
                return text[: _length(rules, "maxLength") or None]
            case "integer" | "number":
                return _number(rules, whole=kind == "integer")
            case "boolean":
                return True
            case _:
                return None

    def _resolve(self, reference: str) -> Mapping[str, Any]:
        found = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            found = _mapping(found.get(part.replace("~1", "/").replace("~0", "~")))
        return found


def _kind(rules: Mapping[str, Any]) -> str:
    kinds = _list(rules, "type") or [rules.get("type")]
    if "null" in kinds:
        return "null"
    return str(kinds[0] or ("object" if "properties" in rules else ""))


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(rules: Mapping[str, Any], key: str) -> Sequence[Any]:
    found: object = rules.get(key)
    return cast("list[object]", found) if isinstance(found, list) else []


def _length(rules: Mapping[str, Any], key: str) -> int:
    found = rules.get(key)
    return found if isinstance(found, int) and found > 0 else 0


def _number(rules: Mapping[str, Any], *, whole: bool) -> float:
    bounds = {key: bound for key, bound in rules.items() if isinstance(bound, int | float) and math.isfinite(bound)}
    low, high = bounds.get("minimum", -math.inf), bounds.get("maximum", math.inf)
    above, below = bounds.get("exclusiveMinimum"), bounds.get("exclusiveMaximum")
    step = 1 if whole else ((below - above) / 2 if above is not None and below is not None else 0.5)
    low = low if above is None else max(low, above + step)
    high = high if below is None else min(high, below - step)
    nearest = min(max(0, low), high)
    return math.ceil(nearest) if whole else nearest
