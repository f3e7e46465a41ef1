"""The Hermes Agent plugin: ``register(ctx)`` is what the host calls."""

from __future__ import annotations

from .plugin import register

__all__ = ["register"]
