"""Everything a Hermes process reads before it starts: a temporary HERMES_HOME, written from one value."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOOPBACK_PLATFORM = Path(__file__).parent / "loopback_platform"


@dataclass(frozen=True, slots=True)
class HermesHome:
    """What the operator of one Hermes has configured.

    ``base_url`` is the endpoint of the main model, and ``api_mode`` the one that the operator declares for it
    (``codex_responses``, …; without one it is Hermes' plain custom provider, on chat completions). ``folders`` are plugin folders that are put into the home's
    ``plugins/`` under the name in their manifest, and enabled; ``enabled`` adds plugins that come by another way (pip).
    ``settings`` are the plugins' own, by plugin name. ``fallback`` is Hermes' ``fallback_providers``. ``allowed_users``
    may talk through the loopback platform; none listed means everyone. ``env`` goes into the ``.env`` file. ``more`` is
    laid over the configuration last, mappings merged, everything else replaced.
    """

    base_url: str
    model: str = "scripted-model"
    api_mode: str | None = None
    folders: tuple[Path, ...] = ()
    linked: bool = False
    enabled: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    max_turns: int = 20
    fallback: tuple[Mapping[str, object], ...] = ()
    allowed_users: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        """The content of config.yaml."""
        names = [plugin_name(folder) for folder in (LOOPBACK_PLATFORM, *self.folders)]
        configured: dict[str, Any] = {
            **self._model(),
            "agent": {"max_turns": self.max_turns},
            # Hermes otherwise fetches this scanner from a public site when it starts, and packages when it wants them.
            "security": {"tirith_enabled": False, "allow_lazy_installs": False},
            "fallback_providers": [dict(entry) for entry in self.fallback],
            "plugins": {
                "enabled": [*names, *self.enabled],
                "disabled": list(self.disabled),
                "entries": {name: {"settings": dict(settings)} for name, settings in self.settings.items()},
            },
        }
        return _laid_over(configured, self.more)

    def write(self, directory: Path) -> Path:
        """Make ``directory`` the home, and return it. It must not exist, or be empty."""
        directory.mkdir(parents=True, exist_ok=True)
        # JSON is YAML: no YAML library is needed to write it.
        (directory / "config.yaml").write_text(json.dumps(self.config(), indent=2), encoding="utf-8")
        (directory / ".env").write_text("".join(f"{key}={value}\n" for key, value in self._env().items()), "utf-8")
        for folder in (LOOPBACK_PLATFORM, *self.folders):
            place = directory / "plugins" / plugin_name(folder)
            place.parent.mkdir(exist_ok=True)
            if self.linked:
                place.symlink_to(folder, target_is_directory=True)
            else:
                shutil.copytree(folder, place, ignore=shutil.ignore_patterns("__pycache__"))
        return directory

    def _model(self) -> dict[str, Any]:
        endpoint = {"base_url": self.base_url, "api_key": "sk-test"}
        # The context length is stated because Hermes otherwise looks an unknown model up on public sites.
        chosen = {"default": self.model, "context_length": 131_072}
        if self.api_mode is None:
            return {"model": {"provider": "custom", **endpoint, **chosen}}
        declared = {"name": "scripted", "api_mode": self.api_mode, "model": self.model, **endpoint}
        return {"model": {"provider": "custom:scripted", **chosen}, "custom_providers": [declared]}

    def _env(self) -> dict[str, str]:
        if self.allowed_users:
            admission = {"LOOPBACK_ALLOWED_USERS": ",".join(self.allowed_users)}
        else:
            admission = {"LOOPBACK_ALLOW_ALL_USERS": "true"}
        # With a home channel, the gateway does not ask for one in every new conversation.
        return {**admission, "LOOPBACK_HOME_CHANNEL": "!home:example.org", **self.env}


def plugin_name(folder: Path) -> str:
    """The name that a plugin folder's manifest gives. Raises ValueError when it gives none."""
    for line in (folder / "plugin.yaml").read_text("utf-8").splitlines():
        key, _, value = line.partition(":")
        if key == "name":
            return value.strip().strip("\"'")
    message = f"{folder / 'plugin.yaml'} has no line `name: …`"
    raise ValueError(message)


def _laid_over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _laid_over(below, value) if both else value
    return merged
