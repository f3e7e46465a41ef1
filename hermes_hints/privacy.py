"""Pseudonyms: who and where, without saying so."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from .errors import ConfigError
from .wire import IDS, NAMES, WHO_AND_WHERE

__all__ = ["Keyring", "Privacy", "guarded", "pseudonym", "strictest"]

Privacy = Literal["raw", "pseudonymous", "none"]
_STRICTNESS: Mapping[Privacy, int] = {"raw": 0, "pseudonymous": 1, "none": 2}

_SHORTEST_KEY = 16


@lru_cache(maxsize=8192)
def pseudonym(key: bytes, value: str) -> str:
    """HMAC-SHA256 of ``value`` under ``key``: 64 hexadecimal characters, the same for the same key for ever."""
    return hmac.new(key, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def strictest(*levels: Privacy) -> Privacy:
    """The one that reveals least."""
    return max(levels, key=_STRICTNESS.__getitem__)


def guarded(record: Mapping[str, Any], privacy: Privacy, keyring: Keyring) -> Mapping[str, Any]:
    """The record as an endpoint of this privacy may see it.

    ``raw``: as it is. ``pseudonymous``: every id is a pseudonym, names are dropped. ``none``: who and where are dropped,
    hints and the ids that only correlate (conversation, session, turn, request) stay.
    """
    if privacy == "raw":
        return record
    if privacy == "none":
        return {field: value for field, value in record.items() if field not in WHO_AND_WHERE}
    key = keyring.key()
    return {
        field: pseudonym(key, value) if field in IDS else value for field, value in record.items() if field not in NAMES
    }


class Keyring:
    """The operator's key for pseudonyms: given, or from a file that is made on first use."""

    __slots__ = ("_file", "_key")

    def __init__(self, key: str | None, file: Path) -> None:
        if key is not None and len(key) < _SHORTEST_KEY:
            msg = (
                f"pseudonym_key: is {len(key)} characters long; give at least {_SHORTEST_KEY} random ones, "
                "or leave it out and one is made and kept"
            )
            raise ConfigError(msg)
        self._key = None if key is None else key.encode()
        self._file = file

    def key(self) -> bytes:
        """The key; read, or made with mode 0600, on first use.

        Raises:
            ConfigError: the file cannot be read or made, is empty, or may be read by others.
        """
        if self._key is None:
            self._key = _from_file(self._file)
        return self._key


def _from_file(file: Path) -> bytes:
    try:
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Written whole under another name and then linked, so that of two processes both see one finished key.
            fresh = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
            if not file.exists():
                descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                try:
                    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                        stream.write(secrets.token_hex(32) + "\n")
                    os.link(fresh, file)
                finally:
                    fresh.unlink()
        except FileExistsError:
            pass  # another process was quicker: its key is read below
        mode = file.stat().st_mode
        key = file.read_bytes().strip()
    except OSError as error:
        msg = f"pseudonym_key: the key file {file} cannot be used ({error}); make it readable, or set pseudonym_key"
        raise ConfigError(msg) from error
    if os.name == "posix" and mode & 0o077:
        msg = (
            f"pseudonym_key: the key file {file} may be read by others (mode {mode & 0o777:04o}); run: chmod 600 {file}"
        )
        raise ConfigError(msg)
    if len(key) < _SHORTEST_KEY:
        msg = f"pseudonym_key: the key file {file} holds {len(key)} characters; delete it and a new key is made"
        raise ConfigError(msg)
    return key
