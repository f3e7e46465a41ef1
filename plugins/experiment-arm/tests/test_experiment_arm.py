from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[1]


@pytest.fixture
def load(hints_bench):
    """Put the plugin on a bench with these settings."""
    return lambda **settings: hints_bench(PLUGIN, settings=settings)


def refusal(bench):
    """In which words it refuses its settings."""
    assert bench.state.state == "failed"
    return bench.state.error


def arms(bench, count):
    return [bench.hints(session_id=f"s-{number}")["experiment_arm"] for number in range(count)]


def test_a_conversation_stays_in_its_arm_also_after_a_restart(load):
    first, again = arms(load(), 50), arms(load(), 50)

    assert again == first
    assert set(first) == {"control", "treatment"}


def test_arms_get_their_weights(load):
    counted = Counter(arms(load(arms={"control": 8, "treatment": 2, "never": 0}), 2000))

    assert counted == {"control": pytest.approx(1600, abs=80), "treatment": pytest.approx(400, abs=80)}


def test_another_name_draws_anew(load):
    assert arms(load(name="one"), 64) != arms(load(name="two"), 64)


def test_it_goes_by_the_user_when_told_so(load):
    bench = load(by="user_id")

    assert len({bench.hints(user_id="u", session_id=f"s-{number}")["experiment_arm"] for number in range(20)}) == 1
    assert bench.hints(session_id="s") == {}


def test_the_arm_is_the_one_that_the_readme_works_out(load):
    (code,) = re.findall(r"^```python\n(.*?)^```$", (PLUGIN / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    named = {}
    exec(code, named)  # noqa: S102 - the block is what is tested
    bench = load(name="bigger-model", arms={"control": 9, "treatment": 1})

    for number in range(200):
        place = named["place"]("bigger-model", f"s-{number}", 10)
        assert bench.hints(session_id=f"s-{number}") == {"experiment_arm": "treatment" if place >= 9 else "control"}


def test_changing_weights_moves_only_whom_it_must(load):
    before, after = (arms(load(arms={"control": 10 - size, "treatment": size}), 500) for size in (1, 3))

    moved = {pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]}
    assert moved == {("control", "treatment")}


def test_any_id_can_be_drawn(load):
    assert load(by="chat_id").hints(chat_id="half a pair \ud800")["experiment_arm"] in {"control", "treatment"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"arm": {}}, "'arm'"),
        ({"by": "room"}, "by is 'room'; use one of conversation_id, user_id, chat_id"),
        ({"arms": ["a", "b"]}, "arms is ['a', 'b']; give each arm a weight"),
        ({"arms": {"a": "many"}}, "the weight of arm 'a' is 'many'"),
        ({"arms": {"a": -1}}, "the weight of arm 'a' is -1"),
        ({"arms": {"a": 0}}, "the weights in arms sum up to 0; give at least one arm more than 0"),
        ({"arms": {"a": 1e308, "b": 1e308}}, "the weights in arms sum up to inf"),
        ({"arms": {True: 1}}, "the arm True is no text of 1 to 512 characters; write it in quotes"),
        ({"arms": {"x" * 513: 1}}, "is no text of 1 to 512 characters"),
        ({"name": 5}, "name is 5; give a text"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(load, settings, said):
    assert said in refusal(load(**settings))
