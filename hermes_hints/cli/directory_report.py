"""What is said of the directory that hint plugins lie in."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..settings import Settings
from .remedies import Problem, Remedy
from .surroundings import Surroundings

__all__ = ["report_directory"]


def report_directory(surroundings: Surroundings, settings: Settings) -> Iterator[Problem]:
    """Why no hint plugins come from the directory; that the usual one is not there is all right."""
    directory = settings.hints_directory
    if directory is None:
        return
    named = surroundings.given.get("hints_directory") is not None
    try:
        with os.scandir(directory):
            return
    except FileNotFoundError:
        if not named:
            return
        why = "there is no such directory"
    except OSError as error:
        why = f"it cannot be read ({error.strerror})"
    what = f"no hint plugins come from {'hints_directory ' if named else ''}{directory}: {why}"
    yield Problem(what, Remedy(surroundings.place, "# leave out: hints_directory") if named else None)
