"""Attribute every LLM call to a person and a conversation, and let plugins hint how to serve it.

`wrap` one OpenAI client, or `install` for all of a process; say who is calling with `identify` and what they wish with
`hint`; `receive.read` is the other side. Importing this package imports neither openai nor an HTTP client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import receive
    from .call import Call
    from .carriers import Carriers
    from .context import Scope, calling, hint, identify
    from .errors import ConfigError
    from .hints import Hints
    from .hookspecs import hookimpl, hookspec
    from .identity import Identity
    from .openai import install, uninstall, unwrap, wrap
    from .plugins import LoadedPlugin, loaded_plugins, register, unregister
    from .settings import Settings
    from .wire import Record

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


# Each name is imported when it is first asked for, so that a program pays for what it uses.
_HOMES = {
    "call": ("Call",),
    "carriers": ("Carriers",),
    "context": ("Scope", "calling", "hint", "identify"),
    "errors": ("ConfigError",),
    "hints": ("Hints",),
    "hookspecs": ("hookimpl", "hookspec"),
    "identity": ("Identity",),
    "openai": ("install", "uninstall", "unwrap", "wrap"),
    "plugins": ("LoadedPlugin", "loaded_plugins", "register", "unregister"),
    "receive": ("receive",),
    "settings": ("Settings",),
    "wire": ("Record",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hermes-hints")
    if name not in _HOME_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    home = importlib.import_module(f".{_HOME_OF[name]}", __name__)
    value = home if name == _HOME_OF[name] else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
