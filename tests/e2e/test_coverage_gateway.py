"""Every kind of call that a gateway's conversation brings about arrives for the right person, place and conversation."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from harness.covering import (
    ALICE,
    BOB,
    CAROL,
    ERRANDS,
    PLUGIN,
    TOOLS_IN_THE_OPEN,
    about,
    answered,
    assert_says,
    identity,
    in_headers,
    is_title,
    order,
    told,
)
from harness.environments import Environment
from harness.gateway import Gateway, Person, Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.replies import Reply
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = [pytest.mark.e2e, pytest.mark.every_call]

MAX_TURNS = 4
REFUSALS = (429, 402, 401)
WORN, FRESH = "worn-key", "fresh-key"
API_KEY = "0123456789abcdef-only-for-tests"
MIXTURE = {"reference-a": "moa_reference", "reference-b": "moa_reference", "aggregator": "moa_aggregator"}
BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com"


@dataclass
class Script:
    """`answered`, and an endpoint that refuses where the question or the credential says so."""

    held: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: RecordedCall) -> Reply:
        pool = re.search(r"/pool(\d+)/", call.path)
        if pool and call.header("authorization") == f"Bearer {WORN}":
            return Reply("scripted refusal", status=int(pool[1]))
        if is_title(call):
            return answered(call)
        if "no money here" in call.question and call.model == "scripted-model":
            return Reply("no money", status=402)
        if "not as a stream" in call.question and call.streamed:
            return Reply("stream is not supported", status=503)
        if "hold this one" in call.question and "after it" not in call.question:
            self.held.wait(60)
        reply = answered(call)
        return replace(reply, prompt_tokens=60_000) if "nearly full" in call.question and reply.tool_calls else reply


@dataclass(frozen=True)
class Stage:
    upstream: Upstream
    fallback: Upstream
    gateway: Gateway
    script: Script
    api_url: str

    def say(self, person: Person, room: Room, text: str) -> list[RecordedCall]:
        """A message, answered; the calls of its turn that repeat it."""
        before = len(self.upstream.calls)
        self.gateway.say(person, room, text)
        return [call for call in self.upstream.calls[before:] if about(text)(call)]

    def switch(self, person: Person, room: Room, model: str, provider: str) -> None:
        self.gateway.say(person, room, f"/model {model} --provider {provider}")

    def title(self, text: str) -> RecordedCall:
        return self.upstream.wait_for(lambda call: is_title(call) and text in call.question)

    def ask_api(self, path: str, content: object, **headers: str) -> None:
        lines = {"Content-Type": "application/json", "Authorization": f"Bearer {API_KEY}", **headers}
        request = urllib.request.Request(f"{self.api_url}{path}", json.dumps(content).encode(), lines)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            response.read()


@pytest.fixture(scope="module")
def stage(covered_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("coverage")
    script = Script()
    with running_upstream(script) as upstream, running_upstream(script) as fallback:
        port = free_port()
        home = home_of(upstream, fallback, port).write(directory / "home")
        (home / "auth.json").write_text(json.dumps(pools(upstream)), "utf-8")
        with running_gateway(Hermes(covered_host.programs, home)) as gateway:
            gateway.say(CAROL, Room("!first:example.org", "First"), "hello")  # the very first answer carries a note
            yield Stage(upstream, fallback, gateway, script, f"http://127.0.0.1:{port}")
            script.held.set()
        assert upstream.failures == fallback.failures == []


def home_of(upstream: Upstream, fallback: Upstream, port: int) -> HermesHome:
    root = upstream.base_url.removesuffix("/v1")

    def provider(name: str, base_url: str, **more: str) -> dict[str, str]:
        return {"name": name, "base_url": base_url, "model": f"{name}-model", **more}

    key = {"api_key": "sk-test"}
    mixture = {
        "enabled": True,
        "reference_models": [{"provider": "custom:lab", "model": name} for name in list(MIXTURE)[:-1]],
        "aggregator": {"provider": "custom:lab", "model": list(MIXTURE)[-1]},
    }
    return HermesHome(
        upstream.base_url,
        folders=(ERRANDS,),
        enabled=(PLUGIN,),
        max_turns=MAX_TURNS,
        settings={PLUGIN: {"endpoints": [{"match": BEDROCK, "profile": "bedrock"}]}},
        fallback=({"provider": "custom", "base_url": fallback.base_url, "model": "fallback-model", **key},),
        env={
            "API_SERVER_ENABLED": "true",
            "API_SERVER_KEY": API_KEY,
            "API_SERVER_PORT": str(port),
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": root,
            "AWS_ENDPOINT_URL_BEDROCK": root,
        },
        more={
            **TOOLS_IN_THE_OPEN,
            "model": {"context_length": 64_000},
            "compression": {"threshold": 0.5, "protect_first_n": 1, "protect_last_n": 2, "in_place": False},
            "delegation": {"max_spawn_depth": 3},
            "display": {"busy_input_mode": "queue"},
            "custom_providers": [
                provider("lab", f"{root}/lab/v1", **key),
                provider("claude", root, api_mode="anthropic_messages", **key),
                provider("codex", f"{root}/codex/v1", api_mode="codex_responses", **key),
                *(provider(f"pool{status}", f"{root}/pool{status}/v1") for status in REFUSALS),
            ],
            "moa": {"default_preset": "mixture", "presets": {"mixture": mixture}},
        },
    )


def pools(upstream: Upstream) -> dict[str, Any]:
    """Two credentials for each of the pools, as `hermes auth add` writes them."""
    root = upstream.base_url.removesuffix("/v1")

    def credential(secret: str, priority: int, status: int) -> dict[str, object]:
        return {
            "id": f"{secret[:4]}{status}",
            "label": secret,
            "auth_type": "api_key",
            "priority": priority,
            "source": "manual",
            "access_token": secret,
            "base_url": f"{root}/pool{status}/v1",
        }

    keys = {f"custom:pool{s}": [credential(WORN, 0, s), credential(FRESH, 1, s)] for s in REFUSALS}
    return {"version": 1, "providers": {}, "credential_pool": keys}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def room(name: str, thread_id: str | None = None) -> Room:
    return Room(f"!{name}:example.org", name, thread_id=thread_id)


def only(calls: Sequence[RecordedCall]) -> RecordedCall:
    assert len(calls) == 1, [told(call) for call in calls]
    return calls[0]


def distinct(calls: Sequence[RecordedCall], name: str) -> set[str]:
    return {told(call)[name] for call in calls}


def test_each_step_of_a_turn_says_who_asked_where_and_which_turn_it_is_of(stage: Stage) -> None:
    text = order("errand", what="doors") + " step by step"

    first, second = stage.say(ALICE, room("steps"), text)

    said = told(first)
    for number, call in enumerate((first, second), 1):
        assert call.streamed
        assert_says(call, identity(ALICE, room("steps")), purpose="main", call=number, parent_session_id=None)
        assert_says(call, {name: said[name] for name in ("conversation_id", "session_id", "turn_id", "task_id")})
    assert said["conversation_id"] == said["session_id"]
    assert said["message_id"].startswith("$message-")
    assert said["session_key"] == f"agent:main:loopback:group:{room('steps').chat_id}:{ALICE.user_id}"
    assert len(distinct((first, second), "request_id")) == 2


def test_a_call_that_is_sent_whole_because_the_stream_was_refused(stage: Stage) -> None:
    calls = stage.say(BOB, room("streams"), "not as a stream")

    assert (calls[0].streamed, calls[-1].streamed) == (True, False)
    for call in calls:
        assert_says(call, identity(BOB, room("streams")), purpose="main", turn_id=told(calls[0])["turn_id"])
    assert len(distinct(calls, "request_id")) == len(calls)


def test_a_title_is_its_turns(stage: Stage) -> None:
    main = only(stage.say(BOB, room("titles"), "let us talk about beans"))

    title = stage.title("let us talk about beans")

    said = told(main)
    assert_says(title, identity(BOB, room("titles")), purpose="title_generation")
    assert_says(title, {name: said[name] for name in ("conversation_id", "session_id", "turn_id", "task_id")})
    assert told(title)["request_id"] != said["request_id"]


@pytest.mark.parametrize(
    ("what", "task", "purpose"),
    [
        ("call", "web_extract", "web_extract"),
        ("async_call", "session_search", "session_search"),
        ("call", "compression", "compression"),
        ("async_call", "approval", "approval"),
        ("plugin", "", "plugin"),
        ("client", "", None),
    ],
)
def test_what_a_tool_asks_a_model_for(stage: Stage, what: str, task: str, purpose: str | None) -> None:
    asked = f"an-errand-{what}-{task}"

    steps = stage.say(CAROL, room("errands"), order("errand", what=what, task=task, text=asked))
    call = only([call for call in stage.upstream.calls if call.question == asked])

    said = told(steps[0])
    assert_says(call, identity(CAROL, room("errands")), purpose=purpose)
    assert_says(call, {name: said[name] for name in ("conversation_id", "session_id", "turn_id", "task_id")})


def test_the_hosts_own_vision_tool(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "dot.png").write_bytes(base64.b64decode(DOT))
    text = order("vision_analyze", image_url=str(tmp_path / "dot.png"), question="which-colour-is-it")

    steps = stage.say(CAROL, room("vision"), text)
    call = only([call for call in stage.upstream.calls if not call.tools and about("which-colour-is-it")(call)])

    assert_says(call, identity(CAROL, room("vision")), purpose="vision", turn_id=told(steps[0])["turn_id"])


def test_the_summary_when_a_turn_has_used_up_its_steps(stage: Stage) -> None:
    before = len(stage.upstream.calls)
    steps = stage.say(ALICE, room("summary"), order("errand", how="loop", what="doors"))
    summary = only([call for call in stage.upstream.calls[before:] if is_summary(call)])

    assert len(steps) == MAX_TURNS
    said = told(steps[0])
    assert_says(summary, identity(ALICE, room("summary")), purpose="summary", call=None)
    assert_says(summary, {name: said[name] for name in ("conversation_id", "session_id", "turn_id", "task_id")})


def is_summary(call: RecordedCall) -> bool:
    return b"maximum number of tool-calling" in call.body


def test_subagents_work_for_who_started_them_however_deep(stage: Stage) -> None:
    place = room("subagents")

    root = stage.say(BOB, place, "nest 2 for counting")[0]
    report = stage.upstream.wait_for(lambda call: "ASYNC DELEGATION" in call.question and "counting" in call.question)
    child, grandchild = (stage.upstream.wait_for(about(f"nest {depth} for counting")) for depth in (1, 0))

    same = {"conversation_id": told(root)["conversation_id"], **identity(BOB, place)}
    assert_says(child, same, purpose="subagent", parent_session_id=told(root)["session_id"])
    assert_says(grandchild, same, purpose="subagent", parent_session_id=told(child)["session_id"])
    assert_says(report, same, purpose="main", session_id=told(root)["session_id"])
    assert len(distinct((root, child, grandchild), "session_id")) == 3


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


def test_bedrocks_api_carries_request_metadata_and_nothing_else(stage: Stage) -> None:
    place = room("bedrock")
    stage.switch(CAROL, place, "amazon.nova-pro-v1:0", "bedrock")

    call = only([call for call in stage.say(CAROL, place, "by way of bedrock") if call.streamed])

    pairs = call.json["requestMetadata"]
    assert call.path == "/model/amazon.nova-pro-v1%3A0/converse-stream"
    assert pairs["hermes_user_id"] == CAROL.user_id
    assert pairs["hermes_chat_id"] == "_bedrock:example.org"  # there is no ! in what Bedrock takes
    assert pairs["hermes_purpose"] == "main"
    assert len(pairs) <= 16
    assert all(re.fullmatch(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}", text) for pair in pairs.items() for text in pair)
    assert call.json.keys() <= {"messages", "system", "inferenceConfig", "toolConfig", "requestMetadata"}
    assert in_headers(call) == {}


def test_a_conversation_begun_anew_and_the_old_one_resumed(stage: Stage) -> None:
    place = room("resume")
    old = only(stage.say(ALICE, place, "in the old conversation"))
    for command in ("/title Beans", "/new", "/approve"):
        stage.gateway.say(ALICE, place, command)

    new = only(stage.say(ALICE, place, "in the new conversation"))
    stage.gateway.say(ALICE, place, "/resume Beans")
    resumed = only(stage.say(ALICE, place, "in the old one again"))

    assert told(new)["conversation_id"] not in ("", told(old)["conversation_id"])
    for call in (old, new, resumed):
        assert_says(call, identity(ALICE, place))
    assert_says(resumed, {"conversation_id": told(old)["conversation_id"]})


def test_a_message_that_waited_for_anothers_turn_in_the_same_thread_is_its_writers(stage: Stage) -> None:
    thread = room("thread", thread_id="topic-1")
    first = only(stage.say(ALICE, thread, "a thread of two people"))

    stage.gateway.post(ALICE, thread, "hold this one")
    held = stage.upstream.wait_for(about("hold this one"))
    waiting = stage.gateway.post(BOB, thread, "after it, from Bob: " + order("errand", what="call", text="bobs-errand"))
    stage.gateway.say(CAROL, room("elsewhere"), "/status")  # by now the host has put Bob's message off
    stage.script.held.set()
    bobs = stage.upstream.wait_for(about("after it, from Bob"))
    errand = stage.upstream.wait_for(lambda call: call.question == "bobs-errand")

    same = {"conversation_id": told(first)["conversation_id"], "thread_id": "topic-1", "chat_id": thread.chat_id}
    assert_says(held, same, user_id=ALICE.user_id, user_name="Alice")
    for call in (bobs, errand):
        assert_says(call, same, user_id=BOB.user_id)
        assert told(call).get("user_name") in (None, "Bob")
        assert told(call).get("message_id") in (None, waiting.message_id)
    assert_says(errand, {"turn_id": told(bobs)["turn_id"], "purpose": "auxiliary"})


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
def test_the_hosts_own_api(stage: Stage, path: str, content: dict[str, Any]) -> None:
    text = content.get("input") or content["messages"][0]["content"]

    stage.ask_api(path, content)
    call = stage.upstream.wait_for(about(text))

    nobody = dict.fromkeys(("user_id", "user_name", "message_id", "parent_session_id"))
    assert_says(call, nobody, platform="api_server", purpose="main", call=1)
    assert told(call)["conversation_id"] == told(call)["session_id"]


def test_the_hosts_own_api_in_a_session_that_its_caller_names(stage: Stage) -> None:
    content = {"model": "any", "messages": [{"role": "user", "content": "api, in a session"}]}
    named = {"X-Hermes-Session-Id": "session-of-the-caller", "X-Hermes-Session-Key": "key-of-the-caller"}

    stage.ask_api("/v1/chat/completions", content, **named)
    call = stage.upstream.wait_for(about("api, in a session"))

    expected = {"session_key": "key-of-the-caller", "platform": "api_server", "user_id": None}
    assert_says(call, expected, conversation_id="session-of-the-caller", session_id="session-of-the-caller")


ANTHROPIC_BODY = {
    *("model", "messages", "max_tokens", "metadata", "stop_sequences", "stream", "system", "temperature"),
    *("thinking", "tool_choice", "tools", "top_k", "top_p", "output_config"),
}
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
