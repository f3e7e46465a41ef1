"""A real LiteLLM proxy with the callback: real Hermes and other clients in front of it, scripted models behind it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
from harness.covering import ALICE, BOB, answered, is_title, whole
from harness.environments import Environment
from harness.gateway import Gateway, Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.litellm_proxy import (
    CALLBACK,
    MASTER_KEY,
    LiteLLM,
    deployment,
    litellm_environment,
    running_litellm,
    starting_fails,
)
from harness.otlp import TRACES, Span, spans
from harness.proxy import running_proxy
from harness.receiver import Receiver, running_receiver
from harness.upstream import RecordedCall, Upstream, running_upstream

import hermes_hints

pytestmark = pytest.mark.e2e

TOKENS = 15
PRICES = {"local-a": 0.001, "local-b": 0.001, "cloud-large": 0.02, "cheap-tiny": 0.0001}
"""Dollars for a token, by the model's name at the upstream; an answer of the script takes 15 tokens."""

RULES = """
default: local
rules:
  - name: background work
    match: {purpose: [title_generation, compression]}
    model: cheap
  - name: the user wants the cloud
    match: {user_intent: force-cloud}
    model: cloud
    tags: [paid]
    priority: 1
  - name: not for guests
    match: {user_id: "guest-*"}
    reject: Guests have no model here.
  - name: a mistake that only LiteLLM can find
    match: {user_intent: lost}
    model: no-such-group
"""


@dataclass(frozen=True)
class Stage:
    installed: Environment
    proxy: LiteLLM
    upstream: Upstream
    receiver: Receiver

    def rows(self) -> list[dict[str, Any]]:
        """The rows of spend, once there is one for each call that the models answered."""
        expected = len(self.upstream.calls)
        posts = self.receiver.wait_for("/rows", lambda posts: len(posts) >= expected)
        return [json.loads(post.body) for post in posts]

    def spans(self) -> list[Span]:
        """What Langfuse gets, once there is a generation for each call that the models answered."""
        expected = len(self.upstream.calls)
        found: list[Span] = []

        def complete(posts: Any) -> bool:
            found[:] = [span for span in spans(self.installed, (post.body for post in posts)) if _is_generation(span)]
            return len(found) >= expected

        self.receiver.wait_for(TRACES, complete)
        return found

    def client(self, profile: str | None = None, /, **identity: str) -> openai.OpenAI:
        client = openai.OpenAI(base_url=self.proxy.base_url, api_key=MASTER_KEY, max_retries=0)
        return hermes_hints.wrap(client, identity=hermes_hints.Identity(**identity), profile=profile)

    def served(self, question: str) -> str:
        """The model that was asked a question, in the name that the upstream knows it by."""
        return self.upstream.wait_for(lambda call: question in call.question and not is_title(call)).model


def _is_generation(span: Span) -> bool:
    return span.attributes.get("langfuse.observation.type") == "generation"


def _config(upstream: Upstream) -> dict[str, Any]:
    groups = {"local-a": "local", "local-b": "local", "cloud-large": "cloud", "cheap-tiny": "cheap"}
    return {
        "model_list": [
            deployment(group, model, upstream.base_url, price=PRICES[model]) for model, group in groups.items()
        ],
        "router_settings": {"optional_pre_call_checks": ["session_affinity"]},
        "litellm_settings": {"callbacks": [CALLBACK, "langfuse_otel", "spend_rows.spend_rows"]},
        "callback_settings": {"hermes_hints": {"rules": "rules.yaml", "tags": ["platform", "purpose"]}},
        "general_settings": {"master_key": MASTER_KEY, "forward_client_headers_to_llm_api": True},
    }


@pytest.fixture(scope="module")
def installed(shown) -> Environment:
    return litellm_environment(shown)


@pytest.fixture(scope="module")
def stage(installed: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("litellm")
    (directory / "rules.yaml").write_text(RULES, encoding="utf-8")
    with running_upstream(answered) as upstream, running_receiver() as receiver, running_proxy({}) as way_out:
        env = {
            **way_out.env,
            "SPEND_ROWS_TO": f"{receiver.url}/rows",
            "LANGFUSE_HOST": receiver.url,
            "LANGFUSE_PUBLIC_KEY": "pk-test",
            "LANGFUSE_SECRET_KEY": "sk-test",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with running_litellm(installed, directory, _config(upstream), env=env) as proxy:
            yield Stage(installed, proxy, upstream, receiver)
        assert "hints were not" not in proxy.log.read_text("utf-8")
        assert upstream.failures == []
        assert way_out.refused == []


@pytest.fixture(scope="module")
def gateway(stage: Stage, hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = HermesHome(stage.proxy.base_url, model="local", enabled=("hermes-hints",))
    with running_gateway(
        Hermes(hinted_host.programs, home.write(tmp_path_factory.mktemp("stage") / "home"))
    ) as running:
        yield running


@pytest.fixture(scope="module")
def here(hinted_host: Environment) -> str:
    """A word in every question, so that one host's calls are not taken for the other's."""
    return re.sub(r"\W", "", hinted_host.directory.name)


def test_hint_reaches_the_cloud_and_the_next_turn_the_local_models(stage: Stage, gateway: Gateway, here: str) -> None:
    room = Room("!one:example.org", "One")
    gateway.say(ALICE, room, f"first {here}?")
    assert "force-cloud" in gateway.say(ALICE, room, "/hint force-cloud")
    gateway.say(ALICE, room, f"second {here}?")
    gateway.say(ALICE, room, f"third {here}?")

    assert stage.served(f"second {here}?") == "cloud-large"
    before, after = stage.served(f"first {here}?"), stage.served(f"third {here}?")
    assert before == after
    assert before in {"local-a", "local-b"}
    title = stage.upstream.wait_for(lambda call: is_title(call) and f"first {here}?" in call.body.decode())
    assert title.model == "cheap-tiny"


def test_spend_of_each_person_in_each_room_adds_up_to_the_calls_made(stage: Stage, gateway: Gateway, here: str) -> None:
    rooms = {room.chat_id: room for room in (Room(f"!ops-{here}", "Ops"), Room(f"!lab-{here}", "Lab"))}
    for person in (ALICE, BOB):
        for room in rooms.values():
            for number in range(2):
                gateway.say(person, room, f"nest {number} <{person.user_id} in {room.chat_id}>")

    told = re.compile(r"<(@\w+:example\.org) in (![\w-]+)>")
    made: Counter[tuple[str, str]] = Counter()
    cost: defaultdict[tuple[str, str], float] = defaultdict(float)
    for call in stage.upstream.calls:
        for who in told.findall(call.question)[-1:]:
            if who[1] in rooms:
                made[who] += 1
                cost[who] += TOKENS * PRICES[call.model]

    counted: Counter[tuple[str, str]] = Counter()
    spent: defaultdict[tuple[str, str], float] = defaultdict(float)
    for row in stage.rows():
        noted = json.loads(row["metadata"])["spend_logs_metadata"]
        if noted.get("chat_id") in rooms:
            assert row["session_id"] == noted["conversation_id"]
            counted[row["end_user"], noted["chat_id"]] += 1
            spent[row["end_user"], noted["chat_id"]] += row["spend"]

    assert len(made) == 4
    assert counted == made
    assert spent == pytest.approx(cost)


def test_langfuse_gets_one_trace_for_each_turn(stage: Stage, gateway: Gateway, here: str) -> None:
    room = Room(f"!traced-{here}", "Traced")
    gateway.say(ALICE, room, f"nest 1 and trace {here}")
    gateway.say(ALICE, room, f"trace {here} again")
    stage.upstream.wait_for(lambda call: is_title(call) and f"trace {here}" in call.body.decode())
    stage.upstream.wait_for(lambda call: f"nest 0 and trace {here}" in call.question)

    spans = [
        span
        for span in stage.spans()
        if json.loads(span.attributes.get("langfuse.trace.metadata", "{}")).get("chat_id") == room.chat_id
    ]
    traces: defaultdict[str, list[str]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span.attributes["langfuse.generation.name"])
        tags = json.loads(span.attributes["langfuse.trace.tags"])
        assert {"platform:loopback", f"purpose:{span.attributes['langfuse.generation.name']}"} <= set(tags)
    assert {span.attributes["user.id"] for span in spans} == {ALICE.user_id}
    assert len({span.attributes["session.id"] for span in spans}) == 1
    assert {span.attributes["langfuse.trace.name"] for span in spans} == {"hermes turn"}

    notes = [json.loads(row["metadata"])["spend_logs_metadata"] for row in stage.rows()]
    turns: defaultdict[str, list[str]] = defaultdict(list)
    for note in notes:
        if note.get("chat_id") == room.chat_id:
            turns[hashlib.sha256(note["turn_id"].encode()).hexdigest()[:32]].append(note["purpose"])
    for trace, calls in traces.items():
        assert Counter(calls) <= Counter(turns[trace])
    with_title = next(calls for calls in traces.values() if "title_generation" in calls)
    assert with_title.count("main") == 2  # before and after it hands work to a subagent
    assert "subagent" in with_title


def test_hermes_leaves_nothing_of_ours_in_what_the_models_get(stage: Stage, gateway: Gateway, here: str) -> None:
    gateway.say(BOB, Room("!two:example.org", "Two"), f"what is in it, {here}?")

    for call in stage.upstream.calls:
        _assert_clean(call)


def test_a_conversation_stays_on_one_deployment_and_conversations_spread(stage: Stage) -> None:
    served: defaultdict[str, set[str]] = defaultdict(set)
    for turn in range(30):
        for conversation in ("conversation-one", "conversation-two"):
            _ask(stage.client(session_id=conversation), f"turn {turn} of {conversation}")
            served[conversation].add(stage.served(f"turn {turn} of {conversation}"))
    for number in range(20):
        _ask(stage.client(session_id=f"conversation-{number:03}"), f"other {number:03}")
        served["others"].add(stage.served(f"other {number:03}"))

    assert [len(served[name]) for name in ("conversation-one", "conversation-two", "others")] == [1, 1, 2]


@pytest.mark.parametrize("profile", ["dispatcher", "litellm", "headers"])
def test_other_apis_are_attributed_routed_and_cleaned_too(stage: Stage, profile: str) -> None:
    carol = f"@carol-by-{profile}:example.org"
    client = stage.client(profile, user_id=carol, chat_id="!apis:example.org")
    with hermes_hints.hint(user_intent="force-cloud"):
        client.responses.create(model="local", input=_said(f"as a response, {profile}"), metadata={"mine": "kept"})
        for _ in client.chat.completions.create(model="local", messages=_said(f"streamed, {profile}"), stream=True):
            pass

    response = stage.upstream.wait_for(lambda call: call.question == f"as a response, {profile}")
    assert response.path.endswith("/responses")
    assert (response.model, response.json["metadata"]) == ("cloud-large", {"mine": "kept"})
    assert stage.served(f"streamed, {profile}") == "cloud-large"
    rows = [row for row in stage.rows() if row["end_user"] == carol]
    assert [row["model_group"] for row in rows] == ["cloud", "cloud"]
    assert [row["spend"] for row in rows] == pytest.approx([TOKENS * PRICES["cloud-large"]] * 2)
    for row in rows:
        assert "paid" in json.loads(row["request_tags"])
        assert json.loads(row["metadata"])["spend_logs_metadata"]["hermes_rule"] == "the user wants the cloud"
    for call in stage.upstream.calls:
        if "hermes" not in call.question.lower() and not call.tools:
            _assert_clean(call)


def test_the_messages_api_too(stage: Stage) -> None:
    body = {
        "model": "local",
        "max_tokens": 100,
        "messages": _said("by the messages API"),
        "hermes": {"user_id": "@grace:example.org", "user_intent": "force-cloud"},
        "metadata": {"user_id": "@grace:example.org", "hermes_chat_id": "!messages:example.org"},
    }
    answer = httpx.post(
        f"{stage.proxy.base_url}/messages", json=body, headers={"x-api-key": MASTER_KEY}, timeout=60, trust_env=False
    )

    assert answer.status_code == 200, answer.text
    call = stage.upstream.wait_for(lambda call: b"by the messages API" in call.body)
    assert call.model == "cloud-large"
    _assert_clean(call)
    row = next(row for row in stage.rows() if row["end_user"] == "@grace:example.org")
    assert json.loads(row["metadata"])["spend_logs_metadata"]["chat_id"] == "!messages:example.org"


def test_what_the_caller_itself_said_stays(stage: Stage) -> None:
    client = stage.client(user_id="@dave:example.org")
    client.chat.completions.create(
        model="local",
        messages=_said("as I say"),
        user="somebody-else",
        extra_body={
            "metadata": {"session_id": "my-own-session", "tags": ["mine"], "spend_logs_metadata": {"purpose": "x"}}
        },
    )

    row = next(row for row in stage.rows() if row["end_user"] == "somebody-else")
    assert row["session_id"] == "my-own-session"
    assert json.loads(row["request_tags"])[0] == "mine"
    noted = json.loads(row["metadata"])["spend_logs_metadata"]
    assert (noted["purpose"], noted["user_id"]) == ("x", "@dave:example.org")


def test_a_rule_refuses_with_its_own_text(stage: Stage) -> None:
    with pytest.raises(openai.PermissionDeniedError) as refused:
        _ask(stage.client(user_id="guest-7"), "may I?")

    assert refused.value.body["message"] == "Guests have no model here."
    assert not any("may I?" in call.question for call in stage.upstream.calls)


def test_a_model_group_that_litellm_does_not_have_is_logged_and_the_model_asked_for_serves(stage: Stage) -> None:
    with hermes_hints.hint(user_intent="lost"):
        for number in (1, 2):
            _ask(stage.client(user_id="@erin:example.org"), f"lost {number}")

    assert stage.served("lost 2") in {"local-a", "local-b"}
    log = stage.proxy.log.read_text("utf-8")
    assert log.count("chooses 'no-such-group', but LiteLLM has no model group of that name") == 1


def test_answers_say_that_hints_are_read(stage: Stage) -> None:
    answer = stage.client(user_id="@erin:example.org").chat.completions.with_raw_response.create(
        model="local", messages=_said("who reads?")
    )

    assert answer.headers["X-Hermes-Hints"] == "v=1"


@pytest.mark.parametrize("junk", ["text", 5, [], {"v": 2, "user_id": ["a"], "ext": "x"}, None])
def test_no_request_fails_because_of_hints(stage: Stage, junk: object) -> None:
    client = openai.OpenAI(base_url=stage.proxy.base_url, api_key=MASTER_KEY, max_retries=0)
    client.chat.completions.create(
        model="local",
        messages=_said(f"junk {junk!r}"),
        extra_body={"hermes": junk, "metadata": {"hermes_labels": junk}},
        extra_headers={"X-Hermes-User-Id": "%ff", "X-Hermes-Hints-Signature": "none"},
    )

    _assert_clean(stage.upstream.wait_for(lambda call: call.question == f"junk {junk!r}"))


def test_a_mistake_in_the_rules_stops_the_proxy_with_the_line(installed: Environment, tmp_path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - match: {usr_id: x}\n    model: a\n", encoding="utf-8")
    config = {
        "litellm_settings": {"callbacks": [CALLBACK]},
        "callback_settings": {"hermes_hints": {"rules": "rules.yaml"}},
    }

    written = starting_fails(installed, tmp_path, config)

    assert f"{tmp_path / 'rules.yaml'}, line 2: rule 1: match has no field 'usr_id'; did you mean 'user_id'?" in written


def _ask(client: openai.OpenAI, text: str) -> None:
    client.chat.completions.create(model="local", messages=_said(text))


def _said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def _assert_clean(call: RecordedCall) -> None:
    assert not [name for name, _ in call.headers if name.lower().startswith("x-hermes")]
    assert not {"hermes", "user", "priority"} & call.json.keys()
    assert "hermes_" not in json.dumps(call.json.get("metadata"))
    if not call.tools and not is_title(call):  # Hermes' own prompts speak of Hermes
        assert b"hermes" not in whole(call).lower()
