"""For authors of hint plugins: run a plugin against the calls that Hermes makes, and see what it says and what leaves.

The pytest plugin `hermes_hints.testing.pytest_plugin` gives the fixtures ``hints_bench`` and ``hints_upstream``;
`hermes_hints.testing.conformance` is a suite that any hint plugin should pass. Importing this package imports neither
pytest nor openai.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bench import HintPluginError, HintsBench, Seen
    from .calls import FakeCall
    from .faults import Fault
    from .sessions import PLATFORMS, FakeSession
    from .upstream import FakeUpstream, ReceivedRequest

__all__ = [
    "PLATFORMS",
    "FakeCall",
    "FakeSession",
    "FakeUpstream",
    "Fault",
    "HintPluginError",
    "HintsBench",
    "ReceivedRequest",
    "Seen",
]

# pytest imports this package at its every start, wherever hermes-hints is installed.
_HOMES = {
    "bench": ("HintPluginError", "HintsBench", "Seen"),
    "calls": ("FakeCall",),
    "faults": ("Fault",),
    "sessions": ("PLATFORMS", "FakeSession"),
    "upstream": ("FakeUpstream", "ReceivedRequest"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value
