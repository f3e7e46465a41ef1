"""The receiving side: from a request's headers and body to the record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from .call import CALL_FIELDS, Call
from .carriers import decode
from .hints import Hints
from .identity import Identity
from .record import Record
from .values import EXT_KEY, MAX_EXT, Normaliser, count, identifier, name, scalar, short_text
from .wire import BODY_KEY, HEADERS, METADATA, METADATA_EXT, NAMES

__all__ = ["Headers", "from_headers", "from_metadata", "from_object", "read"]

Headers = Mapping[str, Any] | Iterable[tuple[str | bytes, str | bytes]]
"""A mapping of names to values, or pairs such as an ASGI scope's ``headers``."""


def read(headers: Headers | None, body: object = None) -> Record:
    """Read what a request says of itself.

    Args:
        headers: a mapping or (name, value) pairs, text or bytes; names in any case; ``None`` for none.
        body: the parsed JSON body, or its bytes or text, or ``None``.

    Where carriers differ, the body's ``hermes`` object wins over headers, and headers over ``metadata``. What is absent,
    malformed or outside the contract's limits is left out, field by field; nothing a client can send makes this raise.
    The record is the sender's claim: trust it as far as you trust who can reach you.
    """
    content = _parsed(body)
    fields = from_metadata(content.get("metadata"))
    fields.update(from_headers(headers))
    fields.update(from_object(content.get(BODY_KEY)))
    return Record(**fields)


def from_object(found: object) -> dict[str, Any]:
    """The good fields of a body's ``hermes`` object."""
    if not isinstance(found, Mapping):
        return {}
    given = cast("Mapping[object, object]", found)
    fields: dict[str, Any] = {}
    for field, normalise in _NORMALISERS.items():
        if field in given and field != "ext":
            _keep(fields, field, normalise, given[field])
    entries = given.get("ext")
    if isinstance(entries, Mapping):
        _keep_ext(fields, cast("Mapping[object, object]", entries).items())
    return fields


def from_metadata(found: object) -> dict[str, Any]:
    """The good ``hermes_*`` pairs of a body's ``metadata``; values of ``ext`` are text there."""
    if not isinstance(found, Mapping):
        return {}
    pairs = cast("Mapping[object, object]", found)
    fields: dict[str, Any] = {}
    for field, key in METADATA:
        if key in pairs:
            _keep(fields, field, _NORMALISERS[field], pairs[key])
    _keep_ext(
        fields,
        (
            (key.removeprefix(METADATA_EXT), value)
            for key, value in pairs.items()
            if isinstance(key, str) and key.startswith(METADATA_EXT)
        ),
    )
    return fields


def from_headers(headers: Headers | None) -> dict[str, Any]:
    """The good ``X-Hermes-*`` headers; of a repeated one the first counts."""
    if not headers:
        return {}
    pairs = cast("Iterable[tuple[object, object]]", headers.items() if isinstance(headers, Mapping) else headers)
    fields: dict[str, Any] = {}
    for raw_name, raw_value in pairs:
        field = _BY_HEADER.get(_latin(raw_name).lower())
        if field is not None and field not in fields:
            _keep(fields, field, _NORMALISERS[field], decode(_latin(raw_value).strip(" \t")))
    return fields


def _latin(part: object) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else str(part)


def _parsed(body: object) -> Mapping[str, Any]:
    if isinstance(body, bytes | bytearray | str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return {}
    return cast("Mapping[str, Any]", body) if isinstance(body, Mapping) else {}


def _keep(fields: dict[str, Any], field: str, normalise: Normaliser, value: object) -> None:
    try:
        taken = normalise(value)
    except ValueError:
        return
    if taken is not None:
        fields[field] = taken


def _keep_ext(fields: dict[str, Any], entries: Iterable[tuple[object, object]]) -> None:
    kept: dict[str, Any] = {}
    for key, value in entries:
        if isinstance(key, str) and EXT_KEY.fullmatch(key) is not None:
            _keep(kept, key, scalar, value)
        if len(kept) == MAX_EXT:
            break
    if kept:
        fields["ext"] = kept


_NORMALISERS: Mapping[str, Normaliser] = {
    **{field: name if field in NAMES else identifier for field in Identity.model_fields},
    **{field: identifier for field in CALL_FIELDS if field in Call.model_fields},
    "purpose": short_text,
    "call": count,
    **Hints.normalisers,
}
_BY_HEADER = {header.lower(): field for field, header in HEADERS}
