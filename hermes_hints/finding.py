"""Where hint plugins come from: what is installed, and what lies in the operator's directory."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from .errors import ConfigError
from .notices import once

__all__ = ["ENTRY_POINT_GROUP", "described", "imported", "in_directory", "installed"]

ENTRY_POINT_GROUP = "hermes_hints"
"""The group of entry points that a distribution announces its hint plugins in."""


def installed() -> Sequence[importlib.metadata.EntryPoint]:
    """The entry points of hint plugins, by name."""
    return sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda found: found.name)


def described(found: importlib.metadata.EntryPoint) -> str:
    """The distribution and the object that an entry point names."""
    return f"{found.dist.name} {found.dist.version}: {found.value}" if found.dist is not None else found.value


def in_directory(directory: Path) -> Iterator[tuple[str, Path]]:
    """Files ``NAME.py`` and folders ``NAME/__init__.py``, by name; names that start with ``.`` or ``_`` are skipped."""
    try:
        found = sorted(directory.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        once(logging.WARNING, ("directory", directory), "hermes-hints: no plugins from %s", directory, cause=error)
        return
    for path in found:
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir() and (path / "__init__.py").is_file():
            yield path.name, path / "__init__.py"
        elif path.suffix == ".py" and path.is_file():
            yield path.stem, path


def imported(name: str, path: Path) -> ModuleType:
    """Import a hint plugin from its file, under a name that no installed module has.

    Raises:
        BaseException: whatever the plugin's own code raises.
        ConfigError: it is no Python file.
    """
    module_name = f"hermes_hints_plugins.{name.replace('-', '_')}"
    folder = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(module_name, path, submodule_search_locations=folder)
    if spec is None or spec.loader is None:
        msg = f"{path} is not a Python file"
        raise ConfigError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module
