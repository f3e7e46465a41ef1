"""A signature over a record, by which a receiver tells hints from forgeries."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from .errors import ConfigError

__all__ = ["WINDOW", "Key", "Keys", "Verdict", "check", "key_bytes", "sign"]

Key = str | bytes
Keys = Key | Iterable[Key]
"""The key shared with the senders, or several while one replaces another."""

Verdict = Literal["valid", "missing", "malformed", "expired", "forged"]
"""What is found of a signature; see `hermes_hints.receive.verify`."""

WINDOW = 300.0
"""Seconds that a signature may be older or newer than the receiver's clock: five minutes, as Stripe and Slack allow
(docs.stripe.com/webhooks, docs.slack.dev/authentication/verifying-requests-from-slack)."""

_SHORTEST_KEY = 16
_WRITTEN = re.compile(r"t=(0|[1-9][0-9]{0,11}),v1=([0-9a-f]{64})")


def key_bytes(key: Key, *, name: str = "signing_key") -> bytes:
    """A key as bytes; text as UTF-8.

    Raises:
        ConfigError: it has less than 16 bytes; the message says ``name`` and the length, not the key.
    """
    raw = key.encode() if isinstance(key, str) else key
    if len(raw) < _SHORTEST_KEY:
        msg = f"{name}: is {len(raw)} bytes long; give at least {_SHORTEST_KEY} random ones, the same to sender and receiver"
        raise ConfigError(msg)
    return raw


def sign(fields: Mapping[str, Any], key: bytes, *, now: float | None = None) -> str:
    """What ``X-Hermes-Hints-Signature`` says of a record: ``t=<seconds since 1970>,v1=<HMAC-SHA256 in hexadecimal>``.

    Signed is the text ``<t>.<json>``, where the JSON is an object of the fields that the receiver reads: names sorted, no
    blanks, every character outside ASCII escaped.
    """
    stamp = str(int(time.time() if now is None else now))
    return f"t={stamp},v1={_mac(fields, key, stamp)}"


def check(written: str | None, fields: Mapping[str, Any], keys: Keys, *, window: float, now: float | None) -> Verdict:
    """Whether ``written`` is a signature of these fields under one of ``keys`` that is not too old or too new.

    Args:
        written: the header's value; ``None`` when there is none.
        fields: the record's, as the receiver read them.
        keys: one key, or several.
        window: seconds that the signature's time may differ from ``now``.
        now: seconds since 1970; ``None`` is the clock's.

    Raises:
        ConfigError: a key is too short.
    """
    raw = [key_bytes(key, name="key") for key in ([keys] if isinstance(keys, str | bytes) else keys)]
    if written is None:
        return "missing"
    parts = _WRITTEN.fullmatch(written)
    if parts is None:
        return "malformed"
    matching = [hmac.compare_digest(_mac(fields, key, parts[1]), parts[2]) for key in raw]
    if not any(matching):
        return "forged"
    age = (time.time() if now is None else now) - int(parts[1])
    return "valid" if abs(age) <= window else "expired"


def _mac(fields: Mapping[str, Any], key: bytes, stamp: str) -> str:
    said = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hmac.digest(key, f"{stamp}.{said}".encode("ascii"), hashlib.sha256).hex()
