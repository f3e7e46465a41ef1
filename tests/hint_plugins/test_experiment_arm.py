from __future__ import annotations

from collections import Counter

import pytest

PLUGIN = "experiment-arm"


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


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"arm": {}}, "'arm'"),
        ({"by": "room"}, "by is 'room'; use one of conversation_id, user_id, chat_id"),
        ({"arms": ["a", "b"]}, "arms is ['a', 'b']; give each arm a weight"),
        ({"arms": {"a": "many"}}, "the weight of arm 'a' is 'many'"),
        ({"arms": {"a": -1}}, "the weight of arm 'a' is -1"),
        ({"arms": {"a": 0}}, "all weights in arms are 0"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(refused, settings, said):
    assert said in refused(**settings)
