"""How each kind of endpoint is written to: one declaration each, no code."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigError
from .builtin import BUILTIN
from .declaration import Native, Profile

__all__ = ["BUILTIN", "Native", "Profile", "find_profile"]


def find_profile(name: str, *, key: str = "profile", known: Mapping[str, Profile] = BUILTIN) -> Profile:
    """The profile called ``name``.

    Raises:
        ConfigError: there is none of that name; the message names ``key``, the value and the names that exist.
    """
    try:
        return known[name]
    except (KeyError, TypeError):
        msg = f"{key}: there is no profile {name!r:.80}; use one of {', '.join(sorted(known))}"
        raise ConfigError(msg) from None
