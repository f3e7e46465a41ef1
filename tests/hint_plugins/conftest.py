from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hermes_hints import Call, Identity, Settings
from hermes_hints.plugins import Registry

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


class Bench:
    """One hint plugin as an operator has it: its folder in the hints directory, its settings, and what it says of calls."""

    def __init__(self, name):
        self.name = name
        self.registry = Registry()

    def load(self, **settings):
        chosen = Settings(
            hints_directory=PLUGINS, plugins={self.name: settings}, budget_ms=1000
        )  # the machine may be busy
        self.registry.load(chosen, lambda found: None if found == self.name else "not in this test")
        (self.state,) = [plugin for plugin in self.registry.listed() if plugin.name == self.name]
        return self

    def hints(self, messages=(), identity=None, **call):
        body = {"messages": [{"role": "user", "content": text} for text in messages]}
        return self.registry.contribute(Call.about(call, body), Identity(**(identity or {})))

    def shares(self, count=2000, **settings):
        self.load(**settings)
        arms = [self.hints(identity={"session_id": f"s-{number}"})["experiment_arm"] for number in range(count)]
        return {arm: number / count for arm, number in Counter(arms).items()}


@pytest.fixture
def bench(request):
    return Bench(request.param)
