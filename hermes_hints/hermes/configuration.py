"""The plugin's settings, from the host's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ..errors import ConfigError
from ..settings import Settings
from .host import Host

__all__ = ["PLACE", "PLUGIN", "load_settings"]

PLUGIN = "hermes-hints"
PLACE = f"plugins.entries.{PLUGIN}.settings"


def load_settings(host: Host) -> Settings:
    """The settings at ``plugins.entries.hermes-hints.settings`` of the host's config.yaml; defaults where there are none.

    Hint plugins lie in ``$HERMES_HOME/hints`` unless ``hints_directory`` names another place.

    Raises:
        ConfigError: a key or value is wrong; the message names it, where it stands, and the remedy.
    """
    section = _section({} if host.configuration is None else host.configuration())
    given = dict(section)
    home = os.environ.get("HERMES_HOME")
    given.setdefault("hints_directory", (Path(home) if home else Path.home() / ".hermes") / "hints")
    return Settings.load(given, where=PLACE)


def _section(configuration: object) -> Mapping[str, Any]:
    found: object = configuration
    path: list[str] = []
    for key in PLACE.split("."):
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            msg = f"{'.'.join(path)}: must be a mapping, not {type(found).__name__}"
            raise ConfigError(msg)
        found = cast("Mapping[str, object]", found).get(key)
        path.append(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        msg = f"{PLACE}: must be a mapping of settings, not {type(found).__name__}"
        raise ConfigError(msg)
    return cast("Mapping[str, Any]", found)
