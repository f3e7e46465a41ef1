from __future__ import annotations

import pytest

pytestmark = pytest.mark.parametrize("bench", ["experiment-arm"], indirect=True)


def test_a_conversation_stays_in_its_arm_also_after_a_restart(bench):
    first = [bench.load().hints(identity={"session_id": f"s-{number}"}) for number in range(50)]
    again = [type(bench)(bench.name).load().hints(identity={"session_id": f"s-{number}"}) for number in range(3)]

    assert again == first[:3]
    assert {hints["experiment_arm"] for hints in first} == {"control", "treatment"}


def test_arms_get_their_weights(bench):
    shares = bench.shares(arms={"control": 8, "treatment": 2, "never": 0})

    assert shares == {"control": pytest.approx(0.8, abs=0.04), "treatment": pytest.approx(0.2, abs=0.04)}


def test_another_name_draws_anew(bench):
    def drawn(name):
        bench.load(name=name)
        return [bench.hints(identity={"session_id": f"s-{number}"})["experiment_arm"] for number in range(64)]

    assert drawn("one") != drawn("two")


def test_it_goes_by_the_user_when_told_so(bench):
    bench.load(by="user_id")

    arms = {
        bench.hints(identity={"user_id": "u", "session_id": f"s-{number}"})["experiment_arm"] for number in range(20)
    }
    assert len(arms) == 1
    assert bench.hints(identity={"session_id": "s"}) == {}


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
def test_a_wrong_setting_is_named_and_costs_only_this_plugin(bench, settings, said):
    bench.load(**settings)

    assert bench.state.state == "failed"
    assert said in bench.state.error
    assert bench.hints(identity={"session_id": "s"}) == {}
