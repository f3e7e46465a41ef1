"""Small files that several processes keep together."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

__all__ = ["replace_json"]


def replace_json(file: Path, content: object) -> None:
    """Put ``content`` into ``file`` as JSON, in one step; mode 0600, in a directory that is made where it is missing.

    Raises:
        OSError: it cannot be written.
        ValueError: ``content`` is not to be written as JSON.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
