"""Where hint plugins come from: what is installed, and what lies in the operator's directory; and what they implement."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from .errors import ConfigError
from .notices import once
from .values import unknown_name

__all__ = ["ENTRY_POINT_GROUP", "HOOKS", "described", "hooks_of", "imported", "in_directory", "installed"]

ENTRY_POINT_GROUP = "hermes_hints"
"""The group of entry points that a distribution announces its hint plugins in."""

HOOKS: Mapping[str, tuple[str, ...]] = {
    "configure": ("settings",),
    "hint_profiles": (),
    "contribute_hints": ("call", "identity"),
    "request_stamped": ("call", "record", "carriers"),
}
"""The hooks, with the arguments that each may take."""

_MARK = "hermes_hints_impl"
"""Where `hookimpl` leaves its options on a function."""


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
    except OSError as error:
        once(logging.WARNING, ("directory", directory), "hermes-hints: no plugins from %s", directory, cause=error)
        return
    for path in found:
        if path.name.startswith((".", "_")):
            continue
        try:
            folder = path.is_dir() and (path / "__init__.py").is_file()
            file = path.suffix == ".py" and path.is_file()
        except OSError as error:
            once(logging.WARNING, ("directory", path), "hermes-hints: no plugin from %s", path, cause=error)
            continue
        if folder:
            yield path.name, path / "__init__.py"
        elif file:
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


def hooks_of(plugin: object) -> tuple[str, ...]:
    """The hooks that a plugin implements.

    Raises:
        ConfigError: it implements none, one that does not exist, or one with other arguments, as a coroutine or wrapper.
    """
    names: list[str] = []
    for attribute in dir(plugin):
        marks = getattr(inspect.getattr_static(plugin, attribute, None), _MARK, None)
        function = getattr(plugin, attribute, None)
        if marks is None:
            marks = getattr(function, _MARK, None)
        if not isinstance(marks, Mapping):
            continue
        options = cast("Mapping[str, Any]", marks)
        hook = str(options.get("specname") or attribute)
        _check(hook, cast("Callable[..., object]", function), options)
        names.append(hook)
    if not names:
        msg = f"it implements no hook; mark a function with hermes_hints.hookimpl, named {' or '.join(HOOKS)}"
        raise ConfigError(msg)
    return tuple(names)


def _check(hook: str, function: Callable[..., object], options: Mapping[str, Any]) -> None:
    if hook not in HOOKS:
        raise ConfigError(unknown_name("the hook specification", hook, HOOKS).replace("field", "hook"))
    if not inspect.isroutine(function):
        msg = f"{hook} is a {type(function).__name__}; write a plain function"
        raise ConfigError(msg)
    if options.get("wrapper") or options.get("hookwrapper"):
        msg = f"{hook} is a wrapper; hint plugins are called one by one, write a plain function"
        raise ConfigError(msg)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        msg = f"{hook} is a coroutine function, and a request does not wait for one; write a plain function"
        raise ConfigError(msg)
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in HOOKS[hook]:
            msg = f"{hook} takes {', '.join(HOOKS[hook])}, and any of them may be left out; it has no {name!r}"
            raise ConfigError(msg)
        if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            msg = f"{hook} is called with positional arguments; write {name!r} as a plain parameter"
            raise ConfigError(msg)
