"""What the dispatcher saw and why it chose: a list in memory and, if wanted, a file."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..errors import ConfigError
from ..receive import Verdict
from .sse import encode

__all__ = ["CallLog", "LoggedCall"]

_log = logging.getLogger(__name__)

_MOST_CALLS = 1000


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One request and its answer.

    ``record`` holds the fields that arrived, as plain JSON values; ``asked_model`` is cut at 512 characters, so that
    every call stays small. ``rule`` and ``reason`` say what chose ``chosen_model``; all three are ``None`` where the
    request was refused before a model was chosen. ``time`` is UTC, RFC 3339. No header but the ``X-Hermes-*`` ones is
    looked at, so an API key is never here, nor are messages.
    """

    api: str
    asked_model: str | None
    chosen_model: str | None
    rule: str | None
    reason: str | None
    record: Mapping[str, Any]
    streamed: bool
    status: int
    signature: Verdict | None = None
    """Whether the record is signed, where a key is known (`hermes_hints.receive.verify`); if not, it is empty."""
    time: str = field(default_factory=_now)

    def json(self) -> dict[str, Any]:
        """The call as JSON holds it."""
        return {
            "time": self.time,
            "api": self.api,
            "asked_model": self.asked_model,
            "chosen_model": self.chosen_model,
            "rule": self.rule,
            "reason": self.reason,
            "record": self.record,
            "streamed": self.streamed,
            "status": self.status,
            "signature": self.signature,
        }


class CallLog:
    """The newest ``limit`` calls, in memory; every call is also appended to the file ``path``, one JSON object a line.

    The file is made readable by its owner alone: it holds names and ids of people. Safe to read from any thread.

    Raises:
        ConfigError: ``path`` cannot be written, or ``limit`` is below 1.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, limit: int = _MOST_CALLS) -> None:
        if limit < 1:
            msg = f"limit is {limit}; the log keeps at least 1 call"
            raise ConfigError(msg)
        self._calls: deque[LoggedCall] = deque(maxlen=limit)
        self._seen = 0
        self._lock = threading.Lock()
        self._path = None if path is None else os.fspath(path)
        try:
            self._append(b"")
        except OSError as error:
            msg = f"log is {self._path!r}, which cannot be written ({error.strerror}); name a file that can"
            raise ConfigError(msg) from None

    @property
    def seen(self) -> int:
        """How many calls there were, those included that the list no longer holds."""
        return self._seen

    def calls(self) -> tuple[LoggedCall, ...]:
        """The calls that are kept, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def add(self, call: LoggedCall) -> None:
        """Keep a call. A file that can no longer be written is given up, with one line in the log."""
        with self._lock:
            self._calls.append(call)
            self._seen += 1
            try:
                self._append(encode(call.json()) + b"\n")
            except OSError as error:
                _log.warning("%s can no longer be written (%s); calls are kept in memory only", self._path, error)
                self._path = None

    def _append(self, line: bytes) -> None:
        if self._path is None:
            return
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)
