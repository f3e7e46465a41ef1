"""What the call stack tells of a call that passes no other door, by what arrives."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest
from host_in_process import ALICE, BOB, Agent, Place, in_thread, of_host

from hermes_hints.hermes.stack import stack_here

IN_OPS = Place(ALICE)


@pytest.fixture
def hermes(host):
    """Nothing here depends on the host's version."""
    hermes = host()
    hermes.load()
    return hermes


@of_host("agent.auxiliary_client")
def call_llm(task, work):
    return work()


@of_host("agent.auxiliary_client")
def retried(client, work):
    return work()


@of_host("agent.auxiliary_client")
def relayed(task, work):
    def inner():
        return task and work()

    return inner()


@of_host("agent.auxiliary_client")
async def async_call_llm(task, work):
    return await work()


@of_host("agent.plugin_llm")
def complete(work):
    return call_llm(None, work)


@of_host("agent.chat_completion_helpers")
def handle_max_iterations(agent, work):
    return work()


@of_host("agent.chat_completion_helpers")
def _dispatch_nonstreaming_api_request(agent, work):
    return work()


@of_host("agent.chat_completion_helpers")
def other_helper(agent, work):
    return work()


@of_host("run_agent")
def oldest(agent, work):
    return work()


@of_host("tools.delegate")
def tool(task, agent, work):
    return work()


@of_host("agents_of_somebody_else")
def namesake(task, agent, session_id, work):
    return work()


def deep(levels, work):
    return work() if not levels else deep(levels - 1, work)


@pytest.mark.parametrize(
    ("made", "purpose"),
    [
        (lambda work: call_llm("vision", work), "vision"),
        (lambda work: call_llm("moa_aggregator", lambda: retried("c", work)), "moa_aggregator"),
        (lambda work: relayed("compression", work), "compression"),
        (lambda work: call_llm("outer", lambda: call_llm("inner", work)), "inner"),
        (lambda work: call_llm(None, work), "auxiliary"),
        (lambda work: call_llm(7, work), "auxiliary"),
        (complete, "plugin"),
        (lambda work: handle_max_iterations(None, work), "summary"),
        (lambda work: _dispatch_nonstreaming_api_request(None, work), "summary"),
        (lambda work: handle_max_iterations(None, lambda: call_llm("title_generation", work)), "title_generation"),
        (lambda work: handle_max_iterations(None, lambda: complete(work)), "plugin"),
        (lambda work: other_helper(None, work), None),
        (lambda work: tool("not a purpose", None, work), None),
        (lambda work: namesake("not a purpose", None, "s", work), None),
        (lambda work: call_llm("vision", lambda: deep(60, work)), "vision"),
    ],
)
def test_the_purpose_is_the_hosts_own_name_for_the_task(hermes, made, purpose):
    made(hermes.send)

    assert hermes.arrived().hermes.get("purpose") == purpose


def test_a_stack_without_end_is_not_walked_to_its_end():
    found = call_llm("vision", lambda: deep(200, stack_here))

    assert found.purpose is None


def test_a_coroutine_is_on_the_stack_of_who_awaits_it(hermes):
    async def work():
        hermes.send()

    asyncio.run(async_call_llm("vision", work))

    assert hermes.arrived().hermes["purpose"] == "vision"


@pytest.mark.parametrize("module", [oldest, other_helper])
def test_the_agent_on_the_stack_says_for_whom_it_works(hermes, module):
    agent = Agent("s1", BOB, "t1", "task of t1")

    in_thread(lambda: module(agent, hermes.send), copied=False)

    said = hermes.arrived().hermes
    assert (said["user_id"], said["session_id"], said["conversation_id"]) == (BOB, "s1", "s1")
    assert (said["turn_id"], said["task_id"]) == ("t1", "task of t1")


def test_the_nearest_agent_counts(hermes):
    in_thread(
        lambda: oldest(Agent("parents", ALICE, "t1"), lambda: oldest(Agent("childs", BOB, "t2"), hermes.send)),
        copied=False,
    )

    said = hermes.arrived().hermes
    assert (said["session_id"], said["user_id"], said["turn_id"]) == ("childs", BOB, "t2")
    assert "task_id" not in said


@pytest.mark.parametrize("found", [None, "a name", Agent(""), Agent(None), object()])
def test_what_is_called_agent_and_is_none_tells_nothing(hermes, found):
    in_thread(lambda: oldest(found, hermes.send), copied=False)

    assert {"user_id", "session_id", "turn_id"} & hermes.arrived().hermes.keys() == set()


@pytest.mark.parametrize("module", [tool, namesake])
def test_an_agent_of_somebody_elses_code_tells_nothing(hermes, module):
    arguments = ["task", Agent("s1", BOB, "t1"), *(["s1"] if module is namesake else [])]

    in_thread(lambda: module(*arguments, hermes.send), copied=False)

    assert {"user_id", "session_id", "turn_id"} & hermes.arrived().hermes.keys() == set()


def test_ids_of_the_agent_that_are_no_text_are_absent(hermes):
    in_thread(lambda: oldest(Agent("s1", 7, 8, 9), hermes.send), copied=False)

    said = hermes.arrived().hermes
    assert said["session_id"] == "s1"
    assert {"user_id", "turn_id", "task_id"} & said.keys() == set()


def test_the_summary_of_a_turn_belongs_to_it_and_is_no_step_of_the_loop(hermes):
    found = []

    def summary():
        handle_max_iterations(Agent(IN_OPS.session, ALICE, "t1", "task of t1"), hermes.send)
        found.append(hermes.arrived())

    main = hermes.turn(IN_OPS, "too much", turn_id="t1", after=summary)

    said = found[0].hermes
    joined = ("user_id", "chat_id", "message_id", "turn_id", "task_id", "session_id", "conversation_id")
    assert {name: said[name] for name in joined} == {name: main.hermes[name] for name in joined}
    assert said["purpose"] == "summary"
    assert "call" not in said


@of_host("agent.moa_loop")
def mixture(api_kwargs, work):
    return work()


@of_host("agent.moa_loop")
def run_references(ref_messages, work):
    return work()


@of_host("agent.moa_loop")
def all_at_once(api_kwargs, ref_messages, work):
    """0.19 asks the models of a mixture in threads that know nothing, and waits."""
    return run_references(ref_messages, lambda: in_thread(work, copied=False))


@of_host("agent.moa_loop")
def run_reference(ref_messages, work):
    return call_llm("moa_reference", work)


def test_the_models_of_a_mixture_work_for_whom_the_mixture_does(hermes):
    def mixed():
        request = hermes.requested(IN_OPS.session, "which?", turn_id="t1", base_url="moa://local")
        in_thread(lambda: mixture(request, lambda: call_llm("moa_reference", hermes.send)), copied=False)
        return hermes.arrived()

    said = hermes.started(IN_OPS, mixed, message_id="$1").hermes

    assert (said["user_id"], said["turn_id"], said["purpose"]) == (ALICE, "t1", "moa_reference")
    assert said["request_id"] != "t1:api:1"


@pytest.mark.parametrize("same", [True, False])
def test_in_a_thread_that_knows_nothing_the_very_same_messages_lead_to_the_mixture(hermes, same):
    messages = [{"role": "user", "content": "which?"}]
    at_work = messages if same else list(messages)

    def mixed():
        request = hermes.requested(IN_OPS.session, "which?", turn_id="t1", base_url="moa://local")
        all_at_once(request, messages, lambda: run_reference(at_work, hermes.send))
        return hermes.arrived()

    said = in_thread(lambda: hermes.started(IN_OPS, mixed, message_id="$1"), copied=False).hermes

    assert said.get("user_id") == (ALICE if same else None)
    assert said["purpose"] == "moa_reference"


def test_two_mixtures_at_once_are_told_apart(hermes):
    both = threading.Barrier(2, timeout=10)
    people = {ALICE: Place(ALICE), BOB: Place(BOB)}

    def mixed(person, place):
        messages = [{"role": "user", "content": "which?"}]
        request = hermes.requested(place.session, "which?", turn_id=f"turn of {person}", base_url="moa://local")

        def reference():
            both.wait()
            hermes.send()
            both.wait()

        all_at_once(request, messages, lambda: run_reference(messages, reference))

    threads = [
        threading.Thread(target=hermes.started, args=(place, partial(mixed, person, place)))
        for person, place in people.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    said = [arrived.hermes for arrived in hermes.upstream.take()]
    assert {(one["user_id"], one["turn_id"]) for one in said} == {(person, f"turn of {person}") for person in people}


@pytest.mark.parametrize(
    "kwargs", [None, {}, {"extra_headers": None}, {"extra_headers": {"X-Hermes-Request-Id": 5}}, "x"]
)
def test_a_mixture_without_ticket_names_nobody(hermes, kwargs):
    in_thread(lambda: mixture(kwargs, lambda: call_llm("moa_reference", hermes.send)), copied=False)

    assert "user_id" not in hermes.arrived().hermes
