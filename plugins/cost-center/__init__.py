"""Say with every call which cost centre pays for it: by person, else by room, else the operator's default."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import hermes_hints
from hermes_hints import Call, ConfigError, Identity, hookimpl

_NAME = "cost-center"
_COLUMNS = ("user_id", "chat_id", "cost_center")


@dataclass(frozen=True, slots=True)
class _Table:
    users: Mapping[str, str]
    chats: Mapping[str, str]
    default: str | None

    def center(self, identity: Identity) -> str | None:
        found = None if identity.user_id is None else self.users.get(identity.user_id)
        if found is None and identity.chat_id is not None:
            found = self.chats.get(identity.chat_id)
        return self.default if found is None else found


def _refuse(what: str) -> NoReturn:
    message = f"{_NAME}: {what}"
    raise ConfigError(message)


def _table(settings: Mapping[str, Any]) -> _Table:
    for key in settings:
        if key not in ("users", "chats", "default", "file"):
            _refuse(f"there is no setting {key!r}; use users, chats, default and file")
    users, chats = _read(settings["file"]) if "file" in settings else ({}, {})
    users.update(_centers(settings, "users"))
    chats.update(_centers(settings, "chats"))
    default = settings.get("default")
    if default is not None and not _is_center(default):
        _refuse(f"default is {default!r}; give the name or number of a cost centre")
    return _Table(users, chats, None if default is None else str(default))


def _centers(settings: Mapping[str, Any], key: str) -> dict[str, str]:
    given = settings.get(key, {})
    if not isinstance(given, Mapping):
        _refuse(f'{key} is {given!r}; give each id its cost centre, such as {{"@alice:example.org": "4711"}}')
    centers: dict[str, str] = {}
    for one, center in cast("Mapping[object, object]", given).items():
        if not _is_center(center):
            _refuse(f"the cost centre of {one!r} in {key} is {center!r}; give a name or number")
        centers[str(one)] = str(center)
    return centers


def _is_center(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, str | int) and bool(str(value).strip())


def _read(given: object) -> tuple[dict[str, str], dict[str, str]]:
    """The rows of a CSV file: one of ``user_id`` and ``chat_id``, and the ``cost_center``."""
    if not isinstance(given, str):
        _refuse(f"file is {given!r}; give the path of a CSV file with the columns {', '.join(_COLUMNS)}")
    users: dict[str, str] = {}
    chats: dict[str, str] = {}
    try:
        with Path(given).expanduser().open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            if not set(_COLUMNS) <= set(rows.fieldnames or ()):
                _refuse(f"file {given!r} has the columns {rows.fieldnames}; it needs {', '.join(_COLUMNS)}")
            for row in rows:
                user, chat, center = ((row[column] or "").strip() for column in _COLUMNS)
                if not center or bool(user) == bool(chat):
                    _refuse(
                        f"file {given!r}, line {rows.line_num}: give a cost_center, and either a user_id or a chat_id"
                    )
                (users if user else chats)[user or chat] = center
    except (OSError, RuntimeError, UnicodeDecodeError, csv.Error) as error:
        _refuse(f"file is {given!r}, which cannot be read ({error}); give the path of a CSV file in UTF-8")
    return users, chats


_known = _table({})


@hookimpl
def configure(settings: Mapping[str, Any]) -> None:
    """Take ``users``, ``chats``, ``default`` and ``file``; the file is read now, and again when settings change."""
    global _known  # noqa: PLW0603 - a module is this plugin's only object
    _known = _table(settings)


@hookimpl
def contribute_hints(call: Call, identity: Identity) -> dict[str, str] | None:  # noqa: ARG001 - the hook's arguments
    """The cost centre of the person, else of the room, else the default."""
    center = _known.center(identity)
    return None if center is None else {"cost_center": center}


def register(ctx: object) -> None:  # noqa: ARG001 - the host hands over its context
    """Register as a Hermes user plugin."""
    hermes_hints.register(sys.modules[__name__], _NAME)
