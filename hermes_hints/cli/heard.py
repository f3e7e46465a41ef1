"""What hermes-hints says in the log while a command runs, kept for its output instead."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from ..notices import logger

__all__ = ["heard"]


class _Listener(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage().removeprefix("hermes-hints: "))


@contextmanager
def heard() -> Generator[list[str]]:
    """The warnings and errors of hermes-hints, collected as they come; they go to no log."""
    lines: list[str] = []
    listener = _Listener(lines)
    before = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.propagate = before
        logger.removeHandler(listener)
