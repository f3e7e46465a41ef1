"""The hooks, and the markers for them: all that a hint plugin has to import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from .call import Call
    from .carriers import Carriers
    from .hints import Hints
    from .identity import Identity
    from .profiles import Profile
    from .wire import Record

__all__ = ["PROJECT", "configure", "contribute_hints", "hint_profiles", "hookimpl", "hookspec", "request_stamped"]

PROJECT = "hermes_hints"

hookspec = pluggy.HookspecMarker(PROJECT)
"""Marks a hook's specification; only hermes-hints itself, or a program that adds hooks of its own, needs it."""

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a hint plugin as the implementation of the hook of the same name."""


@hookspec
def configure(settings: Mapping[str, Any]) -> None:
    """Take the plugin's own settings, once, when it is loaded.

    ``settings`` is the section under the plugin's name in the setting ``plugins``, empty when there is none. A plugin
    that cannot work with it raises `hermes_hints.ConfigError` naming the key, the value and the remedy: it is then
    listed as failed, and nothing else is affected.
    """


@hookspec
def hint_profiles() -> Mapping[str, Mapping[str, Any] | Profile] | Iterable[Profile] | None:
    """Declare profiles that an operator's ``endpoints`` can then name.

    Called once when the plugin is loaded, after ``configure``, and again when its settings change. Return a mapping of names
    to declarations in the form of the setting ``profiles``, or `hermes_hints.profiles.Profile` objects. A plugin's names have
    a dot in them (``acme.gateway``). One that is wrong, or whose name is taken, is left out and told in the log.
    """


@hookspec
def contribute_hints(call: Call, identity: Identity) -> Hints | Mapping[str, Any] | None:
    """Contribute hints to one LLM call, before it leaves.

    Called once for each call (not again when the client retries it), in the calling thread or in one that carries a
    copy of its context. Return `Hints`, a mapping of its fields (a key with a dot is taken as an ``ext`` entry), or
    ``None``. All plugins together have 20 ms; one that exceeds it again and again is set aside. Identity fields in what is
    returned are dropped. What raises, or returns anything else, costs this plugin's own contribution and one log line.
    """


@hookspec
def request_stamped(call: Call, record: Record, carriers: Carriers) -> None:
    """Observe one LLM call as it leaves: what was known of it, and what it carries to this endpoint.

    Called after stamping, under the same isolation and time budget as ``contribute_hints``. The return value is ignored.
    """
