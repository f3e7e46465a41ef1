"""One input of the fuzzer: what it makes of its bytes, and what must hold of the record that is read from them.

The first byte chooses the form; what follows is either the lines and the body as they are, or the recipe of a request
that knows our names, so that values get deeper than random text would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hermes_hints import Record
from hermes_hints.carriers import body_object
from hermes_hints.receive import read, verify
from hermes_hints.signature import sign
from hermes_hints.values import EXT_KEY, MAX_CHARS, MAX_EXT, MAX_LABELS
from hermes_hints.wire import BODY_KEY, HEADERS, METADATA, SIGNATURE, WIRE_FIELDS

KEY = b"a key that both sides share"
ANOTHER = b"a key that somebody made up"
NOW = 1_790_000_000.0

_UNCHECKED, _SIGNED, _FORGED, _GUESSED = range(4)
"""The lowest two bits: whether the receiver checks signatures, and what there is for it to find."""
_RECIPE, _TEXT, _MAPPING, _PARSED = (1 << bit for bit in range(2, 6))
_KEYS = (*WIRE_FIELDS, "v", "acme.region", "vendor.key", "no-dot", "ext")
_ROOM = 64


def seeds() -> Iterator[bytes]:
    """Small inputs of every form, to begin with."""
    body = {BODY_KEY: {"v": 1, "user_id": "@alice:example.org", "call": 3, "labels": ["a"], "ext": {"acme.a": 0.5}}}
    body["metadata"] = {"hermes_user_intent": "force-cloud", "hermes_ext_acme.b": "true", "hermes_labels": "a,b"}
    lines = b"X-Hermes-User-Id: Jos%C3%A9\nX-Hermes-Priority: high\nx-hermes-session-id: 20261121_012008_d4149b13"
    text = lines + b"\n\n" + json.dumps(body).encode()
    for mode in range(64):
        yield bytes([mode]) + (bytes(range(256)) if mode & _RECIPE else text)
    for nothing in (b"", b"null", b"[]", b'"', b"{", b'{"hermes": null}', b"[" * 2000, b"1" * 5000, b"\xff\xfe{}\x00"):
        yield b"\x00\n\n" + nothing


def check(data: bytes) -> None:
    """Read what ``data`` stands for.

    Raises:
        AssertionError: what was read breaks the contract. Whatever else is raised is a finding too.
    """
    mode = data[0] if data else 0
    lines, body = _recipe(data[1:]) if mode & _RECIPE else _as_it_is(data[1:])
    shown: Any = lines
    if mode & _TEXT:
        shown = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in lines]
    if mode & _MAPPING:
        shown = dict(shown)
    if mode & _PARSED:
        body = _parsed(body)
    record = read(shown, body)
    _check_limits(record)
    if mode & 3 == _UNCHECKED:
        said = record.fields()
        again = read(None, json.dumps({BODY_KEY: body_object(said)}))
        assert again.fields() == said, "what was read cannot be sent on"
    else:
        _check_signature(mode & 3, record, shown, body)


def _check_limits(record: Record) -> None:
    assert type(record) is Record
    for field, value in record.fields().items():
        for part in value.items() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,):
            text = part[1] if isinstance(part, tuple) else part
            assert not isinstance(text, str) or (0 < len(text) <= MAX_CHARS and text.encode()), field
    assert len(record.labels or ()) <= MAX_LABELS
    assert len(record.ext or ()) <= MAX_EXT
    assert all(EXT_KEY.fullmatch(key) for key in record.ext or ())
    assert record.call is None or 0 < record.call < 2**31


def _check_signature(case: int, record: Record, lines: Any, body: Any) -> None:
    if case != _GUESSED:
        line = (SIGNATURE, sign(record.fields(), KEY if case == _SIGNED else ANOTHER, now=NOW))
        lines = [line, *(lines.items() if isinstance(lines, dict) else lines)]
    trusted = read(lines, body, key=KEY, now=NOW).fields()
    if case == _SIGNED:
        assert trusted == record.fields()
    else:
        assert not trusted, "nobody but a holder of the key can sign"
    if case == _FORGED:
        assert verify(lines, body, key=KEY, now=NOW) == "forged"


def _as_it_is(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    head, _, body = data.partition(b"\n\n")
    pairs = (line.partition(b":") for line in head.split(b"\n"))
    return [(name, value.strip()) for name, _, value in pairs], body


def _recipe(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Lines and a body under our own names, with values of every kind."""
    steps = iter(data)
    lines: list[tuple[bytes, bytes]] = []
    ours: dict[str, Any] = {}
    pairs: dict[str, Any] = {}
    for step, _ in zip(steps, range(_ROOM), strict=False):
        place, value = next(steps, 0), _value(steps, 2)
        if step % 3 == 0:
            lines.append((HEADERS[place % len(HEADERS)][1].encode(), str(value).encode("utf-8", "surrogatepass")))
        elif step % 3 == 1:
            ours[_KEYS[place % len(_KEYS)]] = value
        else:
            field = METADATA[place % len(METADATA)][1]
            pairs[field if place < 128 else "hermes_ext_" + _KEYS[place % len(_KEYS)]] = value
    return lines, json.dumps({BODY_KEY: ours, "metadata": pairs}).encode()


def _value(steps: Iterator[int], depth: int) -> Any:  # noqa: PLR0911 - a kind each
    kind, size = next(steps, 0), next(steps, 0)
    match kind % 8:
        case 0:
            return bytes(next(steps, 0) for _ in range(size % 16)).decode("utf-8", "surrogateescape")
        case 1:
            return chr(next(steps, 0) << 8 | size) * (next(steps, 0) * 4)
        case 2:
            return int.from_bytes(bytes(next(steps, 0) for _ in range(size % 12)), signed=True)
        case 3:
            return (None, True, False, "", " ", "low", "high", "a,b")[size % 8]
        case 4:
            return (size - 128) * 10.0 ** (next(steps, 0) - 128)
        case 5:
            return (float("nan"), float("inf"), -0.0, 2**63, 2**63 - 1, -(2**63), 10**400, 1e400)[size % 8]
        case 6 if depth:
            return [_value(steps, depth - 1) for _ in range(size % 40)]
        case 7 if depth:
            return {_key(steps): _value(steps, depth - 1) for _ in range(size % 40)}
    return "x" * size


def _key(steps: Iterator[int]) -> str:
    place = next(steps, 0)
    return _KEYS[place % len(_KEYS)] + (f".k{next(steps, 0)}" if place & 64 else "")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body
