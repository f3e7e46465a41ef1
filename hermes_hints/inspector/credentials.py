"""Credentials in a request: found, so that none of them is ever kept."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

from .lines import Lines, text

__all__ = ["STANDS_FOR", "Credentials", "is_secret"]

STANDS_FOR = "(key)"
"""What is kept where a credential stood."""

_SECRET = re.compile(r"auth|cookie|credential|key|pass|secret|session-token|security-token|sig\b|signature|token")
_NO_SECRET = re.compile(r"x-hermes-(?!hints-signature)|.*(?:routing|idempotency)-key")
_IN_BODIES = frozenset(
    {
        *("api_key", "apikey", "apiKey", "access_token", "token", "password", "secret"),
        *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "vertex_credentials"),
    }
)
"""Fields that LiteLLM and others take credentials in (docs.litellm.ai/docs/proxy/clientside_auth)."""
_PIECE = re.compile(r"[^\s;,]+")
_SCHEMES = frozenset({"basic", "bearer", "digest", "negotiate", "token"})
_SHORTEST = 6
_MOST = 64


def is_secret(name: str) -> bool:
    """Whether what goes by this name (of a header or a query parameter), in any case, may be a credential."""
    lower = name.lower()
    return _SECRET.search(lower) is not None and _NO_SECRET.match(lower) is None


class Credentials:
    """The credentials that one request showed, and texts without them.

    What goes by a telling name is never kept. This is for the case that the same text stands in another place too, as where
    a client puts its API key into ``user``. Credentials of fewer than six characters are no match: they would be everywhere.
    """

    __slots__ = ("_found",)

    def __init__(self, headers: Lines, query: bytes = b"", body: Mapping[str, Any] | None = None) -> None:
        found = set(_of_headers(headers))
        found.update(value for name, value in parse_qsl(query.decode("latin-1")) if is_secret(name))
        found.update(value for name in _IN_BODIES if isinstance(value := (body or {}).get(name), str))
        # The longest first, for one may be a part of another.
        self._found = sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)[:_MOST]

    def out_of(self, value: Any) -> Any:
        """A JSON value, or a text, with `STANDS_FOR` wherever a credential stood."""
        if not self._found:
            return value
        if isinstance(value, str):
            for credential in self._found:
                value = value.replace(credential, STANDS_FOR)
            return value
        if isinstance(value, Mapping):
            return {self.out_of(key): self.out_of(item) for key, item in cast("Mapping[str, object]", value).items()}
        if isinstance(value, list | tuple):
            parts = [self.out_of(item) for item in cast("Iterable[object]", value)]
            return tuple(parts) if isinstance(value, tuple) else parts
        return value


def _of_headers(headers: Lines) -> Iterator[str]:
    for name, value in headers:
        if not is_secret(text(name)):
            continue
        pieces: list[str] = _PIECE.findall(text(value))
        for position, piece in enumerate(pieces):
            if position == 0 and piece.lower() in _SCHEMES:
                continue
            yield piece
            yield piece.partition("=")[2].strip('"')
            if pieces[0].lower() == "basic":
                yield from _of_basic(piece)


def _of_basic(piece: str) -> Iterator[str]:
    """The password, and it with its user, of HTTP's basic authentication (RFC 7617)."""
    try:
        both = b64decode(piece, validate=True).decode("utf-8", "replace")
    except (NotBase64, ValueError):
        return
    yield both
    yield both.partition(":")[2]
