"""What the host's configuration says of hermes-hints and of hint plugins."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import Field, field_validator

from ..errors import ConfigError
from ..hints import normal_hints
from ..inbound import check_mapped
from ..plugins import Admit
from ..settings import Settings

__all__ = ["PLACE", "PLUGIN", "HermesSettings", "admission", "home", "load_settings", "named_home", "section"]

PLUGIN = "hermes-hints"
PLACE = f"plugins.entries.{PLUGIN}.settings"

_COMMAND = re.compile(r"[a-z][a-z0-9-]{0,31}")


class HermesSettings(Settings):
    """What an operator of Hermes can set, beside `Settings`."""

    commands: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict[str, Mapping[str, Any]])
    """Short forms of ``/hint``: ``{cloud: {user_intent: force-cloud}}`` gives ``/cloud``. Built-in commands stay."""
    confirm: bool = False
    """Whether an answer that was asked for with hints says in its last line which model gave it."""
    inbound: bool = False
    """Whether the API server takes from its callers who they ask for."""
    inbound_headers: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Further headers that say it, by field: ``{X-OpenWebUI-User-Id: user_id}``."""

    @field_validator("commands")
    @classmethod
    def _commands(cls, commands: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        return {name: _short_form(name, hints) for name, hints in commands.items()}

    @field_validator("inbound_headers")
    @classmethod
    def _inbound_headers(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        check_mapped(headers)
        return headers


def _short_form(name: str, hints: Mapping[str, Any]) -> Mapping[str, Any]:
    if _COMMAND.fullmatch(name) is None or name == "hint":
        msg = f"{name!r} cannot be a command; use lower-case letters, digits and -, and not hint"
        raise ValueError(msg)
    kept, problems = normal_hints(hints)
    if problems or not kept:
        msg = f"/{name}: {problems[0] if problems else 'give it at least one hint, such as {user_intent: force-cloud}'}"
        raise ValueError(msg)
    return kept


def home() -> Path:
    """The home that the running code works for: `named_home`, or where the host keeps its own without."""
    named = named_home()
    return Path(named) if named else Path.home() / ".hermes"


def named_home() -> str:
    """The home that the running code works for, by the host's word, else ``$HERMES_HOME``; empty where neither tells.

    A host that serves several profiles tells which (``hermes_constants.get_hermes_home_override``).
    """
    override = getattr(sys.modules.get("hermes_constants"), "get_hermes_home_override", None)
    told = override() if callable(override) else None
    return told if isinstance(told, str) and told else os.environ.get("HERMES_HOME", "")


def load_settings(configuration: Mapping[str, Any]) -> HermesSettings:
    """The settings at ``plugins.entries.hermes-hints.settings`` of config.yaml; defaults where there are none.

    Hint plugins lie in ``$HERMES_HOME/hints`` unless ``hints_directory`` names another place, with their own settings at
    ``plugins.entries.NAME.settings`` or under ``plugins``, which counts where there are both.

    Raises:
        ConfigError: a key or value is wrong; the message names it, where it stands, and the remedy.
    """
    given = dict(section(configuration, PLACE))
    if (home() / "hints").exists():
        given.setdefault("hints_directory", home() / "hints")
    own = _own_settings(configuration)
    if own:
        chosen = given.get("plugins", {})
        given["plugins"] = {**own, **chosen} if isinstance(chosen, Mapping) else chosen
    return HermesSettings.load(given, where=PLACE)


def _own_settings(configuration: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What stands under the names of enabled plugins. Most are no hint plugins, and may be of any other form."""
    entries = section(configuration, "plugins.entries")
    found: dict[str, Mapping[str, Any]] = {}
    for name in _names(section(configuration, "plugins").get("enabled")) - {PLUGIN}:
        entry = entries.get(name)
        settings = cast("Mapping[str, object]", entry).get("settings") if isinstance(entry, Mapping) else None
        if isinstance(settings, Mapping) and all(
            isinstance(key, str) for key in cast("Mapping[object, object]", settings)
        ):
            found[name] = cast("Mapping[str, Any]", settings)
    return found


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
