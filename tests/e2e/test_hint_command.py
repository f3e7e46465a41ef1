"""`/hint` in the chat, on a real Hermes with three people and a stranger in two rooms."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.environments import Environment
from harness.gateway import Gateway, Person, Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.replies import Reply
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

ALICE = Person("@alice:example.org", "Alice")
BOB = Person("@bob:example.org", "Bob")
MALLORY = Person("@mallory:example.org", "Mallory")
OPS = Room("!ops:example.org", "Ops")
LAB = Room("!lab:example.org", "Lab")


class Script:
    def __init__(self) -> None:
        self.may_go_on = threading.Event()

    def __call__(self, call: RecordedCall) -> Reply:
        if call.question.endswith("take your time"):
            self.may_go_on.wait(60)
        return Reply(f"you said: {call.question.splitlines()[0]}")


@dataclass(frozen=True)
class Stage:
    upstream: Upstream
    gateway: Gateway
    home: Path
    script: Script

    def asked(self, text: str) -> dict[str, Any]:
        """What the main call for a question said of itself."""
        call = self.upstream.wait_for(lambda call: bool(call.tools) and call.question.endswith(text))
        model_saw = json.dumps(call.messages)
        assert "/hint" not in model_saw
        assert "/cloud" not in model_saw
        return call.json["hermes"]


@pytest.fixture(scope="module")
def stage(hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    script = Script()
    settings = {"confirm": True, "commands": {"cloud": {"user_intent": "force-cloud", "priority": "high"}}}
    with running_upstream(script) as upstream:
        home = HermesHome(
            upstream.base_url,
            enabled=("hermes-hints",),
            settings={"hermes-hints": settings},
            allowed_users=(ALICE.user_id, BOB.user_id),
        ).write(tmp_path_factory.mktemp("stage") / "home")
        with running_gateway(Hermes(hinted_host.programs, home)) as gateway:
            gateway.say(ALICE, OPS, "the first message ever, to which Hermes adds a note")
            yield Stage(upstream, gateway, home, script)
        assert upstream.failures == []


def test_a_hint_counts_for_the_senders_next_turn_alone(stage: Stage) -> None:
    assert "force-cloud" in stage.gateway.say(ALICE, OPS, "/hint force-cloud")
    assert "force-cloud" in stage.gateway.say(ALICE, OPS, "/hint")
    stage.gateway.say(BOB, OPS, "what does Bob get?")
    stage.gateway.say(ALICE, LAB, "what does Alice get elsewhere?")
    stage.gateway.say(ALICE, OPS, "what does Alice get?")
    stage.gateway.say(ALICE, OPS, "and what after that?")

    assert "user_intent" not in stage.asked("what does Bob get?")
    assert "user_intent" not in stage.asked("what does Alice get elsewhere?")
    hinted = stage.asked("what does Alice get?")
    assert (hinted["user_intent"], hinted["command_origin"], hinted["user_id"]) == (
        "force-cloud",
        "/hint",
        ALICE.user_id,
    )
    assert "user_intent" not in stage.asked("and what after that?")


@pytest.mark.parametrize("between", [" ", "\n", "\n\n"])
def test_a_question_in_the_same_message_is_asked_with_the_hint_and_without_the_prefix(
    stage: Stage, between: str
) -> None:
    question = f"why is the sky blue, for the {len(between)}{between!r}th time?"

    answer = stage.gateway.say(BOB, LAB, f"/hint force-cloud{between}{question}")

    assert answer.startswith(f"you said: {question}") or question in answer
    assert stage.asked(question)["user_intent"] == "force-cloud"
    stored = [file.read_bytes() for file in stage.home.rglob("*") if file.is_file() and "logs" not in file.parts]
    assert any(question.encode() in content for content in stored)
    assert [content for content in stored if b"/hint force-cloud" in content] == []


def test_a_short_form_and_the_line_that_tells_who_answered(stage: Stage) -> None:
    answer = stage.gateway.say(ALICE, OPS, "/cloud how deep is the sea?")

    hinted = stage.asked("how deep is the sea?")
    assert (hinted["user_intent"], hinted["priority"], hinted["command_origin"]) == ("force-cloud", "high", "/cloud")
    assert answer.splitlines()[-1] == "(scripted-model)"
    assert "(scripted-model)" not in stage.gateway.say(ALICE, OPS, "and how wide?")


def test_a_lasting_hint_lasts_until_it_is_cleared(stage: Stage) -> None:
    stage.gateway.say(BOB, OPS, "/hint --session force-local")
    for number in (1, 2):
        stage.gateway.say(BOB, OPS, f"lasting {number}?")
        assert stage.asked(f"lasting {number}?")["user_intent"] == "force-local"
    assert "cleared" in stage.gateway.say(BOB, OPS, "/hint clear")
    stage.gateway.say(BOB, OPS, "lasting 3?")

    assert "user_intent" not in stage.asked("lasting 3?")


def test_a_stranger_moves_nothing(stage: Stage) -> None:
    stage.gateway.say(MALLORY, OPS, "/hint --session force-cloud")
    stage.gateway.say(MALLORY, OPS, "/hint force-cloud steal the turn")
    stage.gateway.say(ALICE, OPS, "untouched?")

    assert "user_intent" not in stage.asked("untouched?")
    assert not any("steal the turn" in call.body.decode() for call in stage.upstream.calls)


def test_two_people_at_once_each_get_their_own(stage: Stage) -> None:
    said = [
        stage.gateway.post(ALICE, LAB, "/hint force-cloud which one, for Alice?"),
        stage.gateway.post(BOB, OPS, "/hint force-local which one, for Bob?"),
    ]
    for message in said:
        stage.gateway.answer(message)

    for person, intent, text in (
        (ALICE, "force-cloud", "which one, for Alice?"),
        (BOB, "force-local", "which one, for Bob?"),
    ):
        hinted = stage.asked(text)
        assert (hinted["user_intent"], hinted["user_id"]) == (intent, person.user_id)


def test_a_command_during_ones_own_turn_is_kept_from_the_model_too(stage: Stage) -> None:
    slow = stage.gateway.post(BOB, LAB, "one moment, take your time")
    stage.upstream.wait_for(lambda call: call.question.endswith("take your time"))
    stage.gateway.post(BOB, LAB, "/hint force-cloud asked meanwhile?")
    stage.script.may_go_on.set()
    stage.gateway.answer(slow)

    hinted = stage.asked("asked meanwhile?")
    assert (hinted["user_intent"], hinted["user_id"]) == ("force-cloud", BOB.user_id)
    stage.gateway.say(BOB, LAB, "and afterwards?")
    assert "user_intent" not in stage.asked("and afterwards?")


def test_what_model_asked_for_travels_along(stage: Stage) -> None:
    stage.gateway.say(BOB, LAB, "/model strong-model")
    stage.gateway.say(BOB, LAB, "with which model?")

    assert stage.asked("with which model?")["requested_model"] == "strong-model"


def test_a_mistake_is_answered_with_what_would_be_right(stage: Stage) -> None:
    assert "priority" in stage.gateway.say(ALICE, OPS, "/hint priority=urgent")
