"""What the operator has configured, and where it stands."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..errors import ConfigError
from ..hermes.configuration import PLACE, HermesSettings, admission, load_settings, section
from ..hermes.host import Host, find_host
from ..plugins import registry
from ..settings import Settings

__all__ = ["Surroundings", "configuration_file", "find_surroundings", "parsed"]

_REFERENCE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The host, if there is one, its configuration, and the settings in it before they are checked."""

    host: Host | None
    """The Hermes that is installed here; ``None`` where there is none."""
    file: Path | None
    """The configuration file; ``None`` where there is none."""
    configuration: Mapping[str, Any] | None
    """Hermes' whole configuration; ``None`` where there is none: then this is a plain program's environment."""
    given: Mapping[str, Any]
    """The settings as they are written."""
    place: str
    """Where they stand, for messages: a path of keys in `file`, or the name of a file of their own."""
    in_host: bool
    """Whether this process is a Hermes that has loaded hermes-hints."""

    def settings(self) -> Settings:
        """The settings, checked.

        Raises:
            ConfigError: a key or value is wrong.
        """
        if self.configuration is not None and self.place == PLACE:
            return load_settings(self.configuration)
        return self.kind.load(self.given, where=self.place)

    @property
    def kind(self) -> type[Settings]:
        """Which settings these are."""
        return Settings if self.configuration is None else HermesSettings

    @property
    def isolated(self) -> bool:
        """Whether the host is told to run plugins in a process of their own, as it reads it (0.22: ``isolation_mode``)."""
        told = section(self.configuration or {}, "plugins").get("isolation")
        return str(told or "").strip().lower().replace("-", "_") == "host"

    def load_plugins(self, settings: Settings) -> None:
        """Load the hint plugins that a process with these settings would load, by the host's own rule."""
        registry.load(settings, None if self.configuration is None else admission(self.configuration))


def find_surroundings(config: str | None, settings: str | None, *, in_host: bool) -> Surroundings:
    """Find the configuration: the file ``config``, else the host's own, else ``config.yaml`` in Hermes' home.

    ``settings`` names a file with settings that count instead.

    Raises:
        ConfigError: a file that was named cannot be read, or any of them is not YAML.
    """
    host = find_host() if in_host or importlib.util.find_spec("hermes_cli") is not None else None
    file = Path(config) if config is not None else configuration_file()
    configuration: Mapping[str, Any] | None = None
    if config is not None or file.is_file():
        configuration = cast("Mapping[str, Any]", _expanded(_read(file)))
    if config is None and host is not None and host.configuration is not None:
        # Read once more by the host, which knows of defaults and of what an administrator prescribes.
        configuration = host.configuration()
    if settings is not None:
        given, place = _read(Path(settings)), settings
    else:
        given, place = section(configuration or {}, PLACE), PLACE if configuration is not None else "settings"
    return Surroundings(host, file if configuration is not None else None, configuration, given, place, in_host)


def configuration_file() -> Path:
    """Where Hermes' configuration stands, whether or not it is there."""
    home = os.environ.get("HERMES_HOME")
    return (Path(home) if home else Path.home() / ".hermes") / "config.yaml"


def _read(file: Path) -> Mapping[str, Any]:
    """A mapping from a YAML or JSON file.

    Raises:
        ConfigError: it cannot be read, holds no mapping, or there is no YAML library.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: cannot be read ({error})"
        raise ConfigError(msg) from error
    return parsed(text, file)


def parsed(text: str, file: Path) -> Mapping[str, Any]:
    """The mapping in ``text``, which is the content of ``file``: JSON where it is a ``.json`` file, else YAML.

    Raises:
        ConfigError: it is neither, holds something else than a mapping, or there is no YAML library.
    """
    if file.suffix == ".json":
        form, read = "JSON", json.loads
    else:
        form, read = "YAML", _yaml_reader(file)
    try:
        found: object = read(text)
    except Exception as error:
        msg = f"{file}: is not {form}: {' '.join(str(error).split()):.500}"
        raise ConfigError(msg) from error
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        msg = f"{file}: must hold a mapping, not {type(found).__name__}"
        raise ConfigError(msg)
    return cast("Mapping[str, Any]", found)


def _yaml_reader(file: Path) -> Any:
    """The function that reads YAML 1.1, as Hermes does, from PyYAML or from ruamel.yaml.

    Raises:
        ConfigError: neither is installed; the message names ``file``.
    """
    try:
        pyyaml: Any = importlib.import_module("yaml")  # Hermes 0.22 has the other one
    except ImportError:
        pass
    else:
        return pyyaml.safe_load
    try:
        ruamel: Any = importlib.import_module("ruamel.yaml")
    except ImportError:
        msg = f"{file}: reading YAML needs a library: pip install pyyaml; or name a .json file with the same content"
        raise ConfigError(msg) from None
    reader = ruamel.YAML(typ="safe", pure=True)
    reader.version = (1, 1)
    return reader.load


def _expanded(value: object) -> object:
    """``${NAME}`` replaced by the environment's value, as Hermes does; what is not set stays."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: os.environ.get(found[1], found[0]), value)
    if isinstance(value, Mapping):
        return {key: _expanded(item) for key, item in cast("Mapping[str, object]", value).items()}
    return [_expanded(item) for item in cast("list[object]", value)] if isinstance(value, list) else value
