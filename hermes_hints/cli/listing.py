"""``list``: the hint plugins, and the directory that they lie in."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from ..plugins import registry
from ..profiles import BUILTIN
from ..settings import Settings
from .output import OK, PROBLEMS, say, say_json, table
from .remedies import Problem, Remedy
from .surroundings import Surroundings

__all__ = ["report_directory", "run"]


def run(args: argparse.Namespace, surroundings: Surroundings, _heard: list[str]) -> int:
    """Print every hint plugin, the weakest first: 1 where one failed, or where the operator's directory is not there.

    Raises:
        ConfigError: the settings do not load.
    """
    settings = surroundings.settings()
    surroundings.load_plugins(settings)
    plugins = registry.listed()
    if args.hints_json:
        say_json(plugins)
    elif plugins:
        head = ("plugin", "source", "state", "hooks", "failures", "location")
        rows = [
            (plugin.name, plugin.source, plugin.state, ", ".join(plugin.hooks), str(plugin.failures), plugin.location)
            for plugin in plugins
        ]
        say(table([head, *rows], indent=0))
        say(f"{plugin.name}: {plugin.error}" for plugin in plugins if plugin.error is not None)
    else:
        say(["no hint plugins"])
    declared = sorted({*settings.known_profiles(), *registry.profiles} - BUILTIN.keys())
    if declared and not args.hints_json:
        say([f"profiles beside the built-in ones: {', '.join(declared)}"])
    missing = [problem.what for problem in report_directory(surroundings, settings)]
    for what in missing:
        print(f"hermes-hints: {what}", file=sys.stderr)  # noqa: T201 - apart from the list, which programs read
    return PROBLEMS if missing or any(plugin.state in ("failed", "set aside") for plugin in plugins) else OK


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
