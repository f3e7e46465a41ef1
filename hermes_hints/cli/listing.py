"""``list``: the hint plugins."""

from __future__ import annotations

import argparse

from ..plugins import registry
from .output import say, say_json, table
from .status import OK, PROBLEMS
from .surroundings import Surroundings

__all__ = ["run"]


def run(args: argparse.Namespace, surroundings: Surroundings, _heard: list[str]) -> int:
    """Print every hint plugin, the weakest first: 1 where one failed.

    Raises:
        ConfigError: the settings do not load.
    """
    surroundings.load_plugins(surroundings.settings())
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
    return PROBLEMS if any(plugin.state in ("failed", "set aside") for plugin in plugins) else OK
