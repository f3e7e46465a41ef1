"""A file of the calls that have passed, where the operator wants one."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigError
from .calls import PassedCall

__all__ = ["Recording"]


class Recording:
    """Appends every call that has ended to ``path``, one JSON object a line, as the web page shows it.

    The file is made with mode 0600. When it can no longer be written, ``failed`` is told why, once, and it is given up.

    Raises:
        ConfigError: it cannot be written, or others may read it.
    """

    def __init__(self, path: str, failed: Callable[[str], None]) -> None:
        self._path = path
        self._given_up = False
        self._failed = failed
        try:
            self._append(b"")
            mode = Path(path).stat().st_mode
        except OSError as error:
            msg = f"--record: {path} cannot be written ({error.strerror}); name a file that can"
            raise ConfigError(msg) from None
        if stat.S_ISREG(mode) and mode & 0o077:
            msg = f"--record: {path} may be read by others, and will hold names; chmod 600 {path}"
            raise ConfigError(msg)

    def __call__(self, call: PassedCall) -> None:
        """Keep a call, if it has ended."""
        if self._given_up or not call.answered.ended:
            return
        try:
            self._append(json.dumps(call.json(), separators=(",", ":")).encode("ascii") + b"\n")
        except OSError as error:
            self._failed(f"{self._path} can no longer be written ({error.strerror}); calls are no longer recorded")
            self._given_up = True

    def _append(self, line: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)
