"""What is odd about what a request says of itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from .. import carriers
from ..receive import Verdict, from_headers, from_metadata, from_object
from ..wire import BODY_KEY, HEADERS, METADATA, METADATA_EXT, METADATA_PREFIX, SIGNATURE, WIRE_FIELDS
from .lines import Lines, text

__all__ = ["remarks"]

_PREFIX = "x-hermes-"
_HEADERS = frozenset(name.lower() for _, name in HEADERS)
_NO_HINTS = frozenset({SIGNATURE.lower(), "x-hermes-hints", "x-hermes-session-key"})
"""What hermes-hints and Hermes itself have under the same prefix."""
_PAIRS = frozenset(key for _, key in METADATA)
_KEYS = frozenset({"v", *WIRE_FIELDS})
_MOST = 8
_MOST_CHARS = 64

_Write = Callable[[Mapping[str, Any], tuple[()]], Mapping[str, str]]


def remarks(lines: Lines, content: Mapping[str, Any], signature: Verdict | None = None) -> list[str]:
    """A sentence for each thing that whoever looks should know.

    ``content`` is the parsed body, ``signature`` the verdict where a key is known.
    """
    headers = {text(name).lower(): text(value).strip(" \t") for name, value in reversed(lines)}
    ours = {name: value for name, value in headers.items() if name.startswith(_PREFIX) and name not in _NO_HINTS}
    hermes = _mapping(content.get(BODY_KEY))
    pairs = {key: value for key, value in _mapping(content.get("metadata")).items() if key.startswith(METADATA_PREFIX)}
    if not (ours or hermes or pairs):
        return ["no hints"]
    body = from_object(hermes)
    record = {**from_metadata(pairs), **from_headers(list(ours.items())), **body}
    said = [what for field, what in _NEEDED.items() if field not in record]
    if signature not in (None, "valid"):
        said.append("not signed" if signature == "missing" else f"signature {signature}")
    odd = {
        "unknown in hermes": (key for key in hermes if key not in _KEYS),
        "unknown in metadata": (key for key in pairs if key not in _PAIRS and not key.startswith(METADATA_EXT)),
        "unknown headers": (name for name in ours if name not in _HEADERS),
        "unusable in hermes": (key for key in hermes if key in _KEYS and key != "v" and key not in body),
        "metadata and hermes disagree": _disagreeing(pairs, body, carriers.metadata),
        "headers and hermes disagree": _disagreeing(ours, body, _headers),
    }
    return said + [f"{what}: {_listed(names)}" for what, found in odd.items() if (names := list(found))]


_NEEDED = {"user_id": "nobody is named", "conversation_id": "no conversation", "purpose": "no purpose"}


def _headers(record: Mapping[str, Any], taken: tuple[()]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in carriers.headers(record, taken).items()}


def _disagreeing(arrived: Mapping[str, Any], body: Mapping[str, Any], write: _Write) -> Iterator[str]:
    """The fields of ``body`` that have another value in another carrier."""
    for field, value in body.items():
        entries = cast("Mapping[str, Any]", value).items() if field == "ext" else [(None, value)]
        for key, item in entries:
            written = write({field: item if key is None else {key: item}}, ())
            if any(name in arrived and str(arrived[name]) != text for name, text in written.items()):
                yield field if key is None else f"ext.{key}"


def _listed(names: Iterable[str]) -> str:
    shown = [str(name)[:_MOST_CHARS] for name in names]
    return ", ".join(shown[:_MOST]) + (f" and {len(shown) - _MOST} more" if len(shown) > _MOST else "")


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
