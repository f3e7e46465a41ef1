"""Say with every call which cost centre pays for it: by person, else by room, else the operator's default."""

from __future__ import annotations

import csv
import logging
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

import hermes_hints
from hermes_hints import Call, ConfigError, Identity, hookimpl

_NAME = "cost-center"
_SETTINGS = ("users", "chats", "default", "file", "reload_seconds")
_COLUMNS = ("user_id", "chat_id", "cost_center")
_DELIMITERS = ",;\t"
_LONGEST = 512
_RELOAD_SECONDS = 30

_logger = logging.getLogger(f"hermes_hints.{_NAME}")


class _Table(NamedTuple):
    users: dict[str, str]
    chats: dict[str, str]


class _Books:
    """Who pays: what the settings say, over what the file says, which is looked at again while calls go on."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        for key in settings:
            if key not in _SETTINGS:
                _refuse(f"there is no setting {key!r}; use {', '.join(_SETTINGS)}")
        self._own = _Table(_centers(settings, "users"), _centers(settings, "chats"))
        self._default = None if settings.get("default") is None else _center(settings["default"], "default")
        self._every = settings.get("reload_seconds", _RELOAD_SECONDS)
        if isinstance(self._every, bool) or not isinstance(self._every, int | float) or not self._every >= 1:
            _refuse(f"reload_seconds is {self._every!r}; give a number of seconds, 1 or more")
        self._file = _path(settings["file"]) if "file" in settings else None
        self._stamp = self._table = None
        if self._file is not None:
            self._stamp, self._table = _stamp(self._file), _read(self._file)
        self._next_look = time.monotonic() + self._every

    def center(self, identity: Identity) -> str | None:
        self._look_again()
        tables = (self._own, self._table) if self._table is not None else (self._own,)
        for kind, known_as in ((0, identity.user_id), (1, identity.chat_id)):
            for table in tables:
                if known_as in table[kind]:
                    return table[kind][known_as]
        return self._default

    def _look_again(self) -> None:
        if self._file is None or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + self._every
        # A file system that hangs must not hold up the call.
        threading.Thread(target=self._reload, args=(self._file,), name=_NAME, daemon=True).start()

    def _reload(self, file: Path) -> None:
        stamp = None
        try:
            stamp = _stamp(file)
            if stamp != self._stamp:
                self._table = _read(file)
                _logger.info("%s: read %s again", _NAME, file)
        except ConfigError as error:
            if stamp != self._stamp:
                _logger.warning("%s; what it said before still counts", error)
        self._stamp = stamp


def _refuse(what: str) -> NoReturn:
    message = f"{_NAME}: {what}"
    raise ConfigError(message)


def _centers(settings: Mapping[str, Any], key: str) -> dict[str, str]:
    given = settings.get(key, {})
    if not isinstance(given, Mapping):
        _refuse(f'{key} is {given!r}; give each id its cost centre, such as {{"@alice:example.org": "4711"}}')
    centers = cast("Mapping[object, object]", given)
    return {str(one): _center(center, f"the cost centre of {one!r} in {key}") for one, center in centers.items()}


def _center(given: object, what: str) -> str:
    text = "" if isinstance(given, bool) or not isinstance(given, str | int) else str(given).strip()
    if not 0 < len(text) <= _LONGEST:
        _refuse(f"{what} is {given!r:.80}; give a name or number of 1 to {_LONGEST} characters")
    return text


def _path(given: object) -> Path:
    if not isinstance(given, str):
        _refuse(f"file is {given!r}; give the path of a CSV file with the columns {', '.join(_COLUMNS)}")
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        _refuse(f"file is {given!r}, whose home directory cannot be found ({error}); write the whole path")


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except (OSError, ValueError) as error:
        _unreadable(file, error)
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(file: Path) -> _Table:
    """The rows of a CSV file: one of ``user_id`` and ``chat_id``, and the ``cost_center``."""
    table = _Table({}, {})
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            rows = csv.DictReader(stream, delimiter=max(_DELIMITERS, key=head.count))
            if not set(_COLUMNS) <= set(rows.fieldnames or ()):
                _refuse(f"file '{file}' has the columns {rows.fieldnames}; it needs {', '.join(_COLUMNS)}")
            for row in rows:
                user, chat, center = ((row[column] or "").strip() for column in _COLUMNS)
                if not 0 < len(center) <= _LONGEST or bool(user) == bool(chat):
                    _refuse(
                        f"file '{file}', line {rows.line_num}: give a cost_center of 1 to {_LONGEST} characters, and "
                        "either a user_id or a chat_id"
                    )
                known = table.users if user else table.chats
                if known.setdefault(user or chat, center) != center:
                    _refuse(
                        f"file '{file}', line {rows.line_num}: this id has another cost_center above; leave one out"
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        _unreadable(file, error)
    return table


def _unreadable(file: Path, error: Exception) -> NoReturn:
    _refuse(f"file is '{file}', which cannot be read ({error}); give the path of a CSV file in UTF-8")


_known = _Books({})


@hookimpl
def configure(settings: Mapping[str, Any]) -> None:
    """Take ``users``, ``chats``, ``default``, ``file`` and ``reload_seconds``; the file is read before this returns."""
    global _known  # noqa: PLW0603 - a module is this plugin's only object
    _known = _Books(settings)


@hookimpl
def contribute_hints(call: Call, identity: Identity) -> dict[str, str] | None:  # noqa: ARG001 - the hook's arguments
    """The cost centre of the person, else of the room, else the default."""
    center = _known.center(identity)
    return None if center is None else {"cost_center": center}


def register(ctx: object) -> None:  # noqa: ARG001 - the host hands over its context
    """Register as a Hermes user plugin."""
    hermes_hints.register(sys.modules[__name__], _NAME)
