"""The command ``new``."""

from __future__ import annotations

import argparse
import shlex

from .writing import write_plugin

__all__ = ["run"]


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
