"""What a main call's request gets in each of the host's ways to call a model: a ticket, or what goes without a door."""

from __future__ import annotations

import copy
import sys

import pytest
from host_in_process import ALICE, Place, of_host
from openai import OpenAI

IN_OPS = Place(ALICE)
TICKET = "X-Hermes-Request-Id"
PUBLIC = "https://llm.example.org/v1"
LOCAL = "http://127.0.0.1:4000/v1"


def asked(**more):
    return {"model": "m", "messages": [{"role": "user", "content": "hello"}], **more}


def requested(hermes, api_mode="chat_completions", **more):
    told = {"turn_id": "t1", "api_mode": api_mode, **more}
    return hermes.started(IN_OPS, lambda: hermes.requested(IN_OPS.session, "hello", **told), message_id="$1")


@pytest.fixture
def anthropic(hermes):
    """The Anthropic SDK, as far as it is built as OpenAI's is."""

    class Anthropic(OpenAI):
        pass

    hermes.module("anthropic", Anthropic=Anthropic, AsyncAnthropic="not there in this version")
    return Anthropic


@pytest.fixture
def isolated(host, monkeypatch):
    """0.22 with plugins in a process of their own."""
    monkeypatch.setenv("HERMES_PLUGIN_HOST_PROCESS", "1")
    hermes = host(newer=True)
    hermes.load()
    return hermes


@pytest.mark.parametrize("api_mode", ["chat_completions", "codex_responses"])
def test_a_request_gets_a_ticket_and_nothing_else(hermes, api_mode):
    request = asked(temperature=0)
    before = copy.deepcopy(request)

    changed = requested(hermes, api_mode, request=request)

    assert changed == {**before, "extra_headers": {TICKET: "t1:api:1"}}
    assert request == before


def test_headers_of_the_hosts_own_stay_and_are_not_written_into(hermes):
    own = {"anthropic-beta": "x"}

    changed = requested(hermes, request=asked(extra_headers=own))

    assert changed["extra_headers"] == {"anthropic-beta": "x", TICKET: "t1:api:1"}
    assert own == {"anthropic-beta": "x"}


def test_headers_that_are_none_are_no_failure(hermes):
    assert requested(hermes, request=asked(extra_headers=None))["extra_headers"] == {TICKET: "t1:api:1"}


def test_the_host_is_told_who_changed_the_request(hermes):
    told = hermes.context.middleware["llm_request"](request=asked(), session_id="s", api_mode="chat_completions")

    assert told["source"] == "hermes-hints"
    assert told["request"]["extra_headers"] == {TICKET: "s:api"}


@pytest.mark.parametrize("api_mode", ["codex_app_server", "", None])
def test_a_way_that_is_not_known_here_is_left_alone(hermes, api_mode):
    middleware = hermes.context.middleware["llm_request"]

    assert middleware(request=asked(), session_id="s", turn_id="t", api_mode=api_mode) is None


@of_host("agent.background_review")
def review(work):
    return work()


@pytest.mark.parametrize(
    ("platform", "purpose"),
    [
        ("matrix", "main"),
        ("", "main"),
        (None, "main"),
        ("subagent", "subagent"),
        ("cron", "cron"),
        ("curator", "curator"),
    ],
)
def test_the_platform_tells_the_purpose(hermes, platform, purpose):
    assert hermes.call("s", "hello", turn_id="t1", platform=platform).hermes["purpose"] == purpose


def test_the_hosts_own_look_back_is_no_main_turn(hermes):
    assert review(lambda: hermes.call("s", "hello", turn_id="t1")).hermes["purpose"] == "background_review"


def test_ids_that_the_host_does_not_tell_are_absent(hermes):
    said = hermes.call("s", "hello", turn_id="", task_id=None, api_call_count=0, api_request_id="").hermes

    assert {"turn_id", "task_id", "call"} & said.keys() == set()
    assert said["request_id"] == "s:api"


def test_two_requests_in_flight_keep_their_own(hermes):
    one = requested(hermes, turn_id="t1", api_call_count=1)
    two = requested(hermes, turn_id="t1", api_call_count=2)

    second = hermes.sent(two, copied=False).hermes
    first = hermes.sent(one, copied=False).hermes

    assert (first["request_id"], first["call"]) == ("t1:api:1", 1)
    assert (second["request_id"], second["call"]) == ("t1:api:1.2", 2)


def test_responses_are_stamped_where_they_leave(hermes):
    request = requested(hermes, "codex_responses", request={"model": "m", "input": "hello"})

    hermes.client.responses.create(**request)

    arrived = hermes.arrived()
    assert arrived.hermes["user_id"] == ALICE
    assert arrived.header(TICKET) == arrived.hermes["request_id"] == "t1:api:1"


def test_an_anthropic_client_that_is_there_has_a_door_and_its_request_a_ticket(hermes, anthropic):
    request = requested(hermes, "anthropic_messages", base_url=PUBLIC)

    assert request["extra_headers"] == {TICKET: "t1:api:1"}
    assert "metadata" not in request
    assert "request" in vars(anthropic)
    hermes.load()
    assert "request" not in vars(anthropic)


def test_where_no_anthropic_client_is_there_what_the_api_has_a_place_for_is_written_here(hermes):
    request = requested(hermes, "anthropic_messages", base_url=LOCAL)

    assert request["metadata"] == {"user_id": ALICE}
    assert "hermes" not in request
    assert request["extra_headers"]["X-Hermes-User-Id"] == ALICE
    assert request["extra_headers"]["X-Hermes-Purpose"] == "main"
    assert "anthropic" not in sys.modules  # looking for it does not import it


def test_bedrock_gets_pairs_of_its_own_kind_and_neither_ticket_nor_headers(host):
    hermes = host(settings={"endpoints": [{"match": "bedrock.example.org", "profile": "bedrock"}]})
    hermes.load()

    request = requested(hermes, "bedrock_converse", base_url="https://bedrock.example.org")

    assert "extra_headers" not in request
    assert request["requestMetadata"]["hermes_user_id"] == ALICE
    assert set(request) == {"model", "messages", "requestMetadata"}


@pytest.mark.parametrize("api_mode", ["anthropic_messages", "bedrock_converse"])
@pytest.mark.parametrize("base_url", [PUBLIC, "moa://local", "", None])
def test_nothing_at_all_is_written_for_a_host_that_nobody_named(hermes, api_mode, base_url):
    assert requested(hermes, api_mode, base_url=base_url) == asked()


@pytest.mark.parametrize("base_url", [PUBLIC, "moa://local", "", None])
@pytest.mark.parametrize("api_mode", ["chat_completions", "codex_responses", "anthropic_messages", "bedrock_converse"])
def test_in_a_process_of_their_own_no_ticket_leaves(isolated, api_mode, base_url):
    assert requested(isolated, api_mode, base_url=base_url) == asked()


@pytest.mark.parametrize("api_mode", ["chat_completions", "codex_responses"])
def test_in_a_process_of_their_own_bodies_that_may_be_refused_stay_as_they_are(isolated, api_mode):
    request = requested(isolated, api_mode, base_url=LOCAL)

    lines = request.pop("extra_headers")
    assert request == asked()
    assert lines["X-Hermes-User-Id"] == ALICE
    assert lines[TICKET] == "t1:api:1"


def test_in_a_process_of_their_own_a_mixture_is_left_alone_even_where_everything_may_go(host, monkeypatch):
    monkeypatch.setenv("HERMES_PLUGIN_HOST_PROCESS", "1")
    hermes = host(newer=True, settings={"endpoints": [{"match": "local", "profile": "headers"}]})
    hermes.load()

    assert requested(hermes, base_url="moa://local") == asked()


def test_what_was_asked_for_on_the_command_line_is_on_each_call_of_the_next_turn(hermes):
    def next_turn():
        hermes.context.commands["hint"]("force-cloud")
        hermes.begin(Place("", session_id="s", platform=""), "hello", "t1")
        return [hermes.call("s", "hello", turn_id=turn_id) for turn_id in ("t1", "t1", "t2")]

    said = [arrived.hermes for arrived in hermes.started(None, next_turn)]

    assert [one.get("user_intent") for one in said[:2]] == ["force-cloud", "force-cloud"]
    assert said[0]["command_origin"] == "/hint"


def test_a_command_within_the_messages_is_taken_out_of_what_the_model_sees_and_the_hosts_copy_stays(hermes):
    request = asked(messages=[{"role": "user", "content": "/hint force-cloud why?"}])
    before = copy.deepcopy(request)

    arrived = hermes.call("s", "", turn_id="t1", request=request)

    assert arrived.json["messages"] == [{"role": "user", "content": "why?"}]
    assert arrived.hermes["user_intent"] == "force-cloud"
    assert request == before


def test_it_is_taken_out_in_ways_that_are_not_known_here_too(hermes):
    middleware = hermes.context.middleware["llm_request"]
    request = asked(messages=[{"role": "user", "content": "/hint force-cloud why?"}])

    changed = middleware(request=request, session_id="s", turn_id="t1", api_mode="codex_app_server")

    assert changed["request"] == asked(messages=[{"role": "user", "content": "why?"}])


def test_a_ticket_of_nobodys_is_sent_on_as_the_callers_own_header(hermes):
    arrived = hermes.sent(asked(extra_headers={TICKET: "made up"}), copied=False)

    assert arrived.header(TICKET) == arrived.hermes["request_id"] == "made up"
    assert "user_id" not in arrived.hermes
