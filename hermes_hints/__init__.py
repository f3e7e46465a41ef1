"""Attribute every LLM call to a person and a conversation, and let plugins hint how to serve it.

`wrap` one OpenAI client, or `install` for all of a process; say who is calling with `identify` and what they wish with
`hint`; `receive.read` is the other side. Importing this package imports neither openai nor an HTTP client.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

from . import receive
from .call import Call
from .context import Scope, calling, hint, identify
from .errors import ConfigError
from .hints import Hints
from .hookspecs import hookimpl, hookspec
from .identity import Identity
from .openai import install, uninstall, unwrap, wrap
from .pipeline import Carriers
from .plugins import LoadedPlugin, loaded_plugins, register, unregister
from .record import Record
from .settings import Settings

__all__ = [
    "Call",
    "Carriers",
    "ConfigError",
    "Hints",
    "Identity",
    "LoadedPlugin",
    "Record",
    "Scope",
    "Settings",
    "calling",
    "hint",
    "hookimpl",
    "hookspec",
    "identify",
    "install",
    "loaded_plugins",
    "receive",
    "register",
    "uninstall",
    "unregister",
    "unwrap",
    "wrap",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute
    if name == "__version__":
        return importlib.metadata.version("hermes-hints")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
