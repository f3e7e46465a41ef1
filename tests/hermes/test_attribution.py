"""Who each call is for, by what arrives: on both hosts, with turns that follow and race each other."""

from __future__ import annotations

import contextvars

import pytest
from host_in_process import ALICE, BOB, CAROL, Place, in_thread

IN_OPS = Place(ALICE)
BOBS = Place(BOB)
WHO = {"user_id", "user_id_alt", "user_name", "message_id"}
SHARED = "session of a thread"


def who(arrived):
    """Everything that names a person or one of their messages."""
    return {name: value for name, value in arrived.hermes.items() if name in WHO}


def shared(user_id):
    """A thread in which all people share one session."""
    return Place(user_id, session_id=SHARED)


def test_a_main_turn_says_who_where_and_which_turn(hermes):
    arrived = hermes.turn(IN_OPS, "hello", turn_id="t1", message_id="$1")

    said = arrived.hermes
    assert said.pop("v") == 1
    assert said == {
        "platform": "loopback",
        "user_id": ALICE,
        "user_id_alt": f"{ALICE} on the phone",
        "user_name": "Alice",
        "chat_id": "!ops:example.org",
        "chat_name": "Room !ops:example.org",
        "chat_type": "group",
        "message_id": "$1",
        "session_key": f"agent:main:loopback:group:!ops:example.org:{ALICE}",
        "session_id": IN_OPS.session,
        "conversation_id": IN_OPS.session,
        "agent": f"hermes-agent/{hermes.version}",
        "profile": "default",
        "turn_id": "t1",
        "task_id": "task of t1",
        "request_id": "t1:api:1",
        "call": 1,
        "purpose": "main",
    }


def test_the_ticket_is_gone_and_no_header_stands_twice(hermes):
    arrived = hermes.turn(IN_OPS, "hello", turn_id="t1")

    assert arrived.lines["request_id".replace("_", "-")] == arrived.hermes["request_id"]
    assert arrived.lines["user-id"] == ALICE


def test_two_people_whose_turns_race_are_never_taken_for_each_other(hermes):
    places = {person: Place(person) for person in (ALICE, BOB, CAROL)}
    tasks = {person: contextvars.Context() for person in places}

    def enter(place):
        hermes.variables.set(place.variables(f"$of {place.user_id}"))
        hermes.conversation.set(place.session)
        hermes.begin(place, "at once", f"turn of {place.user_id}")

    for person, place in places.items():
        tasks[person].run(enter, place)
    arrived = [
        (person, tasks[person].run(hermes.call, place.session, "at once", turn_id=f"turn of {person}"))
        for _ in range(2)
        for person, place in reversed(places.items())
    ]

    for person, call in arrived:
        assert (call.hermes["user_id"], call.hermes["message_id"]) == (person, f"$of {person}")
        assert not [other for other in places if other != person and other.encode() in call.head + call.body]


def test_a_message_that_waited_for_somebody_elses_turn_is_its_own_writers(hermes):
    """The host answers it in the task, and so in the session context, of the message before."""

    def both():
        first = hermes.answer(shared(ALICE), "hers")
        second = hermes.answer(shared(BOB), "his")
        return first, second

    first, second = hermes.started(shared(ALICE), both, message_id="$hers")

    assert who(first)["user_id"] == ALICE
    assert who(second) == {"user_id": BOB}
    assert second.hermes["chat_id"] == "!ops:example.org"
    assert second.hermes["conversation_id"] == SHARED


def test_a_second_message_of_the_same_person_in_one_task_is_not_called_by_the_firsts_id(hermes):
    def both():
        hermes.answer(IN_OPS, "one")
        return hermes.answer(IN_OPS, "two")

    second = hermes.started(IN_OPS, both, message_id="$one")

    assert who(second) == {"user_id": ALICE, "user_id_alt": f"{ALICE} on the phone", "user_name": "Alice"}


def test_later_steps_of_the_first_turn_keep_its_message(hermes):
    def both():
        hermes.answer(IN_OPS, "one", turn_id="t1")
        return hermes.call(IN_OPS.session, "one", turn_id="t1", api_request_id="t1:api:2", api_call_count=2)

    step = hermes.started(IN_OPS, both, message_id="$one")

    assert (step.hermes["message_id"], step.hermes["call"], step.hermes["request_id"]) == ("$one", 2, "t1:api:2")


def test_a_turn_whose_person_the_host_does_not_name_has_none_where_the_context_is_another_messages(hermes):
    def both():
        hermes.answer(shared(ALICE), "hers")
        return hermes.answer(Place("", session_id="another"), "whose?", sender="")

    second = hermes.started(shared(ALICE), both, message_id="$hers")

    assert who(second) == {}
    assert second.hermes["chat_id"] == "!ops:example.org"


def test_a_context_in_which_nothing_was_said_before_is_taken_at_its_word(hermes):
    assert who(hermes.turn(IN_OPS, "hello", sender=""))["user_id"] == ALICE


def test_the_process_environment_names_nobodys_session(hermes, monkeypatch):
    monkeypatch.setenv("HERMES_SESSION_ID", "session of somebody else")
    hermes.turn(IN_OPS, "hello")

    main = hermes.turn(BOBS, "mine")
    bare = hermes.sent(copied=False)

    assert main.hermes["session_id"] == BOBS.session
    assert b"somebody else" not in main.body + bare.head + bare.body


def test_a_grandchild_whose_parents_turn_the_host_does_not_tell_is_found_by_the_parents_session(hermes):
    def delegate():
        hermes.hook("subagent_start", child_session_id="child", parent_session_id=IN_OPS.session, parent_turn_id="t1")
        hermes.hook("subagent_start", child_session_id="grand", parent_session_id="child")

    hermes.turn(IN_OPS, "do it", turn_id="t1", after=delegate)

    said = in_thread(lambda: hermes.call("grand", "fetch", turn_id="g1", platform="subagent"), copied=False).hermes
    assert (said["user_id"], said["parent_session_id"], said["conversation_id"]) == (ALICE, "child", IN_OPS.session)


def test_a_child_of_a_turn_that_nobody_has_seen_is_of_whoever_the_context_says(hermes):
    def delegate():
        hermes.hook(
            "subagent_start", child_session_id="child", parent_session_id="unseen", parent_turn_id="unseen turn"
        )

    hermes.started(IN_OPS, delegate, message_id="$1")

    said = in_thread(lambda: hermes.call("child", "fetch", turn_id="c1", platform="subagent"), copied=False).hermes
    assert (said["user_id"], said["parent_session_id"], said["platform"]) == (ALICE, "unseen", "loopback")


@pytest.mark.parametrize(
    "ids",
    [
        {"child_session_id": "x"},
        {"child_session_id": "x", "parent_session_id": ""},
        {"parent_session_id": "x"},
        {"child_session_id": "", "parent_session_id": "y"},
        {"child_session_id": "x", "parent_session_id": "x"},
    ],
)
@pytest.mark.parametrize("session_id", ["x", ""])
def test_a_subagent_without_parent_is_nobodys_child(host, ids, session_id):
    hermes = host()
    hermes.load()
    hermes.started(IN_OPS, lambda: hermes.hook("subagent_start", **ids), message_id="$1")

    arrived = hermes.call(session_id, "fetch", turn_id="c1", platform="subagent")

    assert who(arrived) == {}
    assert "parent_session_id" not in arrived.hermes
    assert "platform" not in arrived.hermes


def test_the_hosts_own_agent_that_looks_back_works_for_whom_the_turn_was(hermes):
    def both():
        hermes.answer(shared(BOB), "his", turn_id="t1")
        return hermes.call(SHARED, "anything to remember?", turn_id="review")

    review = hermes.started(shared(ALICE), both, message_id="$hers")

    assert who(review) == {"user_id": BOB}
    assert review.hermes["turn_id"] == "review"
    assert review.hermes["conversation_id"] == SHARED


def test_a_job_on_a_schedule_is_nobodys(hermes):
    arrived = hermes.call("cron_1", "weather?", turn_id="c", platform="cron")

    assert who(arrived) == {}
    assert (arrived.hermes["platform"], arrived.hermes["purpose"]) == ("cron", "cron")
    assert arrived.hermes["conversation_id"] == arrived.hermes["session_id"] == "cron_1"


def test_a_second_attempt_has_an_id_of_its_own_and_joins_the_turn(hermes):
    def twice():
        return [hermes.call(IN_OPS.session, "hello", turn_id="t1") for _ in range(3)]

    attempts = [arrived.hermes for arrived in hermes.started(IN_OPS, twice, message_id="$1")]

    assert [said["request_id"] for said in attempts] == ["t1:api:1", "t1:api:1.2", "t1:api:1.3"]
    assert {said["turn_id"] for said in attempts} == {"t1"}


def test_one_request_that_is_sent_again_as_it_is_has_another_id(hermes):
    def twice():
        request = hermes.requested(IN_OPS.session, "hello", turn_id="t1")
        return [hermes.sent(request, copied=hermes.newer) for _ in range(2)]

    first, second = hermes.started(IN_OPS, twice, message_id="$1")

    assert (first.hermes["request_id"], second.hermes["request_id"]) == ("t1:api:1", "t1:api:1.2")
    assert {**first.hermes, "request_id": ""} == {**second.hermes, "request_id": ""}


def test_a_conversation_keeps_its_name_over_compression(hermes, caplog):
    before = hermes.turn(IN_OPS, "one")

    def rotated():
        return hermes.call("after compression", "two", turn_id="t2")

    after = hermes.started(IN_OPS, rotated, root=IN_OPS.session, message_id="$2")

    assert after.hermes["conversation_id"] == before.hermes["conversation_id"] == IN_OPS.session
    assert after.hermes["session_id"] == "after compression"
    assert caplog.text == ""


def test_everything_that_the_session_context_has_goes_along_and_its_word_comes_first(hermes):
    more = {"THREAD_ID": "$thread", "CHAT_TYPE": "channel", "PROFILE": "night shift", "PLATFORM": "matrix"}

    def work():
        hermes.variables.set(
            {**hermes.variables.get(), **{f"HERMES_SESSION_{name}": text for name, text in more.items()}}
        )
        return [hermes.answer(IN_OPS, "hello"), hermes.sent(copied=True)]

    for arrived in hermes.started(IN_OPS, work, message_id="$1"):
        said = arrived.hermes
        assert {name.lower(): said[name.lower()] for name in more} == {
            name.lower(): text for name, text in more.items()
        }
        assert (said["user_id_alt"], said["session_key"]) == (
            f"{ALICE} on the phone",
            IN_OPS.variables("")["HERMES_SESSION_KEY"],
        )


@pytest.mark.parametrize(
    ("key", "chat_type"),
    [
        ("agent:main:matrix:dm:!x", "dm"),
        ("agent:main:matrix:dm", "dm"),
        ("agent:main:matrix", None),
        ("a:b:c:d", None),
        ("", None),
    ],
)
def test_a_chats_type_is_read_off_a_key_of_the_hosts_form_alone(hermes, key, chat_type):
    def work():
        hermes.variables.set({"HERMES_SESSION_KEY": key})
        return hermes.answer(IN_OPS, "hello")

    assert hermes.started(None, work).hermes.get("chat_type") == chat_type
