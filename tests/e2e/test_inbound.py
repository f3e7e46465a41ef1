"""People behind one API server of a real Hermes: each is asked for, and answered, as who they are."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from harness.api_server import API_KEY, BEARER, KINDS, Answer, ApiServer, api_server
from harness.environments import Environment
from harness.gateway import running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.programs import free_port

from hermes_hints.dispatcher import Question, Reply, ToolCall, create_app, running
from hermes_hints.rules import Rules

pytestmark = pytest.mark.e2e

HARNESS = Path(__file__).parent / "harness"
PLUGIN = "hermes-hints"
AT_ONCE = 3
"""On two processors the API server works in six threads, and a turn that is streamed can take up two."""
OPEN_WEBUI = {"X-OpenWebUI-User-Id": "user_id", "X-OpenWebUI-User-Name": "user_name", "X-OpenWebUI-Chat-Id": "chat_id"}


@dataclass
class Model:
    """Has whoever says so look around, once a few of them have asked, and tells what was seen; remembers who asked."""

    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def __call__(self, question: Question) -> Reply:
        text, messages = question.user_text() or "", question.body["messages"]
        self.asked.append((json.dumps(messages), question.record.fields()))
        if messages[-1]["role"] == "tool":
            return Reply(messages[-1]["content"])
        if "delegates" in text and question.record.purpose == "main":
            return Reply(tool_calls=[ToolCall("delegate_task", {"goal": f"help with: {text}", "context": "-"})])
        if "look around" not in text or question.record.purpose == "title_generation":
            return Reply("heard")
        if "all together" in text:
            await self._gather()
        return Reply(tool_calls=[ToolCall("look_around")])

    async def _gather(self) -> None:
        arrived = asyncio.get_running_loop().create_future()
        self.waiting.append(arrived)
        if len(self.waiting) == AT_ONCE:
            for one in self.waiting:
                one.set_result(None)
            self.waiting.clear()
        await asyncio.wait_for(arrived, 30)

    def of(self, text: str) -> list[dict[str, Any]]:
        """What the calls said of themselves that have ``text`` in them."""
        return [record for said, record in self.asked if text in said]


@dataclass(frozen=True)
class Agent(ApiServer):
    """An API server that takes who is calling, and the model behind it."""

    model: Model

    def remembered(self, event: str) -> list[dict[str, Any]]:
        """What its memory wrote down."""
        lines = (self.hermes.home / "remembered.jsonl").read_text("utf-8").splitlines()
        return [found for line in lines if (found := json.loads(line))["event"] == event]


@pytest.fixture(scope="module")
def agent(hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    model, port = Model(), free_port()
    with running(create_app(Rules("scripted-model"), respond=model)) as base_url:
        home = HermesHome(
            base_url,
            folders=(HARNESS / "onlooker", HARNESS / "remembering"),
            enabled=(PLUGIN,),
            settings={PLUGIN: {"inbound": True, "inbound_headers": OPEN_WEBUI}},
            env=api_server(port),
            more={"tools": {"tool_search": {"enabled": "off"}}, "memory": {"provider": "remembering"}},
        )
        hermes = Hermes(hinted_host.programs, home.write(tmp_path_factory.mktemp("inbound") / "home"))
        with running_gateway(hermes):
            yield Agent(f"http://127.0.0.1:{port}", hermes, model)


@dataclass(frozen=True)
class Someone:
    """A person, and how their client says who they are."""

    number: int
    headers: Mapping[str, str]
    body: Mapping[str, str] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)


def someone(number: int) -> Someone:
    user_id, user_name, chat_id = f"@someone{number:02}:example.org", f"Zoë {number:02}", f"!room{number % 3}"
    if number == 8:
        lines = {"X-OpenWebUI-User-Id": user_id, "X-OpenWebUI-User-Name": quote(user_name), "X-OpenWebUI-Chat-Id": "c8"}
        return Someone(number, lines, says={"user_id": user_id, "user_name": user_name, "chat_id": "c8"})
    if number == 9:
        return Someone(number, {}, {"user": user_id}, {"user_id": user_id})
    where = {"chat_id": chat_id, "chat_name": f"Room {number % 3}", "chat_type": "group", "thread_id": "t1"}
    says = {"user_id": user_id, "user_name": user_name, **where}
    return Someone(
        number, {f"X-Hermes-{name.title().replace('_', '-')}": quote(said) for name, said in says.items()}, {}, says
    )


CROWD = tuple(someone(number) for number in range(10))


@pytest.fixture(scope="module")
def answers(agent: Agent) -> Sequence[Answer]:
    """What ten people were answered who asked at once, each in one of the forms."""
    found: dict[int, Answer] = {}

    def ask(one: Someone) -> None:
        text = f"someone{one.number:02} says: look around, all together"
        found[one.number] = agent.ask(text, KINDS[one.number % len(KINDS)], one.headers, **one.body)

    threads = [threading.Thread(target=ask, args=(one,)) for one in CROWD[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    # Nine of them ask in threes; the tenth finds two who name nobody beside it.
    strangers = [
        threading.Thread(target=agent.ask, args=(f"stranger{n} looks: look around, all together",)) for n in (1, 2)
    ]
    for thread in strangers:
        thread.start()
    ask(CROWD[0])
    for thread in strangers:
        thread.join(90)
    return [found[one.number] for one in CROWD]


@pytest.mark.parametrize("one", CROWD, ids=lambda one: f"{one.number}-{KINDS[one.number % len(KINDS)]}")
def test_ten_people_at_once_are_each_served_as_themselves(
    agent: Agent, answers: Sequence[Answer], one: Someone
) -> None:
    answer, name = answers[one.number], f"someone{one.number:02}"
    seen = json.loads(answer.text)
    records = agent.model.of(name)

    assert (seen["user_id"], seen["user_name"]) == (one.says["user_id"], one.says.get("user_name", ""))
    assert answer.headers["X-Hermes-User-Id"] == quote(one.says["user_id"], safe="@:")
    assert {record["purpose"] for record in records} >= {"main"}
    assert len([record for record in records if record["purpose"] == "main"]) == 2
    for record in records:
        who = {field: record.get(field) for field in ("user_id", "user_name")}
        assert who == {field: one.says.get(field) for field in who}
        assert record["platform"] == "api_server"
        if "chat_id" in one.says:
            assert {field: record.get(field) for field in one.says} == one.says


@pytest.mark.usefixtures("answers")
def test_who_names_nobody_is_served_as_nobody_beside_them(agent: Agent) -> None:
    records = agent.model.of("stranger")

    assert len(records) >= 4
    assert all("user_id" not in record and "user_name" not in record for record in records)


def test_people_who_begin_with_the_same_words_have_conversations_of_their_own(agent: Agent) -> None:
    for kind in ("chat", "chat streamed"):
        sessions = {}
        for person in ("alice", "bob"):
            for _ in range(2):
                answer = agent.ask(f"the same words, {kind}", kind, {"X-Hermes-User-Id": person})
                sessions.setdefault(person, set()).add(answer.headers["X-Hermes-Session-Id"])
        nobodys = agent.ask(f"the same words, {kind}", kind).headers["X-Hermes-Session-Id"]

        assert re.fullmatch(r"api-[0-9a-f]{16}", nobodys)
        assert [len(own) for own in sessions.values()] == [1, 1]
        assert len({nobodys, *sessions["alice"], *sessions["bob"]}) == 3
        mains = [record for record in agent.model.of(f"the same words, {kind}") if record["purpose"] == "main"]
        said = {(record.get("user_id"), record["conversation_id"]) for record in mains}
        assert said == {(None, nobodys), ("alice", *sessions["alice"]), ("bob", *sessions["bob"])}


@pytest.mark.parametrize("kind", ["chat streamed", "run"])
def test_what_a_turn_brings_about_is_for_them_too(agent: Agent, kind: str) -> None:
    says = {"user_id": "erin", "user_name": "Erin", "chat_id": "!den", "conversation_id": "c-5"}
    headers = {f"X-Hermes-{field.title().replace('_', '-')}": said for field, said in says.items()}

    agent.ask(f"erin delegates, {kind}", kind, headers)

    records = agent.model.of(f"erin delegates, {kind}")
    assert {record["purpose"] for record in records} >= {"main", "subagent"}
    assert [{field: record.get(field) for field in says} for record in records] == [says] * len(records)


def test_the_callers_own_conversation_goes_out_and_its_sessions_stay_the_servers(agent: Agent) -> None:
    headers = {
        "X-Hermes-User-Id": "carol",
        "X-Hermes-Conversation-Id": "at-home-7",
        "X-Hermes-Session-Key": "key-of-carol",
    }

    seen = json.loads(agent.ask("carol says: look around", "chat", headers).text)
    records = [record for record in agent.model.of("carol says") if record["purpose"] == "main"]

    assert seen["key"] == "key-of-carol"
    assert seen["chat_id"].startswith("api-")
    for record in records:
        assert (record["conversation_id"], record["session_key"]) == ("at-home-7", "key-of-carol")
        assert record["session_id"] == seen["chat_id"]


def test_memory_is_made_for_the_person(agent: Agent, hinted_host: Environment) -> None:
    for _ in range(2):
        agent.ask("dave remembers this", "chat", {"X-Hermes-User-Id": "dave", "X-Hermes-Chat-Id": "!den"})

    session_id = agent.model.of("dave remembers")[0]["session_id"]
    told = [line["told"] for line in agent.remembered("made") if line["session_id"] == session_id]
    if "0.19" in hinted_host.directory.name:  # its API server hands no identity to the agent's constructor
        assert told == [{}] * 2
    else:  # made once, and kept for the next turn
        assert told == [{"user_id": "dave", "chat_id": "!den"}]


@pytest.mark.parametrize("kind", KINDS)
def test_memory_that_reads_the_session_context_sees_the_person(
    agent: Agent, hinted_host: Environment, kind: str
) -> None:
    for headers in ({"X-Hermes-User-Id": "frank"}, {}):
        agent.ask(f"remember me, {kind}", kind, headers)

    asked = [line for line in agent.remembered("asked") if f"remember me, {kind}" == line["told"]["query"]]
    sessions = [line["session_id"] for line in asked]
    made = [line for line in agent.remembered("made") if line["session_id"] in sessions]
    assert [line["sees"] for line in made] == ["frank", ""]
    if "0.19" in hinted_host.directory.name:  # asks memory in a thread that knows nothing
        assert [line["sees"] for line in asked] == ["", ""]
    else:
        assert [line["sees"] for line in asked] == ["frank", ""]


def test_the_server_says_what_it_takes(agent: Agent) -> None:
    features = json.loads(agent.send("/v1/capabilities").text)["features"]

    assert features["user_id_header"] == "X-Hermes-User-Id"
    assert features["thread_id_header"] == "X-Hermes-Thread-Id"
    assert features["conversation_id_header"] == "X-Hermes-Conversation-Id"
    assert features["user_id_field"] == "user"
    assert features["session_key_header"] == "X-Hermes-Session-Key"


CLAIM = {"X-Hermes-User-Id": "mallory-the-forger"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/runs"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (CLAIM, 401),
        ({**CLAIM, "Authorization": "Bearer of-another-key-0123456789"}, 401),
        ({**CLAIM, "Authorization": API_KEY}, 401),
        ({**CLAIM, "Authorization": f"Basic {API_KEY}"}, 401),
        ({**CLAIM, "X-Api-Key": API_KEY}, 401),
        ({**CLAIM, "X-Hermes-Session-Key": API_KEY}, 401),
        ({**BEARER, "X-Hermes-User-Id": "mallory-the-forger" * 20}, 400),
        ({**BEARER, "X-Hermes-User-Id": "mallory-the-forger%0D%0AX-Hermes-Chat-Id: !ops"}, 400),
        ({**BEARER, "X-Hermes-User-Name": "mallory-the-forger%00"}, 400),
        ({**BEARER, "X-Hermes-Thread-Id": "mallory-the-forger%FF"}, 400),
    ],
    ids=[
        "no key",
        "another key",
        "no scheme",
        "basic",
        "x-api-key",
        "session key",
        "long",
        "line break",
        "nul",
        "no utf-8",
    ],
)
def test_what_is_forged_or_malformed_is_refused_and_never_heard_of(
    agent: Agent, path: str, headers: Mapping[str, str], status: int
) -> None:
    text = "refuse this one"
    content = {
        "model": "any",
        "messages": [{"role": "user", "content": text}],
        "input": text,
        "user": "mallory-the-forger",
    }

    answer = agent.send(path, content, headers)

    assert answer.status == status
    assert not [name for name in answer.headers if name.lower().startswith("x-hermes")]
    assert "mallory" not in answer.text
    if status == 400:
        (wrong,) = (name for name in headers if name.startswith("X-Hermes"))
        assert json.loads(answer.text)["error"]["param"] == wrong
    assert agent.model.of(text) == []
    assert "mallory" not in agent.logs()
    assert not re.search(r"(WARNING|ERROR) hermes_hints", agent.logs())
