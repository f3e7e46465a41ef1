"""What is kept of a request: what it says of itself, and sizes. Pure.

No message is among it, no credential, and no value of a header or field that is no carrier of hints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, cast

from ..endpoints import family_of
from ..profiles import Profile
from ..receive import Verdict, read, verify
from ..signature import Keys
from ..wire import BODY_KEY, METADATA_PREFIX, SIGNATURE
from .credentials import Credentials, is_secret
from .lines import Lines, text
from .remarks import remarks

__all__ = ["Arrived", "Rung", "carrier_names", "read_request"]

Rung = Literal["full", "headers", "bare"]

_PREFIX = "x-hermes-"
_NOT_SHOWN = "(not kept)"
_MOST_NAMES = 64
_MOST_CHARS = 512


@dataclass(frozen=True, slots=True)
class Arrived:
    """One LLM call as it came from its client."""

    api: str
    path: str
    """Without the query."""
    model: str | None
    stream: bool
    stored: bool
    bytes: int
    messages: int
    tool_results: int
    """How many results of tools stand after the last message of the user."""
    tools: tuple[str, ...]
    """The names of the tools on offer."""
    record: Mapping[str, Any]
    signature: Verdict | None
    """``None`` where no key is known."""
    rung: Rung
    hermes: tuple[str, ...]
    """The keys of the body's ``hermes`` object."""
    metadata: Mapping[str, str]
    """Our own pairs."""
    headers: Mapping[str, str]
    """Those that are carriers of hints."""
    other_metadata: tuple[str, ...]
    """The keys of the caller's own pairs."""
    other_headers: tuple[str, ...]
    """The names of all other headers."""
    remarks: tuple[str, ...]


def carrier_names(profiles: Iterable[Profile]) -> frozenset[str]:
    """The headers (lower case) that any of ``profiles`` writes hints into, and that do not look like a place for a key."""
    names: set[str] = {"baggage"}
    for profile in profiles:
        names.update(profile.native_headers, profile.json_headers)
    return frozenset(name.lower() for name in names if not is_secret(name))


def read_request(
    path: str, query: bytes, lines: Lines, body: bytes, carriers: frozenset[str], key: Keys | None = None
) -> Arrived:
    """Read a request as its receiver will; ``carriers`` are further headers that may be shown. Never raises.

    ``body`` is empty where it was too long to be kept, or is none.
    """
    content = _parsed(body)
    family = family_of(f"http://any{path}")
    credentials = Credentials(lines, query, content)
    hermes, pairs = _mapping(content.get(BODY_KEY)), _mapping(content.get("metadata"))
    ours = {name: str(value) for name, value in pairs.items() if name.startswith(METADATA_PREFIX)}
    shown, others = _sorted_out(lines, carriers)
    model = content.get("model")
    messages = _list(content.get("messages") or content.get("input"))
    verdict = None if key is None else verify(lines, content, key=key)
    kept = Arrived(
        api="?" if family is None else family.api,
        path=path[:_MOST_CHARS],
        model=model[:_MOST_CHARS] if isinstance(model, str) else None,
        stream=content.get("stream") is True,
        stored=content.get("store") is True,
        bytes=len(body),
        messages=len(messages) or (1 if isinstance(content.get("input") or content.get("prompt"), str) else 0),
        tool_results=_results(messages),
        tools=_names(_tool_names(content)),
        record=read(lines, content).fields(),
        signature=verdict,
        rung="full" if hermes or ours else "headers" if any(_is_ours(name) for name, _ in lines) else "bare",
        hermes=_names(hermes),
        metadata={name[:_MOST_CHARS]: value[:_MOST_CHARS] for name, value in _first(ours)},
        headers=shown,
        other_metadata=_names(name for name in pairs if name not in ours),
        other_headers=_names(others),
        remarks=tuple(remarks(lines, content, verdict)),
    )
    cleaned: dict[str, Any] = {field.name: credentials.out_of(getattr(kept, field.name)) for field in fields(kept)}
    return replace(kept, **cleaned)


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _is_ours(name: bytes) -> bool:
    return text(name).lower().startswith(_PREFIX)


def _sorted_out(lines: Lines, carriers: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """The headers that carry hints, and the names of the others."""
    shown: dict[str, str] = {}
    others: list[str] = []
    for raw, value in lines:
        name = text(raw)
        lower = name.lower()
        if lower == SIGNATURE.lower():
            shown[name] = _NOT_SHOWN  # it could be sent again by whoever reads it
        elif (lower.startswith(_PREFIX) or lower in carriers) and not is_secret(lower) and len(shown) < _MOST_NAMES:
            shown[name] = text(value)[:_MOST_CHARS]
        else:
            others.append(lower)
    return shown, others


def _tool_names(content: Mapping[str, Any]) -> Iterable[str]:
    for tool in _list(content.get("tools")):
        told = _mapping(tool)
        name = _mapping(told.get("function")).get("name", told.get("name"))
        if isinstance(name, str):
            yield name


def _results(messages: Sequence[object]) -> int:
    """How many results of tools stand behind the last message that a user wrote."""
    count = 0
    for message in messages:
        told = _mapping(message)
        blocks = [_mapping(block).get("type") for block in _list(told.get("content"))]
        if told.get("role") == "tool" or told.get("type") == "function_call_output":
            count += 1
        elif "tool_result" in blocks:
            count += blocks.count("tool_result")
        elif told.get("role") == "user":
            count = 0
    return count


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _first(pairs: Mapping[str, str]) -> list[tuple[str, str]]:
    return list(pairs.items())[:_MOST_NAMES]


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(name[:_MOST_CHARS] for name in list(found)[:_MOST_NAMES])
