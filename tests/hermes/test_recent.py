"""What a long-running gateway remembers does not grow without end, and what is in use stays."""

from __future__ import annotations

from host_in_process import ALICE, BOB, Place

from hermes_hints.hermes.turns import MOST, Recent, Turn, Turns
from hermes_hints.identity import Identity


def test_the_last_4096_are_kept():
    recent = Recent()
    for number in range(MOST + 1):
        recent.put(number, str(number))

    assert len(recent) == MOST == 4096
    assert 0 not in recent
    assert (recent[1], recent[MOST]) == ("1", str(MOST))


def test_what_is_put_again_is_the_newest():
    recent = Recent()
    for number in range(MOST):
        recent.put(number, "first")
    recent.put(0, "again")
    recent.put("one more", "")

    assert recent[0] == "again"
    assert 1 not in recent


def test_a_ticket_is_forgotten_only_after_as_many_others():
    turns = Turns()
    first = turns.issue("t:api:1", (Identity(user_id=ALICE), {}))
    for number in range(MOST - 1):
        turns.issue(f"other {number}", (Identity(user_id=BOB), {}))

    assert turns.told(first)[0].user_id == ALICE
    turns.issue("the last straw", (Identity(user_id=BOB), {}))
    assert turns.redeem(first) is None


def test_the_oldest_turn_of_many_is_forgotten_and_nobody_is_put_in_its_place(hermes):
    hermes.turn(Place(ALICE), "first", turn_id="t0")
    turns = hermes.context.middleware["llm_request"]._sessions._turns
    one = turns.get("t0")
    for number in range(MOST):
        turns.put(f"other {number}", one)

    assert turns.get("t0") is None


def test_nothing_that_is_remembered_of_turns_grows_without_end():
    turns = Turns()
    for number in range(MOST + 10):
        who = Identity(user_id=ALICE, session_id=f"s{number}")
        context = {"session_key": "k", "message_id": f"$m{number}"}
        turns.started(f"t{number}", f"s{number}", ALICE, f"words {number}")
        turns.put(f"t{number}", Turn(who, {}, context, f"root {number}"))
        turns.adopted(f"child {number}", who, f"t{number}")
        turns.also_known("signal", f"user {number}", f"other id {number}")
        turns.redeem(turns.issue(f"ticket {number}", (who, {})))

    sizes = {name: len(kept) for name, kept in vars(turns).items() if isinstance(kept, Recent)}
    assert len(sizes) >= 10
    assert set(sizes.values()) == {MOST}
