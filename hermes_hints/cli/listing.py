"""``list``: the hint plugins."""

from __future__ import annotations

import argparse
import sys

from ..plugins import registry
from ..profiles import BUILTIN
from .directory_report import report_directory
from .output import say, say_json, table
from .status import OK, PROBLEMS
from .surroundings import Surroundings

__all__ = ["run"]


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
