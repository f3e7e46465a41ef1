from __future__ import annotations

import pytest

PLUGIN = "intent-words"
WORDS = {
    "force-cloud": ["think hard", "denk gut nach", "réfléchis bien"],
    "force-local": "just between us",
    "joke": ["think"],
}


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        ("think hard, why does the build fail?", "force-cloud"),
        ("  THINK HARD\nwhy?", "force-cloud"),
        ("Réfléchis bien : pourquoi ?", "force-cloud"),
        ("just between us: who won?", "force-local"),
        ("think of a number", "joke"),
        ("thinking aloud", None),
        ("please think hard", None),
        ("", None),
    ],
)
def test_the_first_words_tell_the_intent_and_the_longest_opening_wins(load, message, intent):
    assert load(words=WORDS).hints(message, purpose="main").get("user_intent") == intent


def test_without_settings_intents_go_by_their_own_names(load):
    assert load().hints("force-cloud why?") == {"user_intent": "force-cloud"}


def test_the_last_message_counts_and_only_for_turns(load):
    bench = load(words=WORDS)
    messages = [{"role": "user", "content": text} for text in ("think hard", "and now?")]

    assert bench.hints(messages=messages, purpose="main") == {}
    assert bench.hints("think hard", purpose="title_generation") == {}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"word": {}}, "'word'"),
        ({"words": ["a"]}, "words is ['a']; give each intent its openings"),
        ({"words": {"a": [1]}}, "the openings of 'a' are [1]"),
        ({"words": {"a": [" "]}}, "the openings of 'a' are [' ']"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(refused, settings, said):
    assert said in refused(**settings)
