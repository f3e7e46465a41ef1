"""Hint plugins to be tried, as source and as an object."""

from __future__ import annotations

from hermes_hints import hookimpl

GOOD = """
from hermes_hints import ConfigError, hookimpl

rooms = ("!ops:example.org",)

@hookimpl
def configure(settings):
    global rooms
    for key in settings:
        if key != "rooms":
            raise ConfigError(f"there is no setting {key!r}; use rooms")
    rooms = settings.get("rooms", rooms)

@hookimpl
def contribute_hints(call, identity):
    return {"priority": "high", "acme.region": "eu"} if identity.chat_id in rooms else None
"""


class OpsFirst:
    """The same as an object."""

    @hookimpl
    def contribute_hints(self, call, identity):
        return {"priority": "high", "acme.region": "eu"} if identity.chat_id == "!ops:example.org" else None
