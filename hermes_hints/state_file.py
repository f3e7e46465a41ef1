"""Small files that several processes keep together."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from .notices import once

__all__ = ["read_state", "write_state"]

_VERSION = 1
_MOST_BYTES = 1 << 20


def read_state(file: Path, what: str) -> Mapping[str, object]:
    """What the file holds; nothing where there is no file, one of another version, or none that can be read.

    Never raises: one that cannot be read is told once in the log, which says ``what`` it holds.
    """
    try:
        with file.open("rb") as stream:
            found: object = json.loads(stream.read(_MOST_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        message = "hermes-hints: %s is not known from before: %s cannot be read"
        once(logging.WARNING, ("state", what, "read"), message, what, file, cause=error)
        return {}
    content: Mapping[str, object] = cast("Mapping[str, object]", found) if isinstance(found, dict) else {}
    return content if content.get("v") == _VERSION else {}


def write_state(file: Path, content: Mapping[str, object], what: str) -> None:
    """Put ``content`` into the file, in one step; mode 0600, in a directory that is made where it is missing.

    Never raises: a failure is told once in the log, which says ``what`` will be forgotten.
    """
    fresh = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump({"v": _VERSION, **content}, stream)
            fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        message = "hermes-hints: %s is forgotten when this process ends: %s cannot be written"
        once(logging.WARNING, ("state", what, "write"), message, what, file, cause=error)
