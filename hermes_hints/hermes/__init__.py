"""The Hermes Agent plugin: ``register(ctx)`` is what the host calls.

It is found as the entry point ``hermes-hints`` of the group ``hermes_agent.plugins``, or through the folder
``plugins/hermes-hints`` in ``$HERMES_HOME/plugins``.
"""

from __future__ import annotations

from .plugin import register

__all__ = ["register"]
