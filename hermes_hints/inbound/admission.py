"""Who may say who is calling, and what of it is taken: the rules, apart from any server."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

from ..carriers import encode
from ..errors import ConfigError
from ..identity import Identity
from ..receive import Headers, read, verify
from ..signature import Keys
from ..values import nearest
from ..wire import HEADERS, NAMES, SIGNATURE

__all__ = [
    "FIELDS",
    "IDENTITY",
    "MAX_CHARS",
    "Admission",
    "Admitted",
    "Refused",
    "check_mapped",
    "checked",
    "lines_of",
    "plain",
]

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


_CONVERSATION = "conversation_id"
_SIGNED = {field: header for field, header in HEADERS if field in FIELDS and field != _CONVERSATION}

IDENTITY: Mapping[str, str] = {**_SIGNED, _CONVERSATION: "X-Hermes-Conversation-Id"}
"""The headers that name somebody, by field: ``X-Hermes-User-Id, -User-Name, -Chat-Id, -Chat-Name, -Chat-Type, -Thread-Id``,
as they are proposed for the Hermes API server, and ``X-Hermes-Conversation-Id``, because ``X-Hermes-Session-Id`` and ``-Key``
mean something else there."""

Authenticate = Callable[[Mapping[str, str]], bool]
"""Given a request's headers, names in lower case; whether it may name somebody."""


class Refused(Exception):  # noqa: N818 - what happened to the request, not to this program
    """A request that may not name whom it names, or names them wrongly. Nothing of the value is in the message."""

    def __init__(self, status: int, message: str, *, code: str, param: str) -> None:
        """``param`` is the header that is wrong, ``code`` a word for programs."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param

    def body(self) -> bytes:
        """The answer's JSON, in OpenAI's form of an error."""
        error = {"message": str(self), "type": "invalid_request_error", "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode()


class Admitted(NamedTuple):
    """Whom a request names, and the headers that say so in its answer."""

    identity: Identity
    echo: tuple[tuple[str, str], ...]


class Admission:
    """What a request must show before it may name somebody, and how they are named.

    Read are `IDENTITY`'s headers, and for the user's id, where no header has it, the body's ``user`` (OpenAI's field).
    Values are at most 256 characters without control characters; in these headers they are percent-encoded UTF-8.

    Args:
        key: the API key, as in ``Authorization: Bearer …``; several while one replaces another.
        authenticate: decides instead of a key, or, with a key, as well; called with the headers, names in lower case,
            once or twice for a request.
        signing_key: the senders' ``signing_key``: ``X-Hermes-*`` headers must be signed with it (see `receive.verify`).
        headers: further headers by the field that they fill, such as ``{"X-OpenWebUI-User-Id": "user_id"}``. An
            ``X-Hermes-*`` header wins over them, and of several for one field the first in this mapping.
        user_field: whether the body's ``user`` counts. It is not signed, so a ``signing_key`` alone does not cover it.

    Raises:
        ConfigError: nothing says who may name somebody, a key is empty or too short, or a header or field cannot be used.
    """

    __slots__ = ("_authenticate", "_headers", "_keys", "_mapped", "_signing_key", "_user_field")

    def __init__(
        self,
        *,
        key: str | Iterable[str] | None = None,
        authenticate: Authenticate | None = None,
        signing_key: Keys | None = None,
        headers: Mapping[str, str] | None = None,
        user_field: bool = True,
    ) -> None:
        self._keys = _key_bytes(key)
        self._authenticate = authenticate
        self._signing_key = _reusable(signing_key)
        try:
            self._mapped = check_mapped(headers or {})
        except ValueError as error:
            msg = f"headers: {error}"
            raise ConfigError(msg) from None
        proven = bool(self._keys) or authenticate is not None
        self._user_field = user_field and proven
        # A signature covers what `receive.read` reads; of the rest, whoever shows no key could write anything.
        read_here = {**IDENTITY} if proven else _SIGNED
        self._headers = {header.lower(): (field, header) for field, header in read_here.items()} | self._mapped
        if not proven and self._signing_key is None:
            msg = "inbound: give key, authenticate or signing_key; without one, anybody could name anybody"
            raise ConfigError(msg)
        if self._mapped and not proven:
            msg = f"headers: {next(iter(self._mapped))} is not signed; give key or authenticate with it"
            raise ConfigError(msg)
        if self._signing_key is not None:
            verify({}, key=self._signing_key)  # says at the start that a key is too short

    def wants_body(self, headers: Headers) -> bool:
        """Whether `admit` needs the JSON body to decide; false for a request that is refused without."""
        lines = lines_of(headers)
        if "json" not in lines.get("content-type", [""])[0].lower() or not self._proven(lines):
            return False
        claims = self._claims(lines)
        unnamed = self._user_field and "user_id" not in claims
        return unnamed or (self._signing_key is not None and bool(claims))

    def admit(self, headers: Headers, body: object = None) -> Admitted | None:
        """Whom a request names; ``None`` for nobody.

        Args:
            headers: a mapping or (name, value) pairs, text or bytes; names in any case.
            body: the parsed JSON body, or its bytes or text, or ``None``.

        Raises:
            Refused: it names somebody without the right to (401), or in a form that is not taken (400).
        """
        lines = lines_of(headers)
        claims = self._claims(lines)
        if not self._proven(lines):
            if claims:
                header = next(iter(claims.values()))
                msg = f"{header} is only taken with the API key: send Authorization: Bearer and the key."
                raise Refused(401, msg, code="identity_not_authenticated", param=header)
            return None
        fields = {field: self._value(field, header, lines[header.lower()]) for field, header in claims.items()}
        if claims and self._signing_key is not None:
            self._check_signature(fields, claims, headers, body)
        if self._user_field and "user_id" not in fields and (user := _user(body)) is not None:
            fields["user_id"] = user
        if not fields:
            return None
        echo = tuple((IDENTITY[field], encode(value)) for field, value in fields.items() if field in IDENTITY)
        return Admitted(Identity(**fields), echo)

    def _claims(self, lines: Mapping[str, list[str]]) -> dict[str, str]:
        """The header that is to be read for each field; blank ones name nobody."""
        claims: dict[str, str] = {}
        for lower, (field, header) in self._headers.items():
            if any(lines.get(lower, ())):
                claims.setdefault(field, header)
        return claims

    def _value(self, field: str, header: str, values: list[str]) -> str:
        try:
            return checked(values, field, mapped=header.lower() in self._mapped)
        except ValueError as error:
            raise Refused(400, f"{header} {error}.", code="invalid_identity", param=header) from None

    def _proven(self, lines: Mapping[str, list[str]]) -> bool:
        if self._authenticate is not None and not self._authenticate(
            {name: values[0] for name, values in lines.items()}
        ):
            return False
        if not self._keys:
            return True
        given = lines.get("authorization", [])
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        shown = token.strip().encode("utf-8", "replace")
        return scheme.lower() == "bearer" and True in [hmac.compare_digest(shown, key) for key in self._keys]

    def _check_signature(
        self, fields: Mapping[str, str], claims: Mapping[str, str], headers: Headers, body: object
    ) -> None:
        key = cast("Keys", self._signing_key)
        verdict = verify(headers, body, key=key)
        signed = read(headers, body).fields()
        named = Identity(**fields).fields()
        # The signature covers what a receiver reads, and that prefers the body's word to a header's.
        if verdict == "valid" and all(
            signed.get(field) == named.get(field) for field, header in claims.items() if header == _SIGNED.get(field)
        ):
            return
        said = "forged" if verdict == "valid" else verdict
        msg = f"{SIGNATURE} is {said}; identity headers are only taken with a valid one."
        raise Refused(401, msg, code="identity_not_signed", param=SIGNATURE)


def _key_bytes(key: str | Iterable[str] | None) -> tuple[bytes, ...]:
    keys = () if key is None else (key,) if isinstance(key, str) else tuple(key)
    if not all(keys) or (key is not None and not keys):
        msg = "key: is empty; give the API key that callers send, or none at all"
        raise ConfigError(msg)
    return tuple(given.encode() for given in keys)


def _reusable(keys: Keys | None) -> Keys | None:
    return keys if keys is None or isinstance(keys, str | bytes) else tuple(keys)


def _user(body: object) -> str | None:
    """The body's ``user`` where it can be one; OpenAI's clients put other things there too, which are let be."""
    if isinstance(body, bytes | bytearray | str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return None
    user: Any = cast("Mapping[str, object]", body).get("user") if isinstance(body, Mapping) else None
    try:
        return plain(user.strip()) or None if isinstance(user, str) else None
    except ValueError:
        return None
