from __future__ import annotations

import pytest

from hermes_hints import Hints, hookimpl

pytestmark = pytest.mark.parametrize("bench", ["local-first"], indirect=True)


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
def test_purpose_and_length_tell_the_place(bench, characters, purpose, intent):
    half = "x" * (characters // 2)
    messages = [half, "x" * (characters - len(half))]

    assert bench.load().hints(messages, purpose=purpose) == {"user_intent": intent}


def test_the_operators_own_words_and_lengths(bench):
    bench.load(longest_local=5, purposes={"main": "local", "cron": "cloud"}, local="force-local", cloud="big")

    assert bench.hints(["12345"], purpose="main") == {"user_intent": "force-local"}
    assert bench.hints(["123456"], purpose="main") == {"user_intent": "big"}
    assert bench.hints(["1"], purpose="cron") == {"user_intent": "big"}
    assert bench.hints(["1"], purpose="vision") == {"user_intent": "force-local"}


def test_what_another_plugin_says_wins(bench):
    class Other:
        @hookimpl
        def contribute_hints(self, call):
            return Hints(user_intent="force-cloud")

    bench.load().registry.register(Other())

    assert bench.hints(["hi"]) == {"user_intent": "force-cloud"}


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
def test_a_wrong_setting_is_named_and_costs_only_this_plugin(bench, settings, said):
    bench.load(**settings)

    assert bench.state.state == "failed"
    assert said in bench.state.error
    assert bench.hints(["hi"]) == {}
