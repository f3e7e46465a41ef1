"""The receiving side: from a request's headers and body to the record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from .call import CALL_FIELDS, Call
from .carriers import decode
from .hints import Hints
from .identity import Identity
from .signature import WINDOW, Keys, Verdict, check
from .values import EXT_KEY, MAX_EXT, Normaliser, count, identifier, name, scalar, short_text
from .wire import BODY_KEY, HEADERS, METADATA, METADATA_EXT, NAMES, SIGNATURE, Record

__all__ = ["Headers", "Verdict", "from_headers", "from_metadata", "from_object", "read", "verify"]

Headers = Mapping[str, Any] | Iterable[tuple[str | bytes, str | bytes]]
"""A mapping of names to values, or pairs such as an ASGI scope's ``headers``."""

Pairs = Sequence[tuple[Any, Any]]


def read(
    headers: Headers | None,
    body: object = None,
    *,
    key: Keys | None = None,
    window: float = WINDOW,
    now: float | None = None,
) -> Record:
    """Read what a request says of itself.

    Where carriers differ, the body's ``hermes`` object wins over headers, and headers over ``metadata``. What is absent,
    malformed or outside the contract's limits is left out, field by field; nothing a client can send makes this raise.

    Without ``key`` the record is the sender's claim: trust it as far as you trust who can reach you. With it, a record
    that is not signed under that key, or not within ``window``, is an empty one; `verify` says which of them it is. A
    signed request can be sent again by whoever saw it until its window has passed: if that matters, refuse a
    ``request_id`` that was seen before with another body. With the same one it is a client that tries again.

    Args:
        headers: a mapping or (name, value) pairs, text or bytes; names in any case; ``None`` for none.
        body: the parsed JSON body, or its bytes or text, or ``None``.
        key: the senders' ``signing_key``, at least 16 bytes; several while one replaces another.
        window: seconds that the signature's time may differ from ``now``.
        now: seconds since 1970; by default what the clock says.

    Raises:
        ConfigError: a key is too short.
    """
    pairs = _pairs(headers)
    record = _read(pairs, _parsed(body))
    if key is None or _verdict(pairs, record, key, window, now) == "valid":
        return record
    return Record()


def verify(
    headers: Headers | None, body: object = None, *, key: Keys, window: float = WINDOW, now: float | None = None
) -> Verdict:
    """Whether what a request says of itself comes from a holder of ``key``.

    ``valid``; ``missing``: no signature; ``malformed``: none of ours; ``forged``: made with another key, or for other
    hints than have arrived, as when something on the way removed a carrier; ``expired``: right, and outside ``window``.
    Signatures are compared in constant time. The arguments and errors are those of `read`.
    """
    pairs = _pairs(headers)
    return _verdict(pairs, _read(pairs, _parsed(body)), key, window, now)


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
    fields: dict[str, Any] = {}
    for raw_name, raw_value in _pairs(headers):
        field = _BY_HEADER.get(_latin(raw_name).lower())
        if field is not None and field not in fields:
            _keep(fields, field, _NORMALISERS[field], decode(_latin(raw_value).strip(" \t")))
    return fields


def _read(pairs: Pairs, content: Mapping[str, Any]) -> Record:
    fields = from_metadata(content.get("metadata"))
    fields.update(from_headers(pairs))
    fields.update(from_object(content.get(BODY_KEY)))
    return Record(**fields)


def _verdict(pairs: Pairs, record: Record, key: Keys, window: float, now: float | None) -> Verdict:
    written = [_latin(value).strip(" \t") for name, value in pairs if _latin(name).lower() == _SIGNATURE]
    return check(written[0] if written else None, record.fields(), key, window=window, now=now)


def _pairs(headers: Headers | None) -> Pairs:
    if not headers:
        return ()
    given = cast("Iterable[tuple[Any, Any]]", headers.items() if isinstance(headers, Mapping) else headers)
    return tuple(given)


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
_SIGNATURE = SIGNATURE.lower()
_BY_HEADER = {header.lower(): field for field, header in HEADERS}
