"""What the commands have in common: plain text for people, JSON for programs, exit statuses, and what the log says meanwhile."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import logging
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from ..notices import logger
from .remedies import Problem

__all__ = [
    "OK",
    "PROBLEMS",
    "PROFILE_FLAGS",
    "WRONG",
    "heard",
    "own_version",
    "problem_lines",
    "say",
    "say_json",
    "table",
]

OK, PROBLEMS, WRONG = 0, 1, 2

PROFILE_FLAGS: Mapping[str, str] = {"profile": "--hermes-profile"}
"""Identity fields whose flag is not their own name: hermes itself takes ``--profile`` out of any command line."""


def own_version() -> str:
    """The version of hermes-hints; ``(not installed)`` where it runs from a folder."""
    try:
        return importlib.metadata.version("hermes-hints")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def say(lines: Iterable[str]) -> None:
    """Print lines; what the terminal's encoding lacks is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        print(line.rstrip().encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201 - a command line prints


def say_json(value: object) -> None:
    """Print a report, or what JSON takes, in ASCII."""
    print(json.dumps(_plain(value), indent=2))  # noqa: T201 - likewise


def _plain(value: Any) -> Any:
    """A report as JSON takes it: named fields become keys."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    named = getattr(cast("Any", value), "_asdict", None)
    if named is not None:
        return _plain(named())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    return [_plain(item) for item in cast("list[object]", value)] if isinstance(value, list | tuple) else value


def table(rows: Sequence[Sequence[str]], *, indent: int = 2) -> list[str]:
    """Rows as aligned columns, two blanks apart."""
    widths = [
        max((len(row[column]) for row in rows if column < len(row)), default=0) for column in range(_longest(rows))
    ]
    return [
        (" " * indent + "  ".join(cell.ljust(widths[column]) for column, cell in enumerate(row))).rstrip()
        for row in rows
    ]


def _longest(rows: Sequence[Sequence[str]]) -> int:
    return max(map(len, rows), default=0)


def problem_lines(heading: str, problems: Sequence[Problem]) -> list[str]:
    """Each problem with what mends it."""
    lines = ["", heading] if problems else []
    for problem in problems:
        lines.append(f"  - {problem.what}")
        if problem.remedy is not None:
            shell = problem.remedy.place == "shell"
            lines.append(f"      run: {problem.remedy.line}" if shell else f"      {problem.remedy.place}:")
            if not shell:
                lines.append(f"        {problem.remedy.line}")
    return lines


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
