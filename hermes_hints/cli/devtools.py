"""``inspect`` and ``new``: what they do is in hermes-hints-devtools."""

from __future__ import annotations

import argparse

from ..errors import ConfigError
from .surroundings import Surroundings

__all__ = ["inspect", "new"]


def inspect(args: argparse.Namespace, surroundings: Surroundings, _heard: list[str]) -> int:
    """Pass calls on and show them, until a signal ends it.

    Raises:
        ConfigError: the settings do not load, an argument has a value that cannot be, or what it needs is not installed.
    """
    try:
        from ..inspector.command import run  # noqa: PLC0415 - not part of the base install
    except ModuleNotFoundError as error:
        raise _missing(error, "inspect", "inspect") from error
    settings = surroundings.settings()
    surroundings.load_plugins(settings)
    return run(args, settings)


def new(args: argparse.Namespace) -> int:
    """Write a hint plugin.

    Raises:
        ConfigError: its name does not do, it cannot be written, or what it needs is not installed.
    """
    try:
        from ..scaffold import run  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        raise _missing(error, "new", "testing") from error
    return run(args)


def _missing(error: ModuleNotFoundError, command: str, extra: str) -> ConfigError:
    if (error.name or "").startswith(("hermes_hints.inspector", "hermes_hints.scaffold")):
        return ConfigError(f"{command} is not part of this installation: pip install 'hermes-hints[{extra}]'")
    return ConfigError(str(error))
