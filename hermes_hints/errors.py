"""The one error of hermes-hints: an operator's mistake."""

from __future__ import annotations

__all__ = ["ConfigError"]


class ConfigError(ValueError):
    """A setting, profile name, rule or plugin is wrong.

    The message names the key, the value and the remedy. It is raised where the mistake is read (while
    wrapping a client, loading settings or a rule file), never while a request is on its way.
    """
