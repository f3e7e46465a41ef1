"""Calls arrive attributed whichever model, provider, credential and API they take, and from Hermes' own API server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from harness.covering import (
    ALICE,
    BOB,
    CAROL,
    about,
    assert_bare,
    assert_says,
    identity,
    in_headers,
    is_title,
    order,
    told,
    whole,
)
from harness.environments import Environment
from harness.seen import note
from harness.stage import FRESH, MAX_TURNS, MIXTURE, REFUSALS, WORN, Stage, distinct, only, room, running_stage
from harness.upstream import RecordedCall

pytestmark = pytest.mark.e2e

ANTHROPIC_BODY = {
    *("model", "messages", "max_tokens", "metadata", "stop_sequences", "stream", "system", "temperature"),
    *("thinking", "tool_choice", "tools", "top_k", "top_p", "output_config"),
}


@pytest.fixture(scope="module")
def stage(hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(hinted_host, tmp_path_factory.mktemp("providers")) as stage:
        yield stage


def test_another_model_in_the_same_conversation(stage: Stage) -> None:
    place = room("models")
    before = only(stage.say(ALICE, place, "with the first model"))

    stage.switch(ALICE, place, "lab-model", "custom:lab")
    after = only(stage.say(ALICE, place, "with the second model"))

    assert (before.model, after.model) == ("scripted-model", "lab-model")
    assert_says(after, identity(ALICE, place), conversation_id=told(before)["conversation_id"], purpose="main")


def test_a_fallback_to_another_provider(stage: Stage) -> None:
    refused = stage.say(BOB, room("fallback"), "no money here")
    served = only([call for call in stage.fallback.calls if about("no money here")(call)])

    for call in (*refused, served):
        assert_says(call, identity(BOB, room("fallback")), purpose="main", turn_id=told(refused[0])["turn_id"])
    assert served.model == "fallback-model"
    assert len(distinct((*refused, served), "request_id")) == len(refused) + 1


def test_a_fallback_to_a_host_that_policy_forbids_takes_nothing_personal_along(stage: Stage) -> None:
    place = room("forbidden")
    refused = stage.say(BOB, place, "no money here, nor there")
    elsewhere = [call for call in stage.fallback.calls if about("nor there")(call)]
    served = only([call for call in stage.forbidden.calls if about("nor there")(call)])

    for call in (*refused, *elsewhere):
        assert_says(call, identity(BOB, place), purpose="main")
    assert {call.model for call in (*refused, *elsewhere)} == {"scripted-model", "fallback-model"}
    said = told(refused[0])
    ids = ("user_id", "chat_id", "message_id", "session_key", "session_id", "turn_id", "request_id")
    for call in stage.forbidden.calls:
        assert_bare(call)
        assert [said[name] for name in ids if str(said[name]).encode() in whole(call)] == []
        assert BOB.user_name not in beside_the_conversation(call)
    assert served.model == "forbidden-model"


def beside_the_conversation(call: RecordedCall) -> str:
    """What a call holds besides what the model is to read: into that, Hermes itself writes names."""
    body = {key: value for key, value in call.json.items() if key not in ("messages", "tools")}
    return f"{json.dumps(body, ensure_ascii=False)} {call.headers}"


@pytest.mark.parametrize("status", REFUSALS)
def test_another_credential_of_a_pool(stage: Stage, status: int) -> None:
    place = room(f"pool{status}")
    stage.switch(CAROL, place, f"pool{status}-model", f"custom:pool{status}")

    calls = stage.say(CAROL, place, f"after a {status}")

    keys = [call.header("authorization") for call in calls]
    assert (keys[0], keys[-1]) == (f"Bearer {WORN}", f"Bearer {FRESH}")
    for call in calls:
        assert_says(call, identity(CAROL, place), purpose="main", turn_id=told(calls[0])["turn_id"])
    assert len(distinct(calls, "request_id")) == len(calls)


def test_a_mixture_of_agents(stage: Stage) -> None:
    place = room("mixture")
    stage.switch(ALICE, place, "mixture", "moa")

    stage.say(ALICE, place, "mix this")
    calls = [call for call in stage.upstream.calls if call.model in MIXTURE and not is_title(call)]

    purposes = {call.model: told(call)["purpose"] for call in calls}
    assert purposes == MIXTURE
    assert len(distinct(calls, "turn_id")) == len(distinct(calls, "conversation_id")) == 1
    assert len(distinct(calls, "request_id")) == len(calls)
    for call in calls:
        assert_says(call, identity(ALICE, place))


def test_anthropics_api_carries_headers_and_its_own_user_id_and_nothing_else(stage: Stage) -> None:
    place = room("claude")
    stage.switch(BOB, place, "claude-model", "custom:claude")
    before = len(stage.upstream.calls)

    stage.say(BOB, place, order("errand", what="call", task="vision", text="look-at-this"))
    stage.say(BOB, place, order("errand", how="loop", what="doors"))
    stage.title("look-at-this")

    calls = [call for call in stage.upstream.calls[before:] if told(call).get("chat_id") == place.chat_id]
    assert [call.path.partition("?")[0] for call in calls] == ["/v1/messages"] * len(calls)
    for call in calls:
        lines = in_headers(call)
        assert lines.items() >= {"user_id": BOB.user_id, "user_name": "Bob", "platform": "loopback"}.items()
        assert call.json["metadata"] == {"user_id": BOB.user_id}
        assert call.json.keys() <= ANTHROPIC_BODY
    assert len({in_headers(call)["conversation_id"] for call in calls}) == 1
    assert len({in_headers(call)["request_id"] for call in calls}) == len(calls)
    purposes = [in_headers(call)["purpose"] for call in calls]
    expected = {"main": 2 + MAX_TURNS, "vision": 1, "title_generation": 1, "summary": 1}
    assert {purpose: purposes.count(purpose) for purpose in purposes} == expected


def test_the_responses_api(stage: Stage) -> None:
    place = room("codex")
    stage.switch(ALICE, place, "codex-model", "custom:codex")

    calls = stage.say(ALICE, place, order("errand", what="doors") + " by responses")

    assert [call.path for call in calls] == ["/codex/v1/responses"] * 2
    for number, call in enumerate(calls, 1):
        assert_says(call, identity(ALICE, place), purpose="main", call=number)


def test_the_summary_by_the_responses_api(stage: Stage) -> None:
    place = room("codex-summary")
    stage.switch(BOB, place, "codex-model", "custom:codex")
    before = len(stage.upstream.calls)

    stage.say(BOB, place, order("errand", how="loop", what="doors"))

    calls = [call for call in stage.upstream.calls[before:] if call.path == "/codex/v1/responses"]
    purposes = [told(call)["purpose"] for call in calls if told(call)["purpose"] != "title_generation"]
    assert purposes == ["main"] * MAX_TURNS + ["summary"]
    for call in calls:
        assert_says(call, identity(BOB, place), turn_id=told(calls[0])["turn_id"])


def test_bedrocks_api_carries_request_metadata_and_nothing_else(stage: Stage) -> None:
    place = room("bedrock")
    stage.switch(CAROL, place, "amazon.nova-pro-v1:0", "bedrock")

    call = only([call for call in stage.say(CAROL, place, "by way of bedrock") if call.streamed])

    note(call)
    pairs = call.json["requestMetadata"]
    assert call.path == "/model/amazon.nova-pro-v1%3A0/converse-stream"
    assert pairs["hermes_user_id"] == CAROL.user_id
    assert pairs["hermes_chat_id"] == "_bedrock:example.org"  # there is no ! in what Bedrock takes
    assert pairs["hermes_purpose"] == "main"
    assert len(pairs) <= 16
    assert all(re.fullmatch(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}", text) for pair in pairs.items() for text in pair)
    assert call.json.keys() <= {"messages", "system", "inferenceConfig", "toolConfig", "requestMetadata"}
    assert in_headers(call) == {}
    title = stage.title("by way of bedrock")
    assert "/converse" in title.path
    assert_bare(title)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/v1/chat/completions", {"model": "any", "messages": [{"role": "user", "content": "api, whole"}]}),
        (
            "/v1/chat/completions",
            {"model": "any", "stream": True, "messages": [{"role": "user", "content": "api, streamed"}]},
        ),
        ("/v1/responses", {"model": "any", "input": "api, by responses"}),
        ("/v1/runs", {"input": "api, as a run"}),
    ],
    ids=["chat", "chat streamed", "responses", "runs"],
)
def test_the_hosts_own_api(hinted_host: Environment, stage: Stage, path: str, content: dict[str, Any]) -> None:
    text = content.get("input") or content["messages"][0]["content"]

    stage.ask_api(path, content)
    call = stage.upstream.wait_for(about(text))

    nobody = dict.fromkeys(("user_id", "user_name", "message_id", "parent_session_id"))
    assert_says(call, nobody, platform="api_server", purpose="main", call=1)
    assert told(call)["conversation_id"] == told(call)["session_id"]
    if "0.22" in hinted_host.directory.name:  # 0.19 gives these conversations no titles
        same = {name: told(call)[name] for name in ("conversation_id", "turn_id", "platform")}
        assert_says(stage.title(text), {**nobody, **same}, purpose="title_generation")


def test_what_is_left_in_the_hosts_threads_by_an_earlier_request_is_never_used(stage: Stage) -> None:
    for number in range(6):
        text = order("errand", what="call", text=f"errand-{number}") + f" for caller {number}"
        content = {"model": "any", "messages": [{"role": "user", "content": text}]}
        named = {"X-Hermes-Session-Id": f"session-of-caller-{number}"} if number % 2 else {}
        stage.ask_api("/v1/chat/completions", content, **named)

    for number in range(6):
        main = stage.upstream.wait_for(about(f"for caller {number}"))
        errand = stage.upstream.wait_for(lambda call, text=f"errand-{number}": call.question == text)
        said = told(main)
        assert_says(errand, {name: said.get(name) for name in ("conversation_id", "session_id", "turn_id", "user_id")})
        assert (said["conversation_id"] == f"session-of-caller-{number}") == bool(number % 2)


def test_the_hosts_own_api_in_a_session_that_its_caller_names(stage: Stage) -> None:
    content = {"model": "any", "messages": [{"role": "user", "content": "api, in a session"}]}
    named = {"X-Hermes-Session-Id": "session-of-the-caller", "X-Hermes-Session-Key": "key-of-the-caller"}

    stage.ask_api("/v1/chat/completions", content, **named)
    call = stage.upstream.wait_for(about("api, in a session"))

    expected = {"session_key": "key-of-the-caller", "platform": "api_server", "user_id": None}
    assert_says(call, expected, conversation_id="session-of-the-caller", session_id="session-of-the-caller")
