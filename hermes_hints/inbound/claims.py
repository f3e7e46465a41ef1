"""What one header may say of somebody."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import unquote

from ..receive import Headers
from ..values import nearest
from ..wire import NAMES

__all__ = ["FIELDS", "MAX_CHARS", "check_mapped", "checked", "lines_of", "plain"]

MAX_CHARS = 256
"""Longest value in characters: what the Hermes API server takes for ``X-Hermes-Session-Key``
(``_MAX_SESSION_HEADER_LEN`` in gateway/platforms/api_server.py)."""

FIELDS = ("user_id", "user_id_alt", "user_name", "chat_id", "chat_name", "chat_type", "thread_id", "conversation_id")
"""What a caller can say: the identity arguments of Hermes' ``AIAgent.__init__``, and the conversation at their side."""

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BASE64 = "b64:"
_OURS = "x-hermes-"
_RESERVED = frozenset({"authorization", "cookie", "host", "content-type", "content-length", "transfer-encoding"})


def lines_of(headers: Headers) -> dict[str, list[str]]:
    """The values of each header, by its name in lower case, without surrounding blanks."""
    given = cast("Iterable[tuple[Any, Any]]", headers.items() if isinstance(headers, Mapping) else headers)
    lines: dict[str, list[str]] = {}
    for name, value in given:
        lines.setdefault(_text(name).lower(), []).append(_text(value).strip(" \t"))
    return lines


def checked(values: list[str], field: str, *, mapped: bool) -> str:
    """What a header says for ``field``, decoded.

    The ``X-Hermes-*`` headers are percent-encoded. Of ``mapped`` ones, Open WebUI percent-encodes names and nothing else
    (open_webui/utils/headers.py), and LibreChat writes ``b64:`` and Base64 where Latin-1 has not the characters
    (packages/api/src/utils/env.ts).

    Raises:
        ValueError: it is given twice, blank, too long, not UTF-8, or has a control character; the message says which.
    """
    said = [value for value in values if value]
    if len(said) > 1:
        msg = "is given more than once"
        raise ValueError(msg)
    try:
        return plain(_decoded(said[0], percent=not mapped or field in NAMES, base_64=mapped))
    except (UnicodeError, binascii.Error):
        msg = "is not UTF-8"
        raise ValueError(msg) from None


def plain(text: str) -> str:
    """``text`` as it is.

    Raises:
        ValueError: it is blank, over 256 characters long, or has a control character.
    """
    if len(text) > MAX_CHARS:
        msg = f"is longer than {MAX_CHARS} characters"
        raise ValueError(msg)
    if any(unicodedata.category(char) in _CONTROL for char in text):
        msg = "has a control character"
        raise ValueError(msg)
    if not text.strip():
        msg = "is blank"
        raise ValueError(msg)
    return text


def check_mapped(headers: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """An operator's further headers: field and header by the header's name in lower case.

    Raises:
        ValueError: a name is no header's, is one of ours or has another meaning, or there is no such field.
    """
    mapped: dict[str, tuple[str, str]] = {}
    for header, field in headers.items():
        lower = header.lower()
        if _HEADER.fullmatch(header) is None or lower.startswith(_OURS) or lower in _RESERVED or lower in mapped:
            msg = f"{header!r} cannot name anybody; use a header of its own, once, such as X-OpenWebUI-User-Id"
            raise ValueError(msg)
        if field not in FIELDS:
            close = nearest(field, FIELDS)
            remedy = f"did you mean {close!r}?" if close else f"use one of {', '.join(FIELDS)}"
            msg = f"{header} cannot fill {field!r}; {remedy}"
            raise ValueError(msg)
        mapped[lower] = (field, header)
    return mapped


def _decoded(text: str, *, percent: bool, base_64: bool) -> str:
    if base_64 and text.startswith(_BASE64):
        return base64.b64decode(text.removeprefix(_BASE64), validate=True).decode()
    return unquote(text, errors="strict") if percent and "%" in text else text


def _text(part: object) -> str:
    """Bytes as UTF-8, or as Latin-1 where they are not; text that was read with surrogates (aiohttp) likewise."""
    raw = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
