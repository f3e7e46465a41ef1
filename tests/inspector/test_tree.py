"""Where a call stands in the tree of its turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hermes_hints.inspector.tree import Branch, Placed, branch_of

MAIN = {"conversation_id": "c", "turn_id": "t", "session_id": "s", "purpose": "main"}
CHILD = {**MAIN, "session_id": "s1", "parent_session_id": "s", "purpose": "subagent"}
GRANDCHILD = {**CHILD, "session_id": "s2", "parent_session_id": "s1"}


def parents(*records, delegating=()):
    placed = []
    for number, record in enumerate(records, 1):
        tools = ("delegate_task",) if number in delegating else ()
        placed.append(Placed(number, record, branch_of(record, placed), tools))
    return [one.branch.parent for one in placed]


def test_the_steps_of_a_turn_and_its_title_hang_from_the_turn():
    assert parents(MAIN, MAIN, {**MAIN, "purpose": "title_generation"}) == [None, None, None]


def test_a_subagent_s_steps_hang_from_the_step_that_began_it():
    assert parents(MAIN, CHILD, MAIN, CHILD, MAIN) == [None, 1, None, 1, None]


def test_also_where_it_works_in_the_background_while_they_go_on():
    assert parents(MAIN, MAIN, MAIN, CHILD, MAIN, CHILD, delegating=[2]) == [None, None, None, 2, None, 2]


def test_so_do_those_of_a_subagent_s_subagent():
    assert parents(MAIN, CHILD, GRANDCHILD, GRANDCHILD, CHILD) == [None, 1, 2, 2, 1]


def test_two_subagents_at_once_are_told_apart():
    other = {**CHILD, "session_id": "s9"}
    assert parents(MAIN, CHILD, other, CHILD, other) == [None, 1, 1, 1, 1]


def test_what_a_tool_asks_a_model_hangs_from_the_step_before_it():
    vision = {**MAIN, "purpose": "vision"}
    assert parents(MAIN, MAIN, vision, {**CHILD, "session_id": "s1"}, {**vision, "session_id": "s1"}) == [
        None,
        None,
        2,
        2,
        4,
    ]


def test_turns_of_two_conversations_are_never_one():
    one, other = branch_of(MAIN, []), branch_of({**MAIN, "conversation_id": "d"}, [])
    assert one.turn != other.turn


def test_a_call_that_says_of_no_turn_stands_with_its_conversation_or_alone():
    assert branch_of({"conversation_id": "c"}, []) == Branch("c\n", None)
    assert branch_of({"user_id": "ann"}, []) == Branch(None, None)


some = st.sampled_from(["a", "b", "c"])
steps = st.fixed_dictionaries(
    {},
    optional={
        "conversation_id": some,
        "turn_id": some,
        "session_id": some,
        "parent_session_id": some,
        "purpose": st.sampled_from(["main", "subagent", "title_generation", "vision"]),
    },
)


@given(st.lists(steps, max_size=12))
def test_whatever_calls_say_the_tree_is_one(records):
    """Each call hangs from an earlier one of its own turn, so none is lost and there is no circle."""
    placed = []
    for number, record in enumerate(records, 1):
        branch = branch_of(record, placed)
        if branch.parent is not None:
            assert branch.parent < number
            assert placed[branch.parent - 1].branch.turn == branch.turn is not None
        placed.append(Placed(number, record, branch))
