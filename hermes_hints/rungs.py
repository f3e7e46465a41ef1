"""The file in which rungs outlive a process. It holds origins, models and times, never an identity."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from .notices import once
from .state_file import replace_json

__all__ = ["LONGEST_SECONDS", "HeldRung", "read_rungs", "write_rungs"]

LONGEST_SECONDS = 3600.0
"""No rung is held longer than this, whatever a file or the clock says."""

_VERSION = 1
_MOST_BYTES = 1 << 20
_MOST_CHARS = 512
_MOST = 1024
_LOWER = frozenset({0, 1, 3})
"""The numbers of the rungs below the full one."""


class HeldRung(NamedTuple):
    """One endpoint and model that get less."""

    origin: str
    model: str | None
    rung: int
    until: float
    """In seconds since 1970."""
    rules: str
    """Which settings it was found out under; under others it does not count."""


def read_rungs(file: Path) -> tuple[HeldRung, ...]:
    """What the file says and is not over yet; nothing where there is no file, or none that can be read.

    Never raises: a file that is broken or cannot be read is told once in the log.
    """
    try:
        with file.open("rb") as stream:
            found: object = json.loads(stream.read(_MOST_BYTES))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecursionError) as error:
        message = "hermes-hints: what endpoints refused before is not known: %s cannot be read"
        once(logging.WARNING, ("rungs", "read"), message, file, cause=error)
        return ()
    return tuple(_entries(found, time.time()))


def _entries(found: object, now: float) -> Iterator[HeldRung]:
    content = _mapping(found)
    listed = content.get("rungs")
    if content.get("v") != _VERSION or not isinstance(listed, list):
        return
    for entry in cast("list[object]", listed):
        told = _mapping(entry)
        origin, model, rung, until, rules = (told.get(key) for key in ("origin", "model", "rung", "until", "rules"))
        if (
            isinstance(origin, str)
            and (model is None or isinstance(model, str))
            and type(rung) is int
            and rung in _LOWER
            and isinstance(until, int | float)
            and isinstance(rules, str)
            and now < until
        ):
            yield HeldRung(origin, model, rung, min(until, now + LONGEST_SECONDS), rules)


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def write_rungs(file: Path, rungs: Iterable[HeldRung]) -> None:
    """Put ``rungs`` into the file, beside what other processes have put there; mode 0600, in one step.

    Those whose model is longer than 512 characters are left out, and so is what is over the 1,024 that hold longest.
    Never raises: a failure is told once in the log.
    """
    everyones = {(held.origin, held.model, held.rules): held for held in (*read_rungs(file), *rungs)}
    kept = sorted(
        (held for held in everyones.values() if held.model is None or len(held.model) <= _MOST_CHARS),
        key=lambda held: held.until,
    )[-_MOST:]
    try:
        replace_json(file, {"v": _VERSION, "rungs": [held._asdict() for held in kept]})
    except (OSError, ValueError) as error:
        message = "hermes-hints: what endpoints refuse is forgotten when this process ends: %s cannot be written"
        once(logging.WARNING, ("rungs", "write"), message, file, cause=error)
