"""Registration with the host."""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, cast

from ..errors import ConfigError
from ..notices import logger, once
from ..pipeline import Pipeline
from ..plugins import registry
from .api_server import serve_callers
from .configuration import PLACE, PLUGIN, HermesSettings, admission, home, load_settings
from .gateway_proxy import leave_proxy, stand_at_proxy
from .homes import current, enter, leave, stand_at_anthropic
from .host import Host, find_host
from .interjections import Interjections
from .levers import Levers
from .middleware import Middleware
from .session import Sessions
from .turns import Turns

__all__ = ["register"]

_DESCRIPTION = "Say how your next message is to be served"
_ISOLATED = (
    "hermes-hints: plugins.isolation: host keeps plugins away from the requests themselves: main turns and subagents carry "
    "headers, without chats; titles, summaries, compression and the like carry nothing"
)
_SETTLED_SECONDS = 1.0
_GROUP = "hermes_agent.plugins"

_turns = Turns()
"""What this process has seen of its turns; it outlives a registration."""


def register(ctx: Any) -> None:
    """Register with the host; called by it, again after each new discovery, with the same result.

    Raises:
        ConfigError: a setting is wrong; the host logs the message, lists the plugin with it and goes on without hints.
    """
    _add_command_line(ctx)
    _say_where(ctx)
    host = find_host()
    configuration: Mapping[str, Any] = {} if host.configuration is None else host.configuration()
    settings = load_settings(configuration)
    _leave_builtin(settings, host)
    registry.load(settings, admission(configuration))
    enabled = _enabled(ctx, host)
    if settings.inbound:
        host = serve_callers(ctx, host, settings.inbound_headers)
    sessions = Sessions(host, _profile(ctx), _turns, enabled)
    levers = Levers(settings.commands, sessions.context, confirm=settings.confirm)
    interjections = Interjections(levers, enabled or _always)
    _on_unload(ctx, interjections.leave)
    pipeline = Pipeline(settings, witness=sessions)
    isolated = os.environ.get("HERMES_PLUGIN_HOST_PROCESS") == "1"
    if isolated:
        logger.warning(_ISOLATED)
    else:
        enter(current(), pipeline)
        stand_at_proxy(configuration)
    _offered(ctx, "register_middleware")("llm_request", Middleware(sessions, levers, pipeline, isolated=isolated))
    for hook, callback in _hooks(sessions, levers, interjections):
        if hook in host.hooks:
            _offered(ctx, "register_hook")(hook, callback)
    for name, handler in levers.commands.items():
        _offered(ctx, "register_command")(name, handler, description=_DESCRIPTION, args_hint="[intent] [question]")
    for name in host.missing():
        logger.warning("hermes-hints: this host has no %s; requests carry less identity", name)


def _offered(ctx: Any, name: str) -> Callable[..., Any]:
    """A method of the host's context; one that does nothing where this host has none."""
    found = getattr(ctx, name, None)
    if callable(found):
        return cast("Callable[..., Any]", found)
    once(logging.WARNING, ("registration", name), "hermes-hints: this host has no %s", name)
    return _ignored


def _ignored(*_: object, **__: object) -> None:
    """In place of what the host lacks."""


def _leave_builtin(settings: HermesSettings, host: Host) -> None:
    for name in settings.commands:
        if host.builtin is not None and host.builtin(name) is not None:
            msg = f"{PLACE}.commands.{name}: /{name} is a command of Hermes' own; give the short form another name"
            raise ConfigError(msg)


def _add_command_line(ctx: Any) -> None:
    """Add ``hermes hints``; before anything that can fail, for then it is needed."""

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        from ..cli import add_commands

        add_commands(parser)

    def run(args: argparse.Namespace) -> None:
        from ..cli import run_in_host

        run_in_host(args)

    _offered(ctx, "register_cli_command")("hints", "what hermes-hints sends, to whom and why", add_arguments, run)


def _say_where(ctx: Any) -> None:
    """Tell an operator who has the plugin twice which of them is used: the host takes one, by its name."""
    folder = home() / "plugins" / PLUGIN
    if not (folder / "plugin.yaml").is_file() or not entry_points(group=_GROUP, name=PLUGIN):
        return
    source = getattr(getattr(ctx, "manifest", None), "source", "")
    used = "package" if source == "entrypoint" else "folder"
    logger.info("hermes-hints: found as a package and as the folder %s; the host registers the %s alone", folder, used)


def _enabled(ctx: Any, host: Host) -> Callable[[], bool] | None:
    """How to know that the host has taken the plugin out of use; ``None`` where it says so itself (0.22)."""
    here = current()
    if _on_unload(ctx, lambda: _left(here)):
        return None
    since = time.monotonic()

    def enabled() -> bool:
        if host.enables(PLUGIN):
            return True
        # The host lists a plugin after it has registered.
        if time.monotonic() > since + _SETTLED_SECONDS:
            _left(here)
        return False

    return enabled


def _left(here: str) -> None:
    """Take down the doors of a home."""
    leave(here)
    leave_proxy()


def _on_unload(ctx: Any, leaving: Callable[[], None]) -> bool:
    """Have the host call ``leaving`` when it takes the plugin out of use; whether this host can."""
    found = getattr(ctx, "on_unload", None)
    if callable(found):
        found(leaving)
    return callable(found)


def _always() -> bool:
    return True


def _profile(ctx: Any) -> str | None:
    name = getattr(ctx, "profile_name", None)
    return name if isinstance(name, str) else None


def _hooks(
    sessions: Sessions, levers: Levers, interjections: Interjections
) -> tuple[tuple[str, Callable[..., Any]], ...]:
    def subagent_start(
        *,
        child_session_id: str | None = None,
        parent_session_id: str | None = None,
        parent_turn_id: str | None = None,
        **_: Any,
    ) -> None:
        sessions.subagent_started(child_session_id, parent_session_id, parent_turn_id)

    def pre_llm_call(
        *,
        turn_id: str | None = None,
        session_id: str | None = None,
        sender_id: str | None = None,
        user_message: object = None,
        **_: Any,
    ) -> None:
        sessions.turn_started(turn_id, session_id, sender_id, user_message)

    def pre_gateway_dispatch(*, event: Any, **_: Any) -> None:
        sessions.arrived(event.source)

    def pre_auxiliary_call(**_: Any) -> None:
        stand_at_anthropic()  # the host has its client by now, and so has imported the SDK

    return (
        ("pre_auxiliary_call", pre_auxiliary_call),
        ("subagent_start", subagent_start),
        ("subagent_start", levers.subagent_started),
        ("pre_llm_call", pre_llm_call),
        ("pre_llm_call", levers.turn_started),
        ("pre_gateway_dispatch", pre_gateway_dispatch),
        ("pre_gateway_dispatch", interjections.arrived),
        ("on_session_reset", levers.session_reset),
        ("post_api_request", levers.answered),
        ("transform_llm_output", levers.confirmed),
    )
