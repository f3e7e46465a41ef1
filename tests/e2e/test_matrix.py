"""On a real Matrix homeserver: whoever writes in whichever room, each call says so, and nobody else's call does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from harness.hermes_home import HermesHome
from harness.matrix_gateway import (
    LAB,
    OPS,
    WITH_MATRIX,
    Conversations,
    Programs,
    Village,
    asked,
    hints,
    is_title,
    running_matrix_gateway,
    running_village,
)
from harness.proxy import running_proxy
from harness.replies import Reply
from harness.synapse import Account
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

PLUGIN = "hermes-hints"
CLOUD = "llm.example.org"

HEADERS = {
    "user_id": "X-Hermes-User-Id",
    "user_name": "X-Hermes-User-Name",
    "chat_id": "X-Hermes-Chat-Id",
    "chat_name": "X-Hermes-Chat-Name",
    "chat_type": "X-Hermes-Chat-Type",
    "platform": "X-Hermes-Platform",
    "purpose": "X-Hermes-Purpose",
    "conversation_id": "X-Hermes-Session-Id",
}


class Script:
    """A model that repeats what it is asked; what begins with "together" it answers when three have asked."""

    def __init__(self) -> None:
        self.three = threading.Barrier(3, timeout=60)

    def __call__(self, call: RecordedCall) -> Reply:
        if is_title(call):
            return Reply("A title")
        if call.question.startswith("together"):
            self.three.wait()
        return Reply(f"you said: {call.question.splitlines()[0]}")


@dataclass(frozen=True)
class Stage:
    village: Village
    talk: Conversations
    upstream: Upstream

    def turn(self, who: Account, room_id: str, text: str) -> tuple[str, RecordedCall]:
        """One message, answered: its event id, and the call that it brought about."""
        event_id = who.send(room_id, text)
        assert self.talk.answer(who, event_id) == f"you said: {text}"
        return event_id, self.upstream.wait_for(asked(text))

    def bytes_since(self, number: int) -> bytes:
        """All that has arrived after a call, heads and bodies."""
        return b"\n".join(whole(call) for call in self.upstream.calls[number:])


def whole(call: RecordedCall) -> bytes:
    lines = "".join(f"{name}: {value}\n" for name, value in call.headers)
    return lines.encode("latin-1") + b"\n" + call.body


def assert_carried(
    call: RecordedCall, expected: Mapping[str, str], in_headers: Mapping[str, str] | None = None
) -> None:
    """The body's object, metadata and, where they have a place there, the headers all say what is expected."""
    metadata = call.json["metadata"]
    assert {field: hints(call).get(field) for field in expected} == expected
    assert {field: metadata.get(f"hermes_{field}") for field in expected} == expected
    spelled = {**expected, **(in_headers or {})}
    wanted = {field: spelled[field] for field in expected if field in HEADERS}
    assert {field: call.header(HEADERS[field]) for field in wanted} == wanted


@pytest.fixture(scope="module", params=WITH_MATRIX)
def programs(request: pytest.FixtureRequest, shown: Callable[[str], None]) -> Programs:
    return Programs.installed(request.param, shown)


@pytest.fixture(scope="module")
def stage(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("matrix")
    with running_village(programs.synapse, directory / "synapse") as village, running_upstream(Script()) as upstream:
        home = HermesHome(upstream.base_url, enabled=(PLUGIN,))
        with running_matrix_gateway(programs.hermes.programs, home, village, directory / "home") as talk:
            yield Stage(village, talk, upstream)
        assert upstream.failures == []


def test_a_message_in_a_room_says_on_every_carrier_who_wrote_it_and_where(stage: Stage) -> None:
    village = stage.village

    event_id, call = stage.turn(village.alice, village.ops, "good morning from Alice")

    assert_carried(
        call,
        {
            "user_id": "@alice:example.org",
            "user_name": "Alice",
            "chat_id": village.ops,
            "chat_name": OPS,
            "chat_type": "group",
            "platform": "matrix",
            "message_id": event_id,
            "session_key": f"agent:main:matrix:group:{village.ops}:@alice:example.org",
            "purpose": "main",
            "session_id": hints(call)["session_id"],
            "conversation_id": hints(call)["session_id"],
        },
    )
    assert hints(call)["v"] == 1
    assert hints(call)["agent"].startswith("hermes-agent/0.")


def test_names_that_are_not_ascii_are_percent_encoded_in_headers_and_plain_elsewhere(stage: Stage) -> None:
    village = stage.village

    _, call = stage.turn(village.jose, village.lab, "buenos días de José")

    assert_carried(
        call,
        {"user_id": "@jose:example.org", "user_name": "José", "chat_id": village.lab, "chat_name": LAB},
        in_headers={"user_name": "Jos%C3%A9", "chat_name": "Caf%C3%A9 Lab"},
    )


def test_a_new_conversations_title_is_asked_for_in_its_persons_name(stage: Stage) -> None:
    village = stage.village

    _, call = stage.turn(village.bob, village.lab, "Bob begins with beans")
    title = stage.upstream.wait_for(lambda other: is_title(other) and "Bob begins with beans" in other.question)

    assert_carried(
        title,
        {
            "user_id": "@bob:example.org",
            "user_name": "Bob",
            "chat_id": village.lab,
            "chat_type": "group",
            "platform": "matrix",
            "purpose": "title_generation",
            "conversation_id": hints(call)["conversation_id"],
        },
    )


def test_a_conversation_stays_the_same_over_several_turns(stage: Stage) -> None:
    village = stage.village

    turns = [stage.turn(village.alice, village.ops, f"Alice counts {number}") for number in ("one", "two", "three")]

    assert len({hints(call)["conversation_id"] for _, call in turns}) == 1
    assert len({hints(call)["turn_id"] for _, call in turns}) == 3
    assert [hints(call)["message_id"] for _, call in turns] == [event_id for event_id, _ in turns]
    assert [message["content"] for message in turns[-1][1].messages if message["role"] == "user"][-3:] == [
        "Alice counts one",
        "Alice counts two",
        "Alice counts three",
    ]


def test_one_person_in_two_rooms_and_two_people_in_one_room_are_conversations_of_their_own(stage: Stage) -> None:
    village = stage.village
    people = ((village.alice, village.ops), (village.alice, village.lab), (village.jose, village.ops))

    calls = [stage.turn(who, room_id, f"apart, number {n}")[1] for n, (who, room_id) in enumerate(people)]

    assert len({hints(call)["conversation_id"] for call in calls}) == 3
    assert [(hints(call)["user_id"], hints(call)["chat_id"]) for call in calls] == [
        (who.user_id, room_id) for who, room_id in people
    ]


def test_three_people_at_once_are_never_taken_for_each_other(stage: Stage) -> None:
    village = stage.village
    said = {who: f"together, says {who.user_id}" for who in village.served}

    sent = {who: who.send(village.ops, text) for who, text in said.items()}
    answers = {who: stage.talk.answer(who, event_id) for who, event_id in sent.items()}

    assert answers == {who: f"you said: {text}" for who, text in said.items()}
    for who, text in said.items():
        call = stage.upstream.wait_for(asked(text))
        assert_carried(call, {"user_id": who.user_id, "message_id": sent[who], "chat_id": village.ops})
        others = [other.user_id.encode() for other in village.served if other is not who]
        assert [other for other in others if other in whole(call)] == []


def test_a_member_who_is_not_allowed_gets_no_turn_and_nothing_of_theirs_arrives(stage: Stage) -> None:
    village = stage.village

    assert stage.talk.ask(village.mallory, village.ops, "this is mallory, let me in") == ""
    stage.turn(village.alice, village.ops, "Alice after the stranger")

    assert b"mallory" not in stage.bytes_since(0).lower()


def test_an_edit_starts_no_turn_and_takes_nothing_over(stage: Stage) -> None:
    village = stage.village
    event_id, _ = stage.turn(village.alice, village.ops, "Alice writes a first version")
    before = len(stage.upstream.calls)

    edits = [
        village.alice.edit(village.ops, event_id, "edited by herself"),
        village.bob.edit(village.ops, event_id, "edited by somebody else"),
        village.mallory.edit(village.ops, event_id, "edited by mallory"),
    ]
    bobs_event, bobs = stage.turn(village.bob, village.ops, "Bob after the edits")
    alices_event, alices = stage.turn(village.alice, village.ops, "Alice after the edits")

    assert_carried(bobs, {"user_id": "@bob:example.org", "message_id": bobs_event})
    assert_carried(alices, {"user_id": "@alice:example.org", "message_id": alices_event})
    arrived = stage.bytes_since(before)
    assert [trace for trace in (b"edited by", *map(str.encode, edits)) if trace in arrived] == []


def test_a_reply_is_its_writers_not_that_of_whom_it_answers(stage: Stage) -> None:
    village = stage.village
    stage.turn(village.alice, village.ops, "Alice asks for opinions")
    question = village.bob.wait_for(lambda event: event.text == "Alice asks for opinions")

    event_id = village.bob.reply(village.ops, question, "Bob has one")
    assert stage.talk.answer(village.bob, event_id) == "you said: Bob has one"
    call = stage.upstream.wait_for(asked("Bob has one"))

    assert_carried(call, {"user_id": "@bob:example.org", "user_name": "Bob", "message_id": event_id})
    assert b"@alice:example.org" not in whole(call)


def test_a_reply_to_a_stranger_brings_nothing_of_the_strangers_along(stage: Stage) -> None:
    village = stage.village
    stage.talk.ask(village.mallory, village.ops, "the stranger's own words")
    theirs = village.alice.wait_for(lambda event: event.text == "the stranger's own words")

    event_id = village.alice.reply(village.ops, theirs, "Alice answers the stranger")
    stage.talk.answer(village.alice, event_id)
    call = stage.upstream.wait_for(asked("Alice answers the stranger"))

    assert_carried(call, {"user_id": "@alice:example.org", "message_id": event_id})
    assert [trace for trace in (b"mallory", b"the stranger's own words") if trace in whole(call)] == []


@dataclass(frozen=True)
class Fallback:
    """A Hermes whose dispatcher has died, and which goes on with a model out in the world."""

    village: Village
    talk: Conversations
    dispatcher: Upstream
    cloud: Upstream


@pytest.fixture(scope="module")
def fallback(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fallback]:
    directory = tmp_path_factory.mktemp("fallback")
    with (
        running_village(programs.synapse, directory / "synapse") as village,
        running_upstream(Script()) as dispatcher,
        running_upstream(Script()) as cloud,
        running_proxy({CLOUD: cloud.base_url.split("/")[2]}) as proxy,
    ):
        home = HermesHome(
            dispatcher.base_url,
            enabled=(PLUGIN,),
            fallback=(
                {"provider": "custom", "base_url": f"http://{CLOUD}/v1", "api_key": "k", "model": "cloud-model"},
            ),
            more={"agent": {"api_max_retries": 1}},
        )
        gateway = running_matrix_gateway(programs.hermes.programs, home, village, directory / "home", proxy.env)
        with gateway as talk:
            yield Fallback(village, talk, dispatcher, cloud)


def test_a_fallback_to_a_host_that_nobody_named_takes_nothing_personal_along(fallback: Fallback) -> None:
    village, talk, cloud = fallback.village, fallback.talk, fallback.cloud
    assert talk.ask(village.jose, village.lab, "while it lives") == "you said: while it lives"
    before = fallback.dispatcher.wait_for(asked("while it lives"))
    assert_carried(before, {"user_id": "@jose:example.org", "chat_id": village.lab})
    assert cloud.calls == ()

    fallback.dispatcher.stop()
    sent = [(who, who.send(village.lab, "now it is dead")) for who in (village.jose, village.bob)]
    for who, event_id in sent:
        assert "you said: now it is dead" in talk.answer(who, event_id)
    if "0.19" in str(
        hints(before)["agent"]
    ):  # 0.22 asks for a title with the question, and of the first provider alone
        cloud.wait_for(is_title)

    assert len(list(filter(asked("now it is dead"), cloud.calls))) == 2
    ids = [str(hints(before)[field]) for field in ("session_key", "session_id", "conversation_id", "request_id")]
    names = ["Alice", "José", "Bob", LAB, village.lab, village.ops]
    for call in cloud.calls:
        assert call.header("host") == CLOUD
        traces = [*ids, *(event_id for _, event_id in sent), "@jose", "@bob", "@alice"]
        assert [trace for trace in traces if trace.encode() in whole(call)] == []
        assert [trace for trace in ("hermes", *names) if trace.lower() in beside_the_conversation(call)] == []


def beside_the_conversation(call: RecordedCall) -> str:
    """What a call holds besides what the model is to read, in small letters: into that, Hermes itself writes names."""
    body = {key: value for key, value in call.json.items() if key not in ("messages", "tools")}
    return f"{json.dumps(body, ensure_ascii=False)} {call.headers}".lower()
