"""Two real Hermes and a dispatcher: what the second one asks for arrives for the first one's people, rooms and conversations."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness.api_server import API_KEY, ApiServer, api_server
from harness.environments import Environment
from harness.gateway import Gateway, Person, Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.programs import free_port
from harness.wiretap import Wiretap, running_wiretap

from hermes_hints.dispatcher import Question, Reply, create_app, running
from hermes_hints.rules import Rules

pytestmark = pytest.mark.e2e

PLUGIN = "hermes-hints"
ALICE, BOB = Person("@alice:example.org", "Alice"), Person("@bob:example.org", "Bob")
OPS, LAB = Room("!ops:example.org", "Ops"), Room("!lab:example.org", "Lab", thread_id="$t7")
PEOPLE = ((ALICE, OPS), (BOB, LAB))
NAMED = {"endpoints": [{"match": "127.0.0.1", "profile": "hermes"}]}
WHO = {"x-hermes-user-id", "x-hermes-user-name", "x-hermes-chat-id", "x-hermes-conversation-id"}
IDENTITY = "x-hermes-user-", "x-hermes-chat-", "x-hermes-thread-", "x-hermes-conversation-"


@dataclass
class Model:
    """Answers everything, and remembers who asked what."""

    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def __call__(self, question: Question) -> Reply:
        self.asked.append((str(question.body["messages"]), question.record.fields()))
        return Reply("heard")

    def of(self, text: str) -> list[dict[str, Any]]:
        return [record for said, record in self.asked if text in said]


@dataclass(frozen=True)
class Second(ApiServer):
    """The Hermes behind, the model behind that, and what the one in front asks."""

    model: Model
    tap: Wiretap


@contextmanager
def second_hermes(programs: Path, home: Path, settings: Mapping[str, object]) -> Iterator[Second]:
    model, port = Model(), free_port()
    with running(create_app(Rules("scripted-model"), respond=model)) as base_url:
        told = HermesHome(base_url, enabled=(PLUGIN,), settings={PLUGIN: settings}, env=api_server(port))
        hermes = Hermes(programs, told.write(home))
        url = f"http://127.0.0.1:{port}"
        with running_gateway(hermes), running_wiretap(url) as tap:
            yield Second(url, hermes, model, tap)


@pytest.fixture(scope="module")
def second(hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """One that takes who is calling."""
    home = tmp_path_factory.mktemp("second") / "home"
    with second_hermes(hinted_host.programs, home, {"inbound": True}) as second:
        yield second


@pytest.fixture
def deaf(hinted_host: Environment, tmp_path: Path) -> Iterator[Second]:
    """One that does not."""
    with second_hermes(hinted_host.programs, tmp_path / "second", {}) as second:
        yield second


First = Callable[..., AbstractContextManager[Gateway]]


@pytest.fixture
def first(hinted_host: Environment, tmp_path: Path) -> First:
    """The one in front, at ``tmp_path/home``: it has the second for its model, or relays to it."""

    def first(second: Second, settings: Mapping[str, object], *, relays: bool) -> AbstractContextManager[Gateway]:
        second.tap.asked.clear()
        second.model.asked.clear()
        home = HermesHome(
            "http://127.0.0.1:9/v1" if relays else f"{second.tap.url}/v1",
            enabled=(PLUGIN,),
            settings={PLUGIN: settings},
            more={"gateway": {"proxy_url": second.tap.url}} if relays else {"model": {"api_key": API_KEY}},
            env={"GATEWAY_PROXY_KEY": API_KEY} if relays else {},
        )
        return running_gateway(Hermes(hinted_host.programs, home.write(tmp_path / "home")))

    return first


def sessions_of(home: Path) -> set[str]:
    with closing(sqlite3.connect(home / "state.db")) as store:
        return {session_id for (session_id,) in store.execute("select id from sessions")}


def logs_of(home: Path) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in (home / "logs").glob("**/*.log"))


def ask_together(gateway: Gateway, text: str) -> None:
    posted = [gateway.post(person, room, f"{person.user_name} {text}") for person, room in PEOPLE]
    assert [gateway.answer(said) for said in posted] == ["heard"] * len(PEOPLE)


@pytest.mark.parametrize("relays", [False, True], ids=["as its model", "proxy mode"])
def test_it_is_the_first_ones_people_rooms_and_conversations_that_arrive(
    second: Second, first: First, tmp_path: Path, relays: bool
) -> None:
    with first(second, NAMED, relays=relays) as gateway:
        for number in (1, 2):
            ask_together(gateway, f"asks behind it, {number}")

    sessions = sessions_of(tmp_path / "home")
    for person, room in PEOPLE:
        records = second.model.of(f"{person.user_name} asks behind it")
        where = {"chat_id": room.chat_id, "chat_name": room.chat_name, "chat_type": room.chat_type}
        expected = {"user_id": person.user_id, "user_name": person.user_name, **where, "thread_id": room.thread_id}
        assert len(records) >= 2
        assert [{field: record.get(field) for field in expected} for record in records] == [expected] * len(records)
        assert {record["conversation_id"] for record in records} <= sessions
        assert all(room.chat_id in record["session_key"] for record in records)
    conversations = {record["conversation_id"] for record in second.model.of("asks behind it")}
    assert len(conversations) == len(PEOPLE)


@pytest.mark.parametrize("relays", [False, True], ids=["as its model", "proxy mode"])
def test_it_is_asked_once_what_it_takes_and_no_session_of_it_is_named(
    second: Second, first: First, relays: bool
) -> None:
    with first(second, NAMED, relays=relays) as gateway:
        for number in (1, 2):
            ask_together(gateway, f"asks once, {number}")

    (asked,) = second.tap.of("/v1/capabilities")
    assert (asked.ours, asked.headers["authorization"]) == ({}, f"Bearer {API_KEY}")
    requests = second.tap.of("/v1/chat/completions")
    assert second.tap.asked.index(asked) < second.tap.asked.index(requests[0])
    assert len(requests) >= 4
    assert all(request.ours.keys() >= WHO for request in requests)
    # In proxy mode the host itself names the session, which it means the other one to keep.
    assert all(("x-hermes-session-id" in request.ours) == relays for request in requests)


@pytest.mark.parametrize("relays", [False, True], ids=["as its model", "proxy mode"])
def test_one_that_does_not_take_who_is_calling_is_not_told(
    deaf: Second, first: First, tmp_path: Path, relays: bool
) -> None:
    with first(deaf, NAMED, relays=relays) as gateway:
        ask_together(gateway, "asks")

    assert len(deaf.tap.of("/v1/capabilities")) == 1
    requests = deaf.tap.of("/v1/chat/completions")
    assert len(requests) >= 2
    assert not [name for request in requests for name in request.ours if name.startswith(IDENTITY)]
    assert all("x-hermes-session-key" in request.ours for request in requests)
    assert all("user_id" not in record for record in deaf.model.of("asks"))
    assert "set inbound: true there" in logs_of(tmp_path / "home")


def test_without_a_profile_it_is_known_by_its_first_answer(second: Second, first: First, tmp_path: Path) -> None:
    with first(second, {}, relays=False) as gateway:
        gateway.say(ALICE, OPS, "Alice asks first")
        ask_together(gateway, "asks later")

    later = [request for request in second.tap.of("/v1/chat/completions") if b"asks later" in request.body]
    assert len(later) >= 2
    assert all("x-hermes-session-id" not in request.ours and request.ours.keys() >= WHO for request in later)
    for person, room in PEOPLE:
        records = second.model.of(f"{person.user_name} asks later")
        assert {(record["user_id"], record["chat_id"]) for record in records} == {(person.user_id, room.chat_id)}
    assert "answers as a Hermes does" in logs_of(tmp_path / "home")


def test_what_is_relayed_needs_no_profile_on_ones_own_network(second: Second, first: First) -> None:
    with first(second, {}, relays=True) as gateway:
        ask_together(gateway, "asks by default")

    for person, room in PEOPLE:
        records = second.model.of(f"{person.user_name} asks by default")
        assert {(record["user_id"], record["chat_id"]) for record in records} == {(person.user_id, room.chat_id)}
    assert b'"hermes"' not in second.tap.of("/v1/chat/completions")[0].body


@pytest.mark.parametrize("rule", [{"profile": "off"}, {"profile": "hermes", "privacy": "none"}], ids=["off", "none"])
def test_what_is_relayed_says_nothing_where_the_operator_says_so(
    second: Second, first: First, rule: Mapping[str, str]
) -> None:
    with first(second, {"endpoints": [{"match": "127.0.0.1", **rule}]}, relays=True) as gateway:
        ask_together(gateway, "asks quietly")

    personal = {
        "x-hermes-user-id",
        "x-hermes-user-name",
        "x-hermes-chat-id",
        "x-hermes-chat-name",
        "x-hermes-session-key",
    }
    assert not [name for request in second.tap.asked for name in request.ours if name in personal]
    assert all("user_id" not in record for record in second.model.of("asks quietly"))
