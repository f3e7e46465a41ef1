"""What the terminal shows: a table that fills as calls pass, or lines where the output is no terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .calls import Calls, PassedCall
from .cells import COLUMNS, cells

__all__ = ["as_json", "as_lines", "as_table"]

_AROUND = 6
"""Lines of a terminal that the table's frame and the lines above it take."""
_STYLES = {"full": "green", "headers": "yellow", "bare": "red"}
_RIGHT = frozenset({"seconds", "tokens"})


def as_json(call: PassedCall) -> None:
    """Print a call that has ended as one line of JSON."""
    if call.answered.ended:
        print(json.dumps(call.json(), separators=(",", ":")), flush=True)  # noqa: T201 - a command line prints


def as_lines(call: PassedCall) -> None:
    """Print a call that has ended as one line of text, its parts two blanks apart."""
    if call.answered.ended:
        encoding = sys.stdout.encoding or "utf-8"
        line = "  ".join(cells(call)).encode(encoding, "backslashreplace").decode(encoding)
        print(line, flush=True)  # noqa: T201 - likewise


@contextmanager
def as_table(calls: Calls, heading: str, console: Console | None = None) -> Generator[None]:
    """A table of the newest calls, as many as the terminal has lines for, as long as the ``with`` block lasts."""
    shown = Console() if console is None else console

    def table() -> Table:
        return _table(heading, calls.kept()[-max(1, shown.height - _AROUND) :])

    with Live(get_renderable=table, console=shown, refresh_per_second=4):
        yield


def _table(heading: str, calls: Sequence[PassedCall]) -> Table:
    table = Table(title=Text(heading), title_justify="left", expand=True)
    for column in COLUMNS:
        table.add_column(column, overflow="ellipsis", no_wrap=True, justify="right" if column in _RIGHT else "left")
    for call in calls:
        row = [Text(text) for text in cells(call)]
        row[COLUMNS.index("rung")].stylize(_STYLES[call.arrived.rung])
        row[COLUMNS.index("remarks")].stylize("yellow")
        status = call.answered.status
        bad = call.answered.ended and (call.answered.state != "done" or (status or 0) >= 400)  # noqa: PLR2004 - HTTP's errors
        row[COLUMNS.index("status")].stylize("red" if bad else "default")
        table.add_row(*row)
    return table
