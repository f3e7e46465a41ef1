"""Profiles that hint plugins declare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from ..errors import ConfigError
from .builtin import BUILTIN
from .declaration import Profile
from .parsing import parse_profile

__all__ = ["profiles_of"]


def profiles_of(
    functions: Iterable[Callable[[], object]], plugin: str, taken: Mapping[str, Profile]
) -> tuple[dict[str, Profile], list[str]]:
    """What a plugin's implementations of ``hint_profiles`` declare, and what cannot be used of it, a sentence each.

    ``taken`` are the profiles of other plugins. Never raises.
    """
    profiles: dict[str, Profile] = {}
    problems: list[str] = []
    for function in functions:
        try:
            declared = _by_name(function())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
            problems.append(f"hint_profiles raised {type(error).__name__}: {error!s:.300}")
            continue
        for name, declaration in declared:
            try:
                profiles[str(name)] = _parsed(name, declaration, plugin, {**BUILTIN, **taken, **profiles})
            except ConfigError as error:
                problems.append(str(error))
    return profiles, problems


def _by_name(returned: object) -> list[tuple[object, object]]:
    if returned is None:
        return []
    if isinstance(returned, Mapping):
        return list(cast("Mapping[object, object]", returned).items())
    if isinstance(returned, Profile | str | bytes) or not isinstance(returned, Iterable):
        msg = f"returned {type(returned).__name__}, not a mapping of names to declarations or a list of Profile"
        raise TypeError(msg)
    listed = list(cast("Iterable[object]", returned))
    return [(item.name if isinstance(item, Profile) else None, item) for item in listed]


def _parsed(name: object, declaration: Any, plugin: str, known: Mapping[str, Profile]) -> Profile:  # noqa: ANN401 - the plugin's
    key = f"hint_profiles of {plugin}: {name!s:.80}"
    if not isinstance(name, str):
        msg = f"{key}: must be a Profile, or under its name in a mapping"
        raise ConfigError(msg)
    if name not in known and "." not in name:
        msg = f"{key}: a plugin's profile has a dot in its name, as in {plugin}.{name}"
        raise ConfigError(msg)
    return parse_profile(name, declaration, key=key, known=known)
