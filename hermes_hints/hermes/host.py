"""What the Hermes in this process offers: each door by name, absent where this version has none."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

__all__ = ["Host", "find_host"]


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

    def missing(self) -> tuple[str, ...]:
        """What this host lacks, by name."""
        return tuple(name for name, door in self.doors().items() if door is None)


def find_host() -> Host:
    """Look the host's doors up in this process."""
    return Host(
        version=str(_found("hermes_cli", "__version__") or ""),
        session_variable=_callable("gateway.session_context", "get_session_env"),
        conversation=_callable("agent.portal_tags", "get_conversation_context"),
        configuration=_callable("hermes_cli.config", "load_config"),
        hooks=frozenset(cast("set[str]", _found("hermes_cli.plugins", "VALID_HOOKS") or ())),
    )


def _found(module: str, name: str) -> object:
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _callable(module: str, name: str) -> Callable[..., Any] | None:
    found = _found(module, name)
    return cast("Callable[..., Any]", found) if callable(found) else None
