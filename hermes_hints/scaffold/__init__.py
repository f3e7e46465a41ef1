"""What ``hermes-hints new`` writes: a hint plugin with one hook, a manifest, tests that pass, and a README."""

from __future__ import annotations

from .command import run
from .names import PluginName, plugin_name
from .writing import Kind, write_plugin

__all__ = ["Kind", "PluginName", "plugin_name", "run", "write_plugin"]
