"""The command ``new``, for the command line to take in."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from .writing import write_plugin

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``new`` takes to its parser."""
    # The names start with hints_, because Hermes keeps its own in the same namespace.
    parser.add_argument("hints_name", metavar="NAME", help="lower-case words joined by dashes, such as ops-first")
    package = "write a package for pip; default: a folder to be put into $HERMES_HOME/hints"
    parser.add_argument("--package", action="store_true", dest="hints_package", help=package)
    where = "in which the plugin gets a folder of its own; default: where you are"
    parser.add_argument("--directory", metavar="DIR", type=Path, default=Path(), dest="hints_directory", help=where)


def run(args: argparse.Namespace) -> int:
    """Write the plugin and say what is next: 0.

    Raises:
        ConfigError: as `write_plugin`.
    """
    folder, *files = write_plugin(args.hints_name, args.hints_directory, "package" if args.hints_package else "folder")
    plugin = next(file for file in files if file.name == "__init__.py")
    lines = [
        *(str(file) for file in files),
        "",
        f"its hook is in {plugin}; try it:",
        f"  cd {shlex.quote(str(folder))} && python -m pytest",
    ]
    print("\n".join(lines))  # noqa: T201 - a command line prints
    return 0
