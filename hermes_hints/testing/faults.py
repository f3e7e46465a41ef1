"""What a hint plugin did wrong, with the exception that a log line has no place for."""

from __future__ import annotations

import logging
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from ..notices import logger

__all__ = ["Fault", "FaultLog", "own_traceback"]

_PACKAGE = Path(__file__).resolve().parents[1]
_SAID = "hermes-hints: plugin %s %s"
_CAUSE = "traceback of the above"


class Fault(NamedTuple):
    """One thing that a hint plugin did wrong and that a host would have logged."""

    what: str
    """As in the log: ``raised in contribute_hints``."""
    cause: BaseException | None = None

    def __str__(self) -> str:
        return self.what if self.cause is None else f"{self.what}: {type(self.cause).__name__}: {self.cause}"


_listening: list[int] = []
"""The level before, once for each that listens: the first one's is restored when the last one has gone."""
_lock = threading.Lock()


def _hear_everything(begin: bool) -> None:
    with _lock:
        if begin:
            _listening.append(logger.level)
            logger.setLevel(logging.DEBUG)
        elif len(_listening) > 1:
            _listening.pop()
        else:
            logger.setLevel(_listening.pop())


class FaultLog(logging.Handler):
    """Listens to what the package logs of one plugin.

    Every fault reaches the log, from whichever thread, and its exception comes in the same thread's next line.
    """

    def __init__(self, plugin: str) -> None:
        super().__init__(logging.DEBUG)
        self._plugin = plugin
        self._faults: list[Fault] = []
        self._awaiting: dict[int, int] = {}
        _hear_everything(True)
        logger.addHandler(self)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All so far, in their order."""
        return tuple(self._faults)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the log, if it is about a fault of this plugin."""
        here = threading.get_ident()
        said = [str(part) for part in record.args] if isinstance(record.args, tuple) else []
        if str(record.msg).startswith(_SAID) and said[0] == self._plugin:
            self._awaiting[here] = len(self._faults)
            self._faults.append(Fault(said[1]))
        elif record.msg == _CAUSE and record.exc_info is not None and here in self._awaiting:
            position = self._awaiting.pop(here)
            self._faults[position] = self._faults[position]._replace(cause=record.exc_info[1])

    def close(self) -> None:
        """Listen no more; may be called again, as `logging.shutdown` does."""
        if self in logger.handlers:
            logger.removeHandler(self)
            _hear_everything(False)
        super().close()


def own_traceback(cause: BaseException) -> str:
    """The traceback of a plugin's exception from where the plugin's own code begins."""
    place: TracebackType | None = cause.__traceback__
    while place is not None and _PACKAGE in Path(place.tb_frame.f_code.co_filename).parents:
        place = place.tb_next
    return "".join(traceback.format_exception(type(cause), cause, place)).rstrip()
