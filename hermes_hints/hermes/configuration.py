"""What the host's configuration says of hermes-hints and of hint plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ..errors import ConfigError
from ..plugins import Admit
from ..settings import Settings

__all__ = ["PLACE", "PLUGIN", "admission", "load_settings", "section"]

PLUGIN = "hermes-hints"
PLACE = f"plugins.entries.{PLUGIN}.settings"


def load_settings(configuration: Mapping[str, Any]) -> Settings:
    """The settings at ``plugins.entries.hermes-hints.settings`` of config.yaml; defaults where there are none.

    Hint plugins lie in ``$HERMES_HOME/hints`` unless ``hints_directory`` names another place.

    Raises:
        ConfigError: a key or value is wrong; the message names it, where it stands, and the remedy.
    """
    given = dict(section(configuration, PLACE))
    home = os.environ.get("HERMES_HOME")
    given.setdefault("hints_directory", (Path(home) if home else Path.home() / ".hermes") / "hints")
    return Settings.load(given, where=PLACE)


def admission(configuration: Mapping[str, Any]) -> Admit:
    """The host's own rule for what may be loaded: in ``plugins.enabled`` and not in ``plugins.disabled``."""
    plugins = section(configuration, "plugins")
    enabled, disabled = _names(plugins.get("enabled")), _names(plugins.get("disabled"))

    def admit(name: str) -> str | None:
        if name in disabled:
            return "in plugins.disabled of config.yaml"
        if name not in enabled:
            return f"not in plugins.enabled of config.yaml; add {name} there"
        return None

    return admit


def _names(found: object) -> frozenset[str]:
    return frozenset(map(str, cast("list[object]", found))) if isinstance(found, list) else frozenset()


def section(configuration: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """What stands at ``place``, a path of keys with dots; empty where there is nothing.

    Raises:
        ConfigError: on the way is something else than a mapping.
    """
    found: object = configuration
    path: list[str] = []
    for key in place.split("."):
        path.append(key)
        found = cast("Mapping[str, object]", found).get(key)
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            msg = f"{'.'.join(path)}: must be a mapping, not {type(found).__name__}"
            raise ConfigError(msg)
    return cast("Mapping[str, Any]", found)
