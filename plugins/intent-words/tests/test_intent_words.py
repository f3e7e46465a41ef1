from __future__ import annotations

from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[1]
WORDS = {
    "force-cloud": {
        "en": ["think hard", "take your time"],
        "de": "denk gut nach, ja",
        "fr": ["réfléchis bien"],
        "el": "σκέψου καλά",
    }
    | {"ja": "よく考えて", "th": "คิดดีๆ", "ko": "잘 생각해", "sharp": "groß gedacht"},
    "force-local": "just between us",
    "joke": ["think"],
    "loud": ["!!", "#now"],
}


@pytest.fixture
def load(hints_bench):
    """Put the plugin on a bench with these settings."""
    return lambda **settings: hints_bench(PLUGIN, settings=settings)


def refusal(bench):
    """In which words it refuses its settings."""
    assert bench.state.state == "failed"
    return bench.state.error


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        ("think hard, why does the build fail?", "force-cloud"),
        ("  THINK HARD\nwhy?", "force-cloud"),
        ("Take  your\ttime", "force-cloud"),
        ("Réfléchis bien : pourquoi ?", "force-cloud"),
        ("Re\u0301FLE\u0301CHIS BIEN", "force-cloud"),
        ("GROSS GEDACHT: alles", "force-cloud"),
        ("ΣΚΈΨΟΥ ΚΑΛΆ", "force-cloud"),
        ("\uff34\uff28\uff29\uff2e\uff2b \uff28\uff21\uff32\uff24", "force-cloud"),
        ("よく考えてください", "force-cloud"),
        ("คิดดีๆนะ", "force-cloud"),
        ("잘 생각해 봐", "force-cloud"),
        ("잘 생각해봐", None),
        ("“Think hard!” she said", "force-cloud"),
        ("**think hard** please", "force-cloud"),
        ("[Alice] think hard", "force-cloud"),
        ("[Bob | Slack user <@U024BE7LH>] Think hard", "force-cloud"),
        ("[Alice] we spoke of it\n\n[New message]\n[Bob] think hard", "force-cloud"),
        ("think hard\n\n[New message]\n[Bob] hello", None),
        ("[think] hard", None),
        ("!!why", "loud"),
        ("#now!", "loud"),
        ("#nowhere", None),
        ("think\u0301", None),
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
        (
            {"words": {"a": [" "]}},
            "the openings of 'a' are [' ']; give a list of texts of 1 to 200 characters, or one for",
        ),
        ({"words": {"a": {"en": ["x" * 201]}}}, "the openings of 'a' are "),
        ({"words": {"a": None}}, "the openings of 'a' are None"),
        ({"words": {False: ["no"]}}, "the intent False is no text of 1 to 512 characters; write it in quotes"),
        ({"words": {"a": ["Hey"], "b": ["hey"]}}, "the opening 'hey' means 'a' and 'b'; give it to one of them"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(load, settings, said):
    assert said in refusal(load(**settings))
