"""``doctor`` of the host: which doors it has, what keeps hermes-hints out, and what is sent all the same."""

from __future__ import annotations

import pytest

MODEL = {"provider": "custom", "base_url": "http://127.0.0.1:9/v1", "default": "m"}


def test_of_a_host_that_has_them_every_door_is_open(operator, installed):
    installed()
    operator.configure()

    told = operator.run("doctor", "--json")

    assert told.status == 0
    assert told.json["host"] == "hermes-agent/0.19.0"
    assert set(told.json["doors"].values()) == {True}
    assert {name.partition(" ")[0] for name in told.json["doors"]} >= {"hook", "middleware"}
    assert "MISSING" not in operator.run("doctor").output


def test_a_short_form_with_the_name_of_a_built_in_command_is_a_problem_and_the_line_mends_it(operator, installed):
    installed()
    operator.configure({"commands": {"cloud": {"user_intent": "force-cloud"}, "status": {"priority": "high"}}})

    told = operator.run("doctor", "--json")

    assert told.status == 1
    (problem,) = told.json["problems"]
    assert problem["what"] == "/status is a command of Hermes' own: it cannot be a short form of /hint"
    operator.mend(problem["remedy"])
    assert operator.run("doctor").status == 0


@pytest.mark.parametrize(
    ("missing", "door", "lost"),
    [
        ("agent.portal_tags", "agent.portal_tags.get_conversation_context", "requests carry less identity"),
        ("gateway.session_context", "gateway.session_context.get_session_env", "requests carry less identity"),
        ("pre_llm_call", "hook pre_llm_call", "/hint counts for nobody"),
        ("pre_gateway_dispatch", "hook pre_gateway_dispatch", "/hint has no effect in chats"),
        ("subagent_start", "hook subagent_start", "what subagents call is nobody's"),
        ("transform_llm_output", "hook transform_llm_output", "confirm has no effect"),
        ("llm_request", "middleware llm_request", "without ids of turns and calls"),
        ("hermes_cli.middleware", "middleware llm_request", "without ids of turns and calls"),
    ],
)
def test_a_door_that_an_older_host_has_not_is_named_with_what_it_costs(operator, installed, missing, door, lost):
    installed(missing)
    operator.configure()

    told = operator.run("doctor", "--json")

    assert told.status == 1
    assert [name for name, there in told.json["doors"].items() if not there] == [door]
    (problem,) = told.json["problems"]
    assert problem["what"].startswith(f"this Hermes has no {door}: ")
    assert lost in problem["what"]
    assert problem["remedy"] == {"place": "shell", "line": "hermes update"}
    assert f"  {door} " in operator.run("doctor").output


def test_where_plugins_have_a_process_of_their_own_endpoints_get_headers(operator):
    operator.configure(model=MODEL, plugins={"isolation": " Host "})

    told = operator.run("doctor", "--json", "--no-probe")

    assert told.json["endpoints"][0]["sends"] == ["16 headers"]
    (problem,) = told.json["problems"]
    assert "main turns and subagents carry headers, without chats" in problem["what"]


@pytest.mark.parametrize(("value", "status"), [("true", 1), (" ON ", 1), ("0", 0), ("false", 0), ("", 0)])
def test_safe_mode_is_read_as_hermes_reads_it(operator, monkeypatch, value, status):
    operator.configure()
    monkeypatch.setenv("HERMES_SAFE_MODE", value)

    assert operator.run("doctor").status == status


def test_a_rung_that_nothing_has_lowered_is_full(operator):
    operator.configure(model=MODEL)

    assert "    rung    full\n" in operator.run("doctor", "--no-probe").output


ANTHROPIC = ["metadata (1 entries)", "16 headers"]


@pytest.mark.parametrize(
    ("told", "sends"),
    [
        ({"base_url": "http://127.0.0.1:9/v1", "api_mode": "anthropic_messages"}, ANTHROPIC),
        ({"base_url": "http://127.0.0.1:9/anthropic"}, ANTHROPIC),
        ({"base_url": "http://127.0.0.1:9", "provider": "anthropic"}, ANTHROPIC),
        ({"base_url": "http://127.0.0.1:9", "provider": "bedrock"}, ["requestMetadata (16 entries)"]),
    ],
)
def test_an_api_with_less_room_is_said_to_get_less(operator, told, sends):
    operator.configure(model={"provider": "custom", "default": "m", **told})

    assert operator.run("doctor", "--json", "--no-probe").json["endpoints"][0]["sends"] == sends
