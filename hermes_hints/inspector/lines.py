"""Header lines: which belong to one connection alone, and which are passed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

__all__ = ["Lines", "find", "has_body", "passed_back", "passed_on", "text"]

Lines = Sequence[tuple[bytes, bytes]]
"""Names and values, in their order, as they were on the wire."""

_HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
"""They are about one connection (RFC 9110, 7.6.1): each side has its own."""
_ANSWERED_HERE = frozenset({b"host", b"expect"})
"""``Host`` names the inspector, and ``Expect: 100-continue`` has been answered by it."""
_LENGTH = b"content-length"


def text(part: bytes) -> str:
    """A name or a value as text."""
    return part.decode("latin-1")


def find(lines: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The value of the first header of that name (lower case)."""
    return next((value for given, value in lines if given.lower() == name), None)


def passed_on(lines: Lines, host: bytes) -> list[tuple[bytes, bytes]]:
    """The lines of a request as the endpoint at ``host`` gets them."""
    chunked = find(lines, b"transfer-encoding") is not None
    elsewhere = _HOP_BY_HOP | _ANSWERED_HERE
    kept = _kept(lines, elsewhere | {_LENGTH} if chunked else elsewhere)
    framed = not chunked and (find(lines, _LENGTH) is None or find(kept, _LENGTH) is not None)
    return [(b"Host", host), *kept, *([] if framed else [(b"Transfer-Encoding", b"chunked")])]


def has_body(lines: Lines) -> bool:
    """Whether a body follows a request with these lines (RFC 9112, 6.3)."""
    return find(lines, _LENGTH) is not None or find(lines, b"transfer-encoding") is not None


def passed_back(lines: Lines) -> list[tuple[bytes, bytes]]:
    """The lines of an answer as the client gets them."""
    return _kept(lines, _HOP_BY_HOP)


def _kept(lines: Lines, without: AbstractSet[bytes]) -> list[tuple[bytes, bytes]]:
    named = {
        part.strip().lower() for name, value in lines if name.lower() == b"connection" for part in value.split(b",")
    }
    return [(name, value) for name, value in lines if name.lower() not in without and name.lower() not in named]
