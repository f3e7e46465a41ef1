"""What ``doctor`` says of the host: which doors it has, and what keeps hermes-hints out of it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..hermes.configuration import PLUGIN, HermesSettings, admission, section
from ..hermes.host import Host
from ..settings import Settings
from .remedies import Problem, Remedy
from .surroundings import Surroundings

__all__ = ["doors", "isolated", "report_commands", "report_host"]

_LESS_IDENTITY = "requests carry less identity"
_MIDDLEWARE = "middleware llm_request"
_LOST: Mapping[str, str] = {
    _MIDDLEWARE: "main turns are told apart by their context alone, without ids of turns and calls",
    "hook pre_llm_call": "a message that waited for another's turn is not told from it, and /hint counts for nobody",
    "hook pre_gateway_dispatch": "/hint has no effect in chats",
    "hook subagent_start": "what subagents call is nobody's",
    "hook on_session_reset": "a wish for a model outlives the session it was made in",
    "hook post_api_request": "confirm has no effect",
    "hook transform_llm_output": "confirm has no effect",
}
"""What goes without, by door, apart from those that identity is read from."""

_TRUE = frozenset({"1", "true", "yes", "on"})
"""What Hermes takes for true in its environment (``env_var_enabled`` in utils.py)."""
_ISOLATED = (
    "plugins.isolation is host: hermes-hints runs outside the process that calls models; main turns and subagents carry "
    "headers, without chats; titles, summaries, compression and the like carry nothing; hermes hints is no command"
)


def doors(host: Host) -> Mapping[str, bool]:
    """Whether each place of the host that is used is there, by name."""
    middleware = _found("hermes_cli.middleware", "VALID_MIDDLEWARE")
    known = cast("set[str]", middleware) if isinstance(middleware, set) else set[str]()
    offered = {f"hook {name}" for name in host.hooks} | {f"middleware {name}" for name in known}
    return {
        **{name: door is not None for name, door in host.doors().items()},
        **{name: name in offered for name in _LOST},
    }


def isolated(configuration: Mapping[str, Any] | None) -> bool:
    """Whether the host is told to run plugins in a process of their own, as it reads it (0.22: ``isolation_mode``)."""
    told = section(configuration or {}, "plugins").get("isolation")
    return str(told or "").strip().lower().replace("-", "_") == "host"


def report_host(surroundings: Surroundings) -> Iterator[Problem]:
    """What is to be mended about the host, and about how it is told to load hermes-hints."""
    host, configuration = surroundings.host, surroundings.configuration
    if host is not None:
        for name, there in doors(host).items():
            if not there:
                lost = _LOST.get(name, _LESS_IDENTITY)
                yield Problem(f"this Hermes has no {name}: {lost}", Remedy("shell", "hermes update"))
    if configuration is None:
        return
    if isolated(configuration):
        yield Problem(_ISOLATED, Remedy("plugins", "isolation: in_process"))
    if surroundings.in_host:
        return
    unwanted = admission(configuration)(PLUGIN)
    if unwanted is not None:
        out = "plugins.disabled" in unwanted
        remedy = (
            Remedy("plugins.disabled", f"# leave out: {PLUGIN}") if out else Remedy("plugins.enabled", f"- {PLUGIN}")
        )
        yield Problem(f"Hermes does not load {PLUGIN}: it is {unwanted}", remedy)
    if os.environ.get("HERMES_SAFE_MODE", "").strip().lower() in _TRUE:
        what = "HERMES_SAFE_MODE is set: Hermes loads no plugins, and hermes hints is no command"
        yield Problem(what, Remedy("shell", "unset HERMES_SAFE_MODE"))


def report_commands(settings: Settings, place: str) -> Iterator[Problem]:
    """Which short forms of ``/hint`` have the name of a command of Hermes' own."""
    resolve = _found("hermes_cli.commands", "resolve_command")
    if not callable(resolve) or not isinstance(settings, HermesSettings):
        return
    for name in settings.commands:
        if resolve(name) is not None:
            what = f"/{name} is a command of Hermes' own: it cannot be a short form of /hint"
            yield Problem(what, Remedy(f"{place}.commands", f"# leave out: {name}"))


def _found(module: str, name: str) -> object:
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
