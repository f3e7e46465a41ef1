"""What the Hermes in this process offers: each door by name, absent where this version has none."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..notices import once

__all__ = ["Host", "find_host", "found_at"]


@dataclass(frozen=True, slots=True)
class Host:
    """The documented places of the host from which identity and settings are read."""

    version: str
    """As in ``hermes_cli.__version__``; empty where it cannot be told."""
    session_variable: Callable[[str, str], str] | None
    """``gateway.session_context.get_session_env``: task-local identity by ``HERMES_SESSION_*`` name."""
    conversation: Callable[[], str | None] | None
    """``agent.portal_tags.get_conversation_context``: the conversation's root, the same over compression."""
    configuration: Callable[[], Mapping[str, Any]] | None
    """``hermes_cli.config.load_config``: the whole of config.yaml."""
    hooks: frozenset[str]
    """``hermes_cli.plugins.VALID_HOOKS``: registering any other is warned about by the host."""
    current_turn: Callable[[], Any] | None = None
    """``agent.relay_runtime.current_turn`` (0.22): the turn that the running code works on, with its ids."""
    lineage: Callable[[str], str | None] | None = None
    """The first of the sessions that context compression made of one, by ``SessionDB.get_compression_lineage``."""
    plugins: Callable[[], Any] | None = None
    """``hermes_cli.plugins.get_plugin_manager``."""

    builtin: Callable[[str], Any] | None = None
    """``hermes_cli.commands.resolve_command``: the host's own command of a name, or ``None``."""

    @property
    def agent(self) -> str | None:
        """The wire field ``agent``: ``hermes-agent/0.19.0``."""
        return f"hermes-agent/{self.version}" if self.version else None

    def doors(self) -> Mapping[str, Callable[..., Any] | None]:
        """What is looked for in a host, by name."""
        return {
            "gateway.session_context.get_session_env": self.session_variable,
            "agent.portal_tags.get_conversation_context": self.conversation,
            "hermes_cli.config.load_config": self.configuration,
        }

    def enables(self, name: str) -> bool:
        """Whether the host has a plugin of that name in use; true where it does not tell."""
        if self.plugins is None:
            return True
        try:
            listed: list[dict[str, Any]] = self.plugins().list_plugins()
        except (AttributeError, RuntimeError):  # another version, or one that is just loading its plugins
            return True
        return any(found.get("name") == name and found.get("enabled") for found in listed)

    def missing(self) -> tuple[str, ...]:
        """What this host lacks, by name."""
        return tuple(name for name, door in self.doors().items() if door is None)


def find_host() -> Host:
    """Look the host's doors up in this process."""
    return Host(
        version=str(found_at("hermes_cli", "__version__") or ""),
        session_variable=_callable("gateway.session_context", "get_session_env"),
        conversation=_callable("agent.portal_tags", "get_conversation_context"),
        configuration=_callable("hermes_cli.config", "load_config"),
        hooks=frozenset(cast("set[str]", found_at("hermes_cli.plugins", "VALID_HOOKS") or ())),
        current_turn=_callable("agent.relay_runtime", "current_turn"),
        lineage=_lineage_root,
        plugins=_callable("hermes_cli.plugins", "get_plugin_manager"),
        builtin=_callable("hermes_cli.commands", "resolve_command"),
    )


def _lineage_root(session_id: str) -> str | None:
    """Asks the session store that the host's running turn accounts to (``agent.aux_accounting``)."""
    # Where the host has not imported it, it accounts to none; looking for it on disk each time would cost as much as a call.
    accounting: Any = getattr(sys.modules.get("agent.aux_accounting"), "_accounting", None)
    try:
        found = None if accounting is None else accounting.get()
        lineage: list[str] | None = found and found[0].get_compression_lineage(session_id)
    except Exception as error:  # noqa: BLE001 - a store of another version, or one that is locked
        message = "hermes-hints: the host's session store does not answer"
        once(logging.WARNING, ("lineage",), message, cause=error, private=True)
        return None
    return lineage[0] if lineage else None


def found_at(module: str, name: str) -> object:
    """A name of one of the host's modules; ``None`` where this version has none."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _callable(module: str, name: str) -> Callable[..., Any] | None:
    found = found_at(module, name)
    return cast("Callable[..., Any]", found) if callable(found) else None
