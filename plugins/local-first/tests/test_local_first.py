from __future__ import annotations

from pathlib import Path

import openai
import pytest

from hermes_hints import loaded_plugins, unregister, wrap

PLUGIN = Path(__file__).resolve().parents[1]


@pytest.fixture
def load(hints_bench):
    """Put the plugin on a bench with these settings."""
    return lambda **settings: hints_bench(PLUGIN, settings=settings)


def refusal(bench):
    """In which words it refuses its settings."""
    assert bench.state.state == "failed"
    return bench.state.error


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


def test_what_another_plugin_says_wins(tmp_path, hints_upstream):
    """Also one that would be the weaker of the two by its name."""
    (tmp_path / "local-first").symlink_to(PLUGIN, target_is_directory=True)
    (tmp_path / "cloud_first.py").write_text(
        "from hermes_hints import hookimpl\n\n\n@hookimpl\ndef contribute_hints(call):\n"
        "    return {'user_intent': 'force-cloud'} if call.user_text() == 'hard' else None\n"
    )
    with openai.OpenAI(base_url=hints_upstream.base_url, api_key="k") as client:
        wrap(client, settings={"hints_directory": tmp_path, "budget_ms": 1000})
        for text, intent in (("hard", "force-cloud"), ("easy", "prefer-local")):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
            assert hints_upstream.last.record.user_intent == intent
    for plugin in loaded_plugins():
        unregister(plugin.name)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"longest": 5}, "there is no setting 'longest'; use longest_local, purposes, local, cloud"),
        ({"longest_local": "60k"}, "longest_local is '60k'; give a whole number of characters"),
        ({"longest_local": -1}, "longest_local is -1"),
        ({"longest_local": True}, "longest_local is True"),
        ({"purposes": ["main"]}, "purposes is ['main']; give each purpose its place"),
        ({"purposes": {"main": "moon"}}, "the place of 'main' in purposes is 'moon'; use one of local, cloud"),
        ({"cloud": ""}, "cloud is ''; give the user_intent that means it, 1 to 512 characters, such as prefer-cloud"),
        ({"local": "x" * 513}, "give the user_intent that means it"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(load, settings, said):
    assert said in refusal(load(**settings))
