"""Who the calls beside a turn are for: titles, compression, what tools and plugins ask, in whichever thread they run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from host_in_process import ALICE, BOB, Agent, Place, in_thread, of_host

IN_OPS = Place(ALICE)
BOBS = Place(BOB)
WHO = {"user_id", "user_id_alt", "user_name", "message_id"}
SHARED = "session of a thread"


@of_host("agent.auxiliary_client")
def call_llm(task, work):
    return work()


@of_host("agent.conversation_loop")
def run_conversation(agent, work):
    return work()


@of_host("agent.title_generator")
def generate_title(session_id, user_message, work):
    return call_llm("title_generation", work)


def who(arrived):
    """Everything that names a person or one of their messages."""
    return {name: value for name, value in arrived.hermes.items() if name in WHO}


def shared(user_id):
    """A thread in which all people share one session."""
    return Place(user_id, session_id=SHARED)


def test_a_call_from_nowhere_names_nobody(hermes):
    hermes.turn(IN_OPS, "hello")

    arrived = hermes.sent(copied=False)

    assert who(arrived) == {}
    assert set(arrived.hermes) == {"v", "agent", "profile", "request_id"}


@pytest.mark.parametrize("task", ["vision", "compression", "session_search"])
def test_a_call_that_a_turn_brings_about_is_its_persons_and_joins_it(hermes, task):
    found = []

    def tool():
        call_llm(task, hermes.send)
        found.append(hermes.arrived())

    main = hermes.turn(IN_OPS, "look", after=tool)

    (aux,) = found
    same = ("user_id", "user_name", "chat_id", "message_id", "session_id", "conversation_id", "turn_id", "task_id")
    assert {name: aux.hermes[name] for name in same} == {name: main.hermes[name] for name in same}
    assert aux.hermes["purpose"] == task
    assert aux.hermes["request_id"] != main.hermes["request_id"]
    assert "call" not in aux.hermes


def test_a_call_before_the_first_of_its_turn_is_not_the_previous_turns(hermes):
    """Compression of what is too long to begin with comes before anything that passes the middleware."""
    found = []

    def preflight(place, turn_id):
        agent = Agent(place.session, place.user_id, turn_id, f"task of {turn_id}")
        run_conversation(agent, lambda: call_llm("compression", hermes.send))
        found.append(hermes.arrived())

    def both():
        hermes.answer(shared(ALICE), "hers", turn_id="t1")
        hermes.answer(shared(BOB), "his", turn_id="t2", before=lambda: preflight(shared(BOB), "t2"))

    hermes.started(shared(ALICE), both, message_id="$hers")

    (aux,) = found
    assert who(aux) == {"user_id": BOB}
    assert (aux.hermes["turn_id"], aux.hermes["task_id"]) == ("t2", "task of t2")
    assert (aux.hermes["session_id"], aux.hermes["conversation_id"]) == (SHARED, SHARED)


def test_what_a_thread_has_left_over_from_an_earlier_request_is_not_used(host):
    """An executor's threads keep what was set in them; the API server runs its turns there."""
    hermes = host()
    hermes.load()
    found = []

    def request(place, text, *, aux):
        hermes.variables.set({})
        hermes.conversation.set(place.session)
        if aux:
            call_llm("title_generation", hermes.send)
            found.append(hermes.arrived())
        hermes.answer(place, text)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(request, IN_OPS, "one", aux=False).result()
        pool.submit(request, BOBS, "two", aux=True).result()

    (aux,) = found
    assert ALICE.encode() not in aux.head + aux.body
    assert "turn_id" not in aux.hermes
    assert aux.hermes["conversation_id"] == BOBS.session


def test_what_is_left_over_in_the_same_conversation_is_not_used_for_another_message(host):
    hermes = host()
    hermes.load()
    found = []

    def turn(message_id, *, aux):
        hermes.variables.set(IN_OPS.variables(message_id))
        hermes.conversation.set(IN_OPS.session)
        if aux:
            call_llm("compression", hermes.send)
            found.append(hermes.arrived())
        hermes.answer(IN_OPS, message_id)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(turn, "$1", aux=False).result()
        pool.submit(turn, "$2", aux=True).result()

    (aux,) = found
    assert "turn_id" not in aux.hermes
    assert aux.hermes["message_id"] == "$2"
    assert aux.hermes["user_id"] == ALICE


def test_a_message_of_another_person_in_the_same_thread_and_session_is_theirs_though_the_host_does_not_say(host):
    hermes = host()
    hermes.load()

    def turn(person):
        hermes.variables.set(shared(person).variables(f"$of {person}"))
        hermes.conversation.set(SHARED)
        return hermes.answer(shared(person), "hello", sender="")

    with ThreadPoolExecutor(1) as pool:
        calls = [pool.submit(turn, person).result() for person in (ALICE, BOB)]

    assert [who(call)["user_id"] for call in calls] == [ALICE, BOB]
    assert ALICE.encode() not in calls[1].head + calls[1].body


def test_a_title_made_in_a_thread_of_its_own_belongs_to_the_turn_whose_words_it_is_made_from(hermes):
    hermes.turn(IN_OPS, "beans", turn_id="t1")

    def title():
        hermes.conversation.set(IN_OPS.session)
        generate_title(IN_OPS.session, "beans", hermes.send)

    in_thread(title, copied=False)

    said = hermes.arrived().hermes
    assert (said["user_id"], said["turn_id"], said["purpose"]) == (ALICE, "t1", "title_generation")
    assert said["conversation_id"] == IN_OPS.session


@pytest.mark.parametrize("turns", [1, 2])
def test_words_to_which_the_host_has_added_a_note_lead_to_the_only_turn_there_was(hermes, turns):
    for number in range(turns):
        hermes.turn(IN_OPS, f"question {number}", turn_id=f"t{number}")

    def title():
        hermes.conversation.set(IN_OPS.session)
        generate_title(IN_OPS.session, "[a note] question 0", hermes.send)

    in_thread(title, copied=False)

    said = hermes.arrived().hermes
    assert said["user_id"] == ALICE
    assert said.get("turn_id") == ("t0" if turns == 1 else None)


@pytest.mark.parametrize("words", ["his", "neither's"])
def test_a_title_in_a_session_of_two_people_names_the_one_who_said_it_or_nobody(hermes, words):
    for person, text in ((ALICE, "hers"), (BOB, "his")):
        hermes.turn(shared(person), text, root=SHARED)

    def title():
        hermes.conversation.set(SHARED)
        generate_title(SHARED, words, hermes.send)

    in_thread(title, copied=False)

    said = hermes.arrived()
    assert said.hermes["conversation_id"] == SHARED
    assert said.hermes["chat_id"] == "!ops:example.org"
    assert who(said).get("user_id") == (BOB if words == "his" else None)


def test_two_people_who_said_the_same_in_one_session_are_not_told_apart_by_it(hermes):
    for person in (ALICE, BOB):
        hermes.turn(shared(person), "yes", root=SHARED)

    def title():
        hermes.conversation.set(SHARED)
        generate_title(SHARED, "yes", hermes.send)

    in_thread(title, copied=False)

    assert who(hermes.arrived()) == {}


def test_a_thread_that_knows_only_the_conversation_names_its_only_person_and_no_message(hermes):
    hermes.turn(IN_OPS, "one")

    def aside():
        hermes.conversation.set(IN_OPS.session)
        call_llm("compression", hermes.send)

    in_thread(aside, copied=False)

    arrived = hermes.arrived()
    assert who(arrived) == {"user_id": ALICE, "user_id_alt": f"{ALICE} on the phone", "user_name": "Alice"}
    assert arrived.hermes["session_id"] == IN_OPS.session


def test_a_thread_that_knows_only_the_conversation_finds_it_by_the_name_it_had_before_compression(hermes):
    hermes.turn(Place(ALICE, session_id="rotated"), "one", root="first")

    def aside():
        hermes.conversation.set("first")
        call_llm("compression", hermes.send)

    in_thread(aside, copied=False)

    said = hermes.arrived().hermes
    assert (said["user_id"], said["conversation_id"], said["session_id"]) == (ALICE, "first", "rotated")


@pytest.mark.parametrize("missing", ["nothing", "agent.portal_tags"])
def test_a_thread_that_knows_only_the_agents_session_finds_the_conversation_by_it(host, missing):
    hermes = host()
    hermes.without(missing)
    hermes.load()
    hermes.turn(IN_OPS, "one")

    agent = Agent(IN_OPS.session)
    in_thread(lambda: run_conversation(agent, lambda: call_llm("compression", hermes.send)), copied=False)

    arrived = hermes.arrived()
    assert who(arrived) == {"user_id": ALICE, "user_id_alt": f"{ALICE} on the phone", "user_name": "Alice"}
    assert arrived.hermes["conversation_id"] == arrived.hermes["session_id"] == IN_OPS.session


def test_where_the_conversation_is_anothers_than_the_session_context_nobody_is_named(hermes):
    hermes.turn(IN_OPS, "one")

    def aside():
        hermes.conversation.set(IN_OPS.session)
        call_llm("compression", hermes.send)

    hermes.started(BOBS, aside, root=BOBS.session, message_id="$bobs")

    arrived = hermes.arrived()
    assert who(arrived) == {}
    assert arrived.hermes["conversation_id"] == IN_OPS.session


def test_where_the_running_agent_works_for_somebody_else_than_the_context_says_only_that_one_is_named(hermes):
    agent = Agent("a session that nobody has seen", BOB)

    def aside():
        run_conversation(agent, lambda: call_llm("compression", hermes.send))

    hermes.started(IN_OPS, aside, message_id="$1")

    arrived = hermes.arrived()
    assert who(arrived) == {"user_id": BOB}
    assert arrived.hermes["session_id"] == "a session that nobody has seen"


def test_where_the_running_agent_agrees_the_name_stays(hermes):
    hermes.started(
        IN_OPS,
        lambda: run_conversation(Agent("s", ALICE), lambda: call_llm("compression", hermes.send)),
        message_id="$1",
    )

    assert who(hermes.arrived())["user_name"] == "Alice"


@pytest.mark.parametrize(
    ("task", "carries"), [("moa_aggregator", True), ("title_generation", False), ("vision", False)]
)
def test_only_what_gives_the_users_answer_carries_what_the_user_asked_for(hermes, task, carries):
    found = []

    def aside():
        call_llm(task, hermes.send)
        found.append(hermes.arrived().hermes)

    def turn():
        hermes.context.commands["hint"]("force-cloud")
        return hermes.answer(Place("", session_id="s", platform=""), "hello", after=aside)

    main = hermes.started(None, lambda: hermes.conversation.set("s") and turn())

    assert main.hermes["user_intent"] == "force-cloud"
    assert ("user_intent" in found[0]) == carries
    assert found[0]["request_id"] != main.hermes["request_id"]
