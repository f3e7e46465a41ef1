"""What each receiver's own names carry: on which API, beside which values of the caller's, within which limits."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest

from hermes_hints import receive
from hermes_hints.profiles import BUILTIN

APIS = ("chat.completions", "completions", "responses", "embeddings", "messages")
BARE = {"priority", "task", "session_id", "tags", "trace", "agent_id", "user_id", "user", "store"}
"""Names that receivers read differently."""
MAY_SAY = {"openrouter": {"session_id", "trace", "user"}}
LONG = {"user_id": "u" * 300, "user_name": "n" * 300, "conversation_id": "c" * 300, "chat_id": "r" * 300}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("profile", BUILTIN)
def test_no_bare_field_that_another_receiver_reads_differently(profile, api, carried):
    assert not (carried(profile, api=api).body.keys() - MAY_SAY.get(profile, set())) & BARE


@pytest.mark.parametrize("profile", BUILTIN)
def test_no_profile_tags_unless_told_to(profile, carried):
    seen = carried(profile)
    assert "tags" not in json.dumps(seen.body)
    assert not [name for name in seen.headers if "tag" in name.lower()]


@pytest.mark.parametrize("profile", BUILTIN)
def test_what_has_no_value_is_absent(profile, carried):
    seen = carried(profile, who={}, call={}, hints={})
    assert "null" not in json.dumps(seen.body)
    assert all(value.strip("/") for value in seen.headers.values())


@pytest.mark.parametrize("profile", [name for name in BUILTIN if name != "off"])
def test_applied_twice_changes_nothing(profile, carried):
    once = carried(profile)
    twice = carried(profile, extra=once.body, headers=once.headers)
    assert {**once.body, **twice.body} == once.body
    assert {**once.headers, **twice.headers} == once.headers


@pytest.mark.parametrize("profile", BUILTIN)
def test_header_values_are_what_http_can_carry(profile, carried):
    seen = carried(profile, who={"user_id": "José\r\nX-Evil: 1", "chat_name": "日本語 ☃", "user_name": '",;\\'})
    for value in seen.headers.values():
        assert re.fullmatch(r"[\x20-\x7e]+", value)
        assert value == value.strip(" ")


@pytest.mark.parametrize("own", [{}, {"metadata": {"mine": "stays"}}])
def test_a_dispatcher_gets_the_user_where_messages_have_a_place_for_it(own, carried):
    told = carried("dispatcher", api="messages", body=own).body["metadata"]
    assert (told["user_id"], told["hermes_user_id"]) == ("alice", "alice")
    assert "user_id" not in carried("dispatcher", body=own).body["metadata"]


@pytest.mark.parametrize("profile", ["litellm", "langfuse"])
@pytest.mark.parametrize("api", APIS)
def test_litellm_has_what_it_reads_where_it_takes_it_out_again(api, profile, carried):
    seen = carried(profile, api=api)
    assert seen.body.keys() == {"litellm_metadata"}
    told = seen.body["litellm_metadata"]
    assert told["trace_user_id"] == "alice"
    assert told["generation_name"] == "main"
    spent = told["spend_logs_metadata"]
    assert (spent["user_id"], spent["chat_id"], spent["conversation_id"]) == (
        "alice",
        "!ops:example.org",
        "conversation-1",
    )
    assert (spent["purpose"], spent["cost_center"], spent["chat_name"]) == ("main", "7", "Ops, München")
    assert seen.headers["x-litellm-end-user-id"] == "alice"


def test_litellm_keeps_a_conversation_together_by_the_header_that_it_reads_unasked(carried):
    assert carried("litellm").headers["X-Hermes-Session-Id"] == "conversation-1"


def test_langfuse_gets_one_trace_for_each_turn(carried):
    def told(turn, purpose):
        return carried("langfuse", call={"turn_id": turn, "purpose": purpose}).body["litellm_metadata"]

    main, title, later = told("turn-1", "main"), told("turn-1", "title_generation"), told("turn-2", "main")
    assert main["trace_id"] == title["trace_id"] != later["trace_id"]
    assert re.fullmatch("[0-9a-f]{32}", main["trace_id"])
    assert (title["trace_name"], title["generation_name"]) == ("hermes turn", "title_generation")
    assert main["session_id"] == later["session_id"] == "conversation-1"
    assert not [name for name in carried("langfuse").headers if name.lower().endswith("session-id")]


@pytest.mark.parametrize("profile", ["litellm", "langfuse"])
def test_values_that_end_in_langfuse_are_of_its_length(profile, carried):
    seen = carried(profile, who=LONG, hints={"user_intent": "i" * 300})
    told = seen.body["litellm_metadata"]
    texts = [*told.values(), *told["spend_logs_metadata"].values(), *told.get("trace_metadata", {}).values()]
    assert all(len(text) <= 200 for text in texts if isinstance(text, str))
    assert re.fullmatch("[0-9a-f]{64}", told["trace_user_id"])
    assert told["spend_logs_metadata"]["user_name"] == "n" * 200
    assert "user_intent" not in told["spend_logs_metadata"]


def test_what_the_caller_tells_litellm_stays(carried):
    own = {"trace_user_id": "mine", "tags": ["a"], "spend_logs_metadata": {"user_id": "mine too", "team": "x"}}
    told = carried("litellm", extra={"litellm_metadata": own}).body["litellm_metadata"]
    assert (told["trace_user_id"], told["tags"]) == ("mine", ["a"])
    assert (told["spend_logs_metadata"]["user_id"], told["spend_logs_metadata"]["team"]) == ("mine too", "x")
    assert told["spend_logs_metadata"]["chat_id"] == "!ops:example.org"
    assert own == {"trace_user_id": "mine", "tags": ["a"], "spend_logs_metadata": {"user_id": "mine too", "team": "x"}}


@pytest.mark.parametrize("own", ["text", 5, ["a"], {"spend_logs_metadata": "text"}])
def test_what_is_no_object_is_left_as_it_is(own, carried):
    body = carried("litellm", extra={"litellm_metadata": own}).body
    if isinstance(own, dict):
        assert body["litellm_metadata"]["spend_logs_metadata"] == "text"
        assert body["litellm_metadata"]["trace_user_id"] == "alice"
    else:
        assert body == {}


def test_openrouter(carried):
    seen = carried("openrouter")
    assert not seen.headers
    assert re.fullmatch("[0-9a-f]{64}", seen.body["user"])
    assert seen.body["session_id"] == "conversation-1"
    assert seen.body["trace"] == {"trace_id": "turn-1", "generation_name": "main"}
    assert len(seen.body["metadata"]) == 16
    assert not [key for key in seen.body["metadata"] if "[" in key or "]" in key]


def test_openrouter_leaves_the_session_that_hermes_itself_sets(carried):
    body = carried("openrouter", extra={"session_id": "20261121_012008_d4149b13", "user": "mine"}).body
    assert body.keys() == {"trace", "metadata"}


def test_openrouter_takes_128_characters(carried):
    assert re.fullmatch("[0-9a-f]{64}", carried("openrouter", who=LONG).body["session_id"])


@pytest.mark.parametrize("api", ["completions", "embeddings"])
def test_openrouter_where_the_api_has_no_such_fields(api, carried):
    assert carried("openrouter", api=api).body.keys() == {"metadata"}


def test_portkey(carried):
    seen = carried("portkey")
    assert not seen.body
    assert seen.headers["x-portkey-trace-id"] == "conversation-1"
    told = json.loads(seen.headers["x-portkey-metadata"])
    assert (told["_user"], told["chat_name"], told["purpose"]) == ("alice", "Ops, München", "main")
    assert all(isinstance(value, str) for value in told.values())


def test_portkey_s_values_have_at_most_128_characters(carried):
    told = json.loads(carried("portkey", who=LONG).headers["x-portkey-metadata"])
    assert re.fullmatch("[0-9a-f]{64}", told["_user"])
    assert told["user_name"] == "n" * 128


def test_what_the_caller_tells_portkey_stays(carried):
    own = {"X-Portkey-Metadata": json.dumps({"_user": "mine", "team": "x"}), "x-portkey-trace-id": "trace"}
    seen = carried("portkey", headers=own)
    told = json.loads(seen.headers["x-portkey-metadata"])
    assert (told["_user"], told["team"], told["purpose"]) == ("mine", "x", "main")
    assert "x-portkey-trace-id" not in seen.headers


@pytest.mark.parametrize("own", ["not JSON", "[]", "5", '"text"', "[" * 100_000, object()])
def test_what_portkey_could_not_read_is_the_caller_s_business(own, carried):
    assert carried("portkey", headers={"x-portkey-metadata": own}).headers.keys() == {"x-portkey-trace-id"}


def test_a_json_header_ends_at_4_kib(carried):
    own = json.dumps({"big": "b" * 3_900})
    told = carried("portkey", headers={"x-portkey-metadata": own}).headers["x-portkey-metadata"]
    assert len(told) <= 4096
    assert json.loads(told)["_user"] == "alice"
    full = json.dumps({"big": "b" * 5_000})
    assert "x-portkey-metadata" not in carried("portkey", headers={"x-portkey-metadata": full}).headers


def test_helicone(carried):
    seen = carried("helicone")
    assert not seen.body
    assert seen.headers == {
        "Helicone-User-Id": "alice",
        "Helicone-Session-Id": "conversation-1",
        "Helicone-Session-Path": "/main",
        "Helicone-Session-Name": "Ops, M%C3%BCnchen",
        "Helicone-Property-Chat-Id": "!ops:example.org",
        "Helicone-Property-Chat-Type": "group",
        "Helicone-Property-Thread-Id": "thread-9",
        "Helicone-Property-Platform": "matrix",
        "Helicone-Property-Purpose": "main",
        "Helicone-Property-Turn-Id": "turn-1",
        "Helicone-Property-Request-Id": "request-1",
        "Helicone-Property-Agent": "hermes-agent/0.19.0",
        "Helicone-Property-User-Intent": "force-cloud",
        "Helicone-Property-Cost-Center": "7",
    }


def test_a_header_of_the_caller_s_stays_whatever_its_case(carried):
    seen = carried("helicone", headers={"helicone-user-id": "mine", "HELICONE-PROPERTY-PURPOSE": "mine"})
    assert not {"Helicone-User-Id", "Helicone-Property-Purpose"} & seen.headers.keys()


@pytest.mark.parametrize(
    ("profile", "header"),
    [
        ("bifrost", "x-bf-session-id"),
        ("vllm-router", "X-Session-ID"),
        ("sglang-gateway", "X-SMG-Routing-Key"),
        ("envoy", "agent-session-id"),
    ],
)
@pytest.mark.parametrize("conversation", ["conversation-1", "a:b c", "日本語", "long-" * 60])
def test_routers_get_the_conversation_as_a_routing_token(conversation, profile, header, carried):
    seen = carried(profile, who={"conversation_id": conversation, "user_id": "alice"})
    assert not seen.body
    assert re.fullmatch("[A-Za-z0-9_-]{8,256}", seen.headers[header])
    assert seen.headers[header] == seen.headers["X-Hermes-Session-Id"]
    assert receive.read(seen.headers).user_id == "alice"


def test_another_hermes(carried):
    seen = carried("hermes")
    assert not seen.body
    assert seen.headers == {
        "X-Hermes-User-Id": "alice",
        "X-Hermes-User-Name": "Zo%C3%AB Archer",
        "X-Hermes-Chat-Id": "!ops:example.org",
        "X-Hermes-Chat-Name": "Ops, M%C3%BCnchen",
        "X-Hermes-Chat-Type": "group",
        "X-Hermes-Thread-Id": "thread-9",
        "X-Hermes-Session-Key": "matrix:!ops:alice",
        "X-Hermes-Conversation-Id": "conversation-1",
    }


def test_another_hermes_takes_256_characters(carried):
    key = carried("hermes", who={"session_key": "k" * 300}).headers["X-Hermes-Session-Key"]
    assert re.fullmatch("[0-9a-f]{64}", key)


def test_baggage(carried):
    members = carried("otel").headers["baggage"].split(",")
    told = {name: unquote(value) for name, value in (member.split("=", 1) for member in members)}
    assert told["user.id"] == "alice"
    assert told["session.id"] == told["gen_ai.conversation.id"] == "conversation-1"
    assert told["hermes.chat_id"] == "!ops:example.org"
    assert told["hermes.purpose"] == "main"
    assert "chat_name" not in str(told)


@pytest.mark.parametrize("user", ['a,b;c=d\\e"f', "日本 語", "50%", "\x01"])
def test_baggage_holds_any_text(user, carried):
    line = carried("otel", who={"user_id": user}).headers["baggage"]
    assert unquote(line.split(",")[0]) == f"user.id={user}"
    assert re.fullmatch(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+", line.split(",")[0])


def test_the_caller_s_baggage_stays_in_front(carried):
    own = "user.id=mine;ttl=1,  team=x"
    line = carried("otel", headers={"Baggage": own}).headers["baggage"]
    assert line.startswith(own + ",session.id=")
    assert line.count("user.id") == 1


@pytest.mark.parametrize("own", ["a=" + "b" * 8_190, ",".join(f"k{number}=v" for number in range(64))])
def test_baggage_that_is_full_stays_as_it_is(own, carried):
    assert carried("otel", headers={"baggage": own}).headers == {}


def test_baggage_that_the_caller_has_left_out_stays_out(carried):
    assert carried("otel", headers={"baggage": object()}).headers == {}
