"""Finding the hint plugin that is to be tried, by whatever its author has of it."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError
from ..finding import in_directory, installed

__all__ = ["Source", "found"]


class Source(NamedTuple):
    """Where a plugin comes from."""

    name: str
    """Under which it has its settings, and stands in the log."""
    directory: Path | None = None
    """The hints directory in which it lies."""
    plugin: object = None
    """The plugin itself, where it is neither in a directory nor an entry point."""


def found(plugin: object) -> Source:
    """Where ``plugin`` is: an object, class or module; a file or folder; the name of an entry point, or ``module:attribute``.

    Raises:
        ConfigError: there is nothing of that name.
        BaseException: whatever importing a module raises.
    """
    if not isinstance(plugin, str | Path):
        return Source(str(getattr(plugin, "__name__", type(plugin).__name__)), plugin=plugin)
    path = Path(plugin)
    source = _in_directory(path)
    if source is not None:
        return source
    if any(entry.name == plugin for entry in installed()):
        return Source(str(plugin))
    if isinstance(plugin, str) and not path.exists():
        return _imported(plugin)
    msg = (
        f"there is no hint plugin at {plugin}: give a file NAME.py or a folder with an __init__.py (names that begin with "
        "'.' or '_' are none), a module, or the name of an entry point"
    )
    raise ConfigError(msg)


def _in_directory(path: Path) -> Source | None:
    place = path.resolve()
    if place.name == "__init__.py":
        place = place.parent
    name = place.name if place.is_dir() else place.stem
    for known, file in in_directory(place.parent):
        if known == name and place in (file, file.parent):
            return Source(name, directory=place.parent)
    return None


def _imported(plugin: str) -> Source:
    module_name, _, attribute = plugin.partition(":")
    wrong = (
        f"there is no hint plugin {plugin!r}: it is no file or folder, no entry point in the group hermes_hints, and"
    )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the plugin is there, and something that it imports is not
        msg = f"{wrong} no module ({error})"
        raise ConfigError(msg) from error
    except (TypeError, ValueError) as error:
        msg = f"{wrong} no name of a module ({error})"
        raise ConfigError(msg) from error
    try:
        target = functools.reduce(getattr, attribute.split("."), module) if attribute else module
    except AttributeError as error:
        msg = f"{wrong} {error}"
        raise ConfigError(msg) from error
    return Source(module_name.rpartition(".")[2], plugin=target)
