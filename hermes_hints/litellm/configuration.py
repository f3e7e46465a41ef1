"""What the operator has written under ``callback_settings: hermes_hints`` in LiteLLM's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..errors import ConfigError
from ..rules import Rules, load_rules
from ..signature import key_bytes
from ..tags import parse_tags
from ..values import unknown_name

__all__ = ["Configuration", "read_configuration"]

_WHERE = "callback_settings: hermes_hints"
_KNOWN = ("rules", "tags", "signing_key")
_FROM_ENVIRONMENT = "os.environ/"
"""LiteLLM's own way of naming an environment variable in its configuration (docs.litellm.ai/docs/proxy/configs)."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """``rules`` choose models, ``tags`` are the fields that become tags, ``signing_key`` is the senders'."""

    rules: Rules | None = None
    tags: tuple[str, ...] = ()
    signing_key: str | None = None


def read_configuration(given: object, directory: Path) -> Configuration:
    """Read the section; ``None`` and an empty one are the defaults.

    Args:
        given: the section's value.
        directory: where the configuration file is; a relative ``rules`` is looked for there.

    Raises:
        ConfigError: a key is unknown, a value is wrong, or the rule file is.
    """
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        msg = f"{_WHERE} is {given!r:.80}; it must be a mapping of {', '.join(_KNOWN)}"
        raise ConfigError(msg)
    section = cast("Mapping[object, object]", given)
    for key in section:
        if key not in _KNOWN:
            raise ConfigError(unknown_name(_WHERE, str(key), _KNOWN))
    rules = _text(section, "rules")
    signing_key = _text(section, "signing_key") or os.environ.get("HERMES_HINTS_SIGNING_KEY") or None
    if signing_key is not None:
        key_bytes(signing_key, name=f"{_WHERE}: signing_key")
    return Configuration(
        None if rules is None else load_rules(directory / rules, needs_default=False),
        parse_tags(section.get("tags"), f"{_WHERE}: tags"),
        signing_key,
    )


def _text(section: Mapping[object, object], key: str) -> str | None:
    value = section.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        # Not shown: it may be the key.
        msg = f"{_WHERE}: {key} is no text; write one, or {_FROM_ENVIRONMENT}NAME"
        raise ConfigError(msg)
    if not value.startswith(_FROM_ENVIRONMENT):
        return value
    name = value.removeprefix(_FROM_ENVIRONMENT)
    found = os.environ.get(name)
    if not found:
        msg = f"{_WHERE}: {key} names the environment variable {name!r}, which is not set; set it, or leave the key out"
        raise ConfigError(msg)
    return found
