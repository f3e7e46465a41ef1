"""What a hint plugin may be called."""

from __future__ import annotations

import keyword
import re
import sys
from typing import NamedTuple

from ..errors import ConfigError

__all__ = ["PluginName", "plugin_name"]

_LONGEST = 40
_FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TAKEN = frozenset(
    {"hermes_hints", "hermes_agent", "hermes_cli", "openai", "pluggy", "pydantic", "pytest", "test", "tests"}
)


class PluginName(NamedTuple):
    """A name that can be a folder, a key in the settings, a distribution, and, as ``module``, a Python module."""

    name: str
    module: str


def plugin_name(text: str) -> PluginName:
    """The name of a new plugin: lower-case words of letters and digits, joined by dashes, 40 characters at most.

    Raises:
        ConfigError: it is of another form, or the name of something else; the message says which one would do.
    """
    module = text.replace("-", "_")
    if len(text) > _LONGEST:
        msg = f"name: {text[:_LONGEST]!r}… is longer than {_LONGEST} characters"
        raise ConfigError(msg)
    if _FORM.fullmatch(text) is None:
        words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower())
        close = "-".join(words).lstrip("0123456789-")
        remedy = f"; use {close!r}" if _FORM.fullmatch(close) else ", such as 'ops-first'"
        msg = f"name: {text!r} is not of lower-case letters and digits in words joined by dashes{remedy}"
        raise ConfigError(msg)
    if module in _TAKEN or module in sys.stdlib_module_names or keyword.iskeyword(module):
        msg = f"name: {text!r} is the name of something else in Python; use one that says what it hints, such as '{text}-hints'"
        raise ConfigError(msg)
    return PluginName(text, module)
