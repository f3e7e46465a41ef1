from __future__ import annotations

from pathlib import Path

import pytest

from hermes_hints import Call, Hints, Identity, Settings, hookimpl
from hermes_hints.plugins import Registry

PLUGIN = "local-first"
PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


@pytest.mark.parametrize(
    ("characters", "purpose", "intent"),
    [
        (10, "main", "prefer-local"),
        (10, None, "prefer-local"),
        (60_000, "main", "prefer-local"),
        (60_001, "main", "prefer-cloud"),
        (10, "vision", "prefer-cloud"),
        (10, "title_generation", "prefer-local"),
        (60_001, "title_generation", "prefer-cloud"),
    ],
)
def test_purpose_and_length_tell_the_place(load, characters, purpose, intent):
    half = "x" * (characters // 2)
    messages = [{"role": "user", "content": text} for text in (half, "x" * (characters - len(half)))]

    assert load().hints(messages=messages, purpose=purpose) == {"user_intent": intent}


def test_the_operators_own_words_and_lengths(load):
    bench = load(longest_local=5, purposes={"main": "local", "cron": "cloud"}, local="force-local", cloud="big")

    assert bench.hints("12345", purpose="main") == {"user_intent": "force-local"}
    assert bench.hints("123456", purpose="main") == {"user_intent": "big"}
    assert bench.hints("1", purpose="cron") == {"user_intent": "big"}
    assert bench.hints("1", purpose="vision") == {"user_intent": "force-local"}


def test_what_another_plugin_says_wins():
    class Other:
        @hookimpl
        def contribute_hints(self, call):
            return Hints(user_intent="force-cloud")

    registry = Registry()
    registry.load(
        Settings(hints_directory=PLUGINS, budget_ms=1000), lambda name: None if name == PLUGIN else "not here"
    )
    registry.register(Other())

    assert registry.contribute(Call(), Identity()) == {"user_intent": "force-cloud"}
    assert [plugin.name for plugin in registry.listed() if plugin.state == "loaded"] == [PLUGIN, "Other"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"longest": 5}, "there is no setting 'longest'; use longest_local, purposes, local, cloud"),
        ({"longest_local": "60k"}, "longest_local is '60k'; give a whole number of characters"),
        ({"longest_local": -1}, "longest_local is -1"),
        ({"longest_local": True}, "longest_local is True"),
        ({"purposes": ["main"]}, "purposes is ['main']; give each purpose its place"),
        ({"purposes": {"main": "moon"}}, "the place of 'main' in purposes is 'moon'; use one of local, cloud"),
        ({"cloud": ""}, "cloud is ''; give the user_intent that means it, such as prefer-cloud"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(refused, settings, said):
    assert said in refused(**settings)
