"""From a record to what a request carries: the body object, metadata and headers. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from .values import MAX_CHARS
from .wire import (
    CONVERSATION_HEADER,
    HEADERS,
    MAX_HEADER_BYTES,
    MAX_HEADERS_BYTES,
    METADATA,
    METADATA_EXT,
    TICKET,
    VERSION,
)

__all__ = [
    "MAX_PAIRS",
    "Carriers",
    "Line",
    "body_object",
    "decode",
    "digest",
    "encode",
    "headers",
    "lines_of",
    "metadata",
    "request_metadata",
    "routing_token",
    "text_of",
]

MAX_PAIRS = 16
"""Most pairs that OpenAI takes in ``metadata`` (platform.openai.com/docs/api-reference/chat)."""

_CONVERSE_CHARS = 256
_NOT_CONVERSE = re.compile(r"[^a-zA-Z0-9\s:_@$#=/+,.-]", re.ASCII)
"""What keys and values of Bedrock's ``requestMetadata`` may not hold (botocore's model of ``bedrock-runtime``)."""

_PLAIN = re.compile(r"(?! )[ -$&-~]*(?<! )")
"""Text that goes into a header as it is."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,256}")


Line = tuple[bytes, bytes, bytes]
"""A header as httpx keeps it: its name, that in lower case, its value."""


class Carriers(NamedTuple):
    """What hermes-hints adds to one request."""

    headers: Mapping[str, str]
    body: Mapping[str, Any]
    """Top-level fields of the body: ``hermes``, ``metadata`` (with the caller's own pairs) and native ones."""


def body_object(record: Mapping[str, Any]) -> dict[str, Any]:
    """The object that goes into the body as ``hermes``: the version and every field."""
    return {**record, "v": VERSION}  # in this order Python copies the record whole


def text_of(value: object) -> str:
    """One value as ``metadata`` and headers write it: truth values in JSON's spelling, labels joined by commas."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return str(value)


def metadata(record: Mapping[str, Any], taken: Collection[str]) -> dict[str, str]:
    """The pairs for ``metadata`` beside the caller's own keys ``taken``.

    At most 16 pairs in all, the most telling fields first; what does not fit, or is over 512 characters, is left out.
    """
    room = MAX_PAIRS - len(taken)
    pairs: dict[str, str] = {}
    if room <= 0:
        return pairs
    for field, key in METADATA:
        if field not in record or key in taken:
            continue
        value = record[field]
        text = value if type(value) is str else text_of(value)
        if len(text) <= MAX_CHARS:
            pairs[key] = text
            if len(pairs) == room:
                return pairs
    for name, value in record.get("ext", {}).items():
        key = METADATA_EXT + name
        if key not in taken:
            pairs[key] = text_of(value)
            if len(pairs) == room:
                break
    return pairs


def request_metadata(record: Mapping[str, Any], taken: Collection[str]) -> dict[str, str]:
    """The pairs for Bedrock's ``requestMetadata``: as `metadata`, in the characters that Bedrock takes.

    Others become ``_``; a value over 256 characters is replaced by its SHA-256.
    """
    pairs = metadata(record, taken).items()
    return {
        _NOT_CONVERSE.sub("_", key): _NOT_CONVERSE.sub("_", text) if len(text) <= _CONVERSE_CHARS else digest(text)
        for key, text in pairs
    }


def headers(record: Mapping[str, Any], taken: Collection[str], left: int = MAX_HEADERS_BYTES) -> dict[str, str]:
    """The ``X-Hermes-*`` headers beside the caller's own names ``taken`` (lower case).

    Each value is at most 512 bytes, all lines together at most ``left``; the least telling fields are left out first.
    """
    lines: dict[str, str] = {}
    for field, name, lower, room, written in _LINES:
        value = record.get(field)
        if value is None or lower in taken:
            continue
        text = written(value if type(value) is str else text_of(value))
        size = room + len(text)
        if text and size <= left:
            lines[name] = text
            left -= size
    return lines


def lines_of(written: Mapping[str, str]) -> list[Line]:
    """Headers as bytes."""
    return [(name.encode(), name.lower().encode(), text.encode()) for name, text in written.items()]


@lru_cache(maxsize=4096)
def routing_token(value: str) -> str:
    """``value`` if it is of the form ``[A-Za-z0-9_-]{8,256}``, else its SHA-256 in hexadecimal.

    LiteLLM ignores a session header of any other form (litellm/proxy/litellm_pre_call_utils.py).
    """
    return value if _TOKEN.fullmatch(value) is not None else digest(value)


def digest(value: str) -> str:
    """The SHA-256 of a text in hexadecimal: 64 characters."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def encode(value: object) -> str:
    """Any value as the value of an HTTP header.

    Total: whatever comes in, what comes out is printable ASCII of at most 512 bytes without surrounding blanks. Text is
    brought to NFC, control characters are removed, and non-ASCII characters (UTF-8), ``%`` and surrounding blanks are
    percent-encoded, so that `decode` gives the text back. What is too long is cut between characters.
    """
    text = value if type(value) is str else text_of(value)
    if len(text) <= MAX_HEADER_BYTES and _PLAIN.fullmatch(text) is not None:
        return text
    return _encode(text[: MAX_HEADER_BYTES * 2])


def _encode(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode()
    shown = unicodedata.normalize("NFC", "".join(char for char in plain if unicodedata.category(char) != "Cc"))
    inner = shown.strip(" ")
    start = shown.index(inner) if inner else 0
    pieces: list[str] = []
    size = 0
    for position, char in enumerate(shown):
        inside = start <= position < start + len(inner)
        piece = char if char.isascii() and char != "%" and inside else quote(char, safe="")
        size += len(piece)
        if size > MAX_HEADER_BYTES:
            break
        pieces.append(piece)
    return "".join(pieces).rstrip(" ")


def decode(text: str) -> str:
    """The text that `encode` was given, as far as a header can carry it; never raises."""
    return unquote(text, errors="replace") if "%" in text else text


# Most values are those of the call before; a request's id never is, so it does not push the others out.
_encode_again = lru_cache(maxsize=4096)(encode)
_ENCODERS: Mapping[str, Callable[[str], str]] = {CONVERSATION_HEADER: routing_token, TICKET: encode}
_LINES = tuple(
    (field, name, name.lower(), len(name) + 4, _ENCODERS.get(name, _encode_again)) for field, name in HEADERS
)
"""For each header its field, its name, that in lower case, its bytes beside the value, and how the value is written."""
