"""`/hint` during one's own turn, in each way in which the host deals with such a message: read before anybody sees it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.covering import ALICE, BOB, ERRANDS, PLUGIN, TOOLS_IN_THE_OPEN, answered, is_title, order, told
from harness.environments import Environment
from harness.gateway import Gateway, Person, Room, Said, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.replies import Reply
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

MALLORY = Person("@mallory:example.org", "Mallory")
CLOUD = {"user_intent": "force-cloud", "command_origin": "/hint"}
HELD = "take your time"


@dataclass
class Stage:
    upstream: Upstream
    gateway: Gateway
    home: Path
    go_on: threading.Event

    def script(self, call: RecordedCall) -> Reply:
        """`answered`; what is held waits until the test lets it go on."""
        if self.is_held(call):
            self.go_on.wait(60)
        return answered(call)

    def is_held(self, call: RecordedCall) -> bool:
        return re.search(rf"{HELD}(\Z|\n)", call.question) is not None and not is_title(call)

    def during(self, who: Person, place: Room, text: str, meanwhile: Callable[[], object]) -> Said:
        """A turn in whose midst something else happens, of which the host has taken note before it goes on."""
        before = len(self.upstream.calls)
        self.go_on.clear()
        said = self.gateway.post(who, place, text)
        self.upstream.wait_for(lambda call: call.number > before and self.is_held(call))
        meanwhile()
        self.gateway.say(ALICE, Room("!elsewhere:example.org", "Elsewhere"), "/status")
        self.go_on.set()
        return said

    def asked(self, text: str) -> RecordedCall:
        """The first main call whose latest messages hold a text."""
        return self.upstream.wait_for(lambda call: bool(call.tools) and text in latest(call), seconds=30)


def latest(call: RecordedCall) -> str:
    messages = call.messages
    last = max((number for number, message in enumerate(messages) if message["role"] == "assistant"), default=0)
    return json.dumps(messages[last:])


def wishes(call: RecordedCall) -> Mapping[str, Any]:
    return {field: value for field, value in told(call).items() if field in CLOUD}


@pytest.fixture(scope="module", params=["interrupt", "queue", "steer"])
def stage(
    request: pytest.FixtureRequest, hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    with running_upstream(answered) as upstream:
        home = HermesHome(
            upstream.base_url,
            folders=(ERRANDS,),
            enabled=(PLUGIN,),
            allowed_users=(ALICE.user_id, BOB.user_id),
            more={**TOOLS_IN_THE_OPEN, "display": {"busy_input_mode": request.param}},
        ).write(tmp_path_factory.mktemp("meanwhile") / "home")
        with running_gateway(Hermes(hinted_host.programs, home)) as gateway:
            stage = Stage(upstream, gateway, home, threading.Event())
            upstream.script = stage.script
            yield stage
            stage.go_on.set()
        assert upstream.failures == []
    no_trace_of_a_command(stage)


def no_trace_of_a_command(stage: Stage) -> None:
    """Neither in what any model was told nor in what Hermes keeps of conversations."""
    told_to_models = [json.dumps(call.messages) for call in stage.upstream.calls]
    assert [text for text in told_to_models if "/hint" in text] == []
    kept = [file for file in stage.home.rglob("*") if file.is_file() and not {"logs", "plugins"} & {*file.parts}]
    assert [file.name for file in kept if b"what meanwhile" in file.read_bytes()] != []
    assert [file.name for file in kept if b"/hint" in file.read_bytes()] == []


def test_a_command_with_its_question_while_the_model_thinks(stage: Stage) -> None:
    place = Room("!thinking:example.org", "Thinking")
    text = f"one moment, {HELD}"

    stage.during(BOB, place, text, lambda: stage.gateway.post(BOB, place, "/hint force-cloud\nwhat meanwhile?"))

    hinted = stage.asked("what meanwhile?")
    assert wishes(hinted) == CLOUD
    assert told(hinted)["user_id"] == BOB.user_id
    stage.gateway.wait_for_message(place, "heard", seconds=30)


def test_a_command_with_its_question_while_a_tool_runs(stage: Stage) -> None:
    place = Room("!tools:example.org", "Tools")
    text = order("errand", what="call", text=HELD)

    stage.during(BOB, place, text, lambda: stage.gateway.post(BOB, place, "/hint force-cloud and what meanwhile?"))

    hinted = stage.asked("and what meanwhile?")
    assert wishes(hinted) == CLOUD
    assert told(hinted)["user_id"] == BOB.user_id


def test_a_command_alone_is_answered_at_once_and_is_for_the_next_turn(stage: Stage) -> None:
    place = Room("!alone:example.org", "Alone")
    answers: list[str] = []

    def ask() -> None:
        stage.gateway.post(BOB, place, "/hint force-cloud")
        answers.append(stage.gateway.wait_for_message(place, "for your next message", seconds=30).text)

    stage.gateway.answer(stage.during(BOB, place, f"first, {HELD}", ask), seconds=60)
    stage.gateway.say(BOB, place, "and next", seconds=30)

    assert "force-cloud" in answers[0]
    assert wishes(stage.asked("first, ")) == {}
    assert wishes(stage.asked("and next")) == CLOUD


def test_what_somebody_else_says_in_ones_turn_brings_it_no_hint(stage: Stage) -> None:
    thread = Room("!shared:example.org", "Shared", thread_id="topic-1")
    text = f"in a thread of two, {HELD}"

    def speak() -> None:
        stage.gateway.post(MALLORY, thread, "/hint force-cloud says a stranger")
        stage.gateway.post(BOB, thread, "/hint force-cloud says Bob")

    stage.during(ALICE, thread, text, speak)
    stage.asked("says Bob")
    for _ in range(4):  # what comes as a turn ends can be lost by the host, where it is to steer that turn
        with suppress(TimeoutError):
            stage.gateway.say(ALICE, thread, "Alice goes on", seconds=10)
            break
    stage.asked("Alice goes on")

    for call in stage.upstream.calls:
        assert b"says a stranger" not in call.body
        if told(call)["user_id"] == ALICE.user_id:
            assert wishes(call) == {}
