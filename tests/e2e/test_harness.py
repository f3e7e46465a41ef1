"""The harness does what the other end-to-end tests rest on: real Hermes, real turns, and the bytes that arrived."""

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
from harness.hermes_process import Hermes, HermesRunError
from harness.replies import Reply, ToolCall
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

ALICE = Person("@alice:example.org", "Alice")
BOB = Person("@bob:example.org", "Bob")
CAROL = Person("@carol:example.org", "Carol")
MALLORY = Person("@mallory:example.org", "Mallory")
OPS = Room("!ops:example.org", "Ops")
LAB = Room("!lab:example.org", "Lab")


class Script:
    """A model that repeats what it is asked, and does more when it is told to."""

    def __init__(self) -> None:
        self.all_three_are_in_a_turn = threading.Barrier(3, timeout=60)

    def __call__(self, call: RecordedCall) -> Reply:
        if is_title(call):
            return Reply('{"title": "About beans"}')
        asked = call.question.splitlines()[0]
        if asked == "what can you do?" and not call.tool_results:
            return Reply(tool_calls=(ToolCall("skills_list"),))
        if asked == "have the beans counted" and not call.tool_results:
            return Reply(tool_calls=(ToolCall("delegate_task", {"goal": "count the beans", "context": "one jar"}),))
        if asked.startswith("together:"):
            self.all_three_are_in_a_turn.wait()
        if asked.startswith("[ASYNC DELEGATION"):
            return Reply(f"you said: {call.question}")
        return Reply(f"you said: {asked}")


def is_title(call: RecordedCall) -> bool:
    return not call.tools and "title" in json.dumps(call.messages[0])


def asks(text: str) -> Any:
    return lambda call: not is_title(call) and call.question.startswith(text)


@dataclass(frozen=True)
class Stage:
    upstream: Upstream
    gateway: Gateway
    hermes: Hermes
    probed: Path

    def seen(self, door: str, **told: object) -> list[dict[str, Any]]:
        """What the probe wrote down at a door, where it was told what is named here."""
        lines = map(json.loads, self.probed.read_text("utf-8").splitlines())
        return [line for line in lines if line["door"] == door and told.items() <= line["told"].items()]


@pytest.fixture(scope="module")
def stage(host: Environment, probe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    people = (ALICE.user_id, BOB.user_id, CAROL.user_id)
    with running_upstream(Script()) as upstream:
        home = HermesHome(upstream.base_url, folders=(probe,), allowed_users=people).write(directory / "home")
        probed = directory / "probe.jsonl"
        hermes = Hermes(host.programs, home, {"PROBE_FILE": str(probed)})
        with running_gateway(hermes) as gateway:
            gateway.say(ALICE, OPS, "the first message ever, to which Hermes adds a note")
            yield Stage(upstream, gateway, hermes, probed)
        assert upstream.failures == []


def test_three_people_in_two_rooms_talk_at_once_and_each_gets_the_own_answer(stage: Stage) -> None:
    talk = {
        (ALICE, OPS): "together: I am Alice",
        (BOB, OPS): "together: I am Bob",
        (CAROL, LAB): "together: I am Carol",
    }

    said = {who: stage.gateway.post(*who, text) for who, text in talk.items()}
    answers = {who: stage.gateway.answer(message) for who, message in said.items()}

    assert answers == {who: f"you said: {text}" for who, text in talk.items()}
    for sent in stage.gateway.sent():
        if sent.answers == said[CAROL, LAB].message_id:
            assert sent.chat_id == LAB.chat_id
    for text in talk.values():
        call = stage.upstream.wait_for(asks(text))
        assert [other for other in talk.values() if other != text and other in call.body.decode()] == []


def test_what_arrives_is_kept_as_it_was_sent(stage: Stage) -> None:
    stage.gateway.say(BOB, LAB, "who is there?")

    call = stage.upstream.wait_for(asks("who is there?"))

    assert call.path == "/v1/chat/completions"
    assert call.header("authorization") == "Bearer sk-test"
    assert call.header("content-length") == str(len(call.body))
    assert call.streamed
    assert call.model == "scripted-model"
    assert "skills_list" in call.tools


def test_a_tool_call_is_run_and_its_result_comes_with_the_next_call_of_the_turn(stage: Stage) -> None:
    answer = stage.gateway.say(BOB, OPS, "what can you do?")

    assert answer == "you said: what can you do?"
    first, second = [call for call in stage.upstream.calls if asks("what can you do?")(call)]
    assert (first.tool_results, second.tool_results) == (0, 1)
    assert second.messages[-1]["role"] == "tool"
    assert '"success": true' in second.messages[-1]["content"]


def test_a_delegated_goal_runs_as_a_subagent_and_its_result_comes_back_to_the_room(stage: Stage) -> None:
    stage.gateway.say(CAROL, LAB, "have the beans counted")

    child = stage.upstream.wait_for(asks("count the beans"))
    report = stage.gateway.wait_for_message(LAB, "ASYNC DELEGATION")

    assert "one jar" in child.body.decode()
    assert "delegate_task" not in child.tools
    assert "you said: count the beans" in report.text


def test_a_new_conversation_is_given_a_title(stage: Stage) -> None:
    stage.gateway.say(ALICE, LAB, "a conversation about beans")

    title = stage.upstream.wait_for(lambda call: is_title(call) and "a conversation about beans" in call.question)

    assert not title.streamed
    assert title.header("authorization") == "Bearer sk-test"


def test_a_person_who_is_not_allowed_gets_neither_turn_nor_answer(stage: Stage) -> None:
    before = len(stage.upstream.calls)

    assert stage.gateway.say(MALLORY, OPS, "let me in") == ""
    assert not [call for call in stage.upstream.calls[before:] if "let me in" in call.body.decode()]


def test_a_command_is_answered_without_a_call(stage: Stage) -> None:
    assert stage.gateway.say(ALICE, OPS, "/status") != ""
    assert not [call for call in stage.upstream.calls if "/status" in call.question]


def test_middleware_sees_who_speaks_where_in_every_step_of_a_turn(stage: Stage) -> None:
    stage.gateway.say(ALICE, LAB, "what can you do?")
    session = stage.seen("pre_llm_call", user_message="what can you do?", sender_id=ALICE.user_id)[-1]["told"]

    steps = stage.seen("llm_request", turn_id=session["turn_id"])

    assert [step["told"]["api_call_count"] for step in steps] == [1, 2]
    for step in steps:
        seen = step["session"]
        assert (seen["PLATFORM"], seen["USER_ID"], seen["USER_NAME"]) == ("loopback", ALICE.user_id, ALICE.user_name)
        assert (seen["CHAT_ID"], seen["CHAT_NAME"]) == (LAB.chat_id, LAB.chat_name)
        assert seen["KEY"] == f"agent:main:loopback:group:{LAB.chat_id}:{ALICE.user_id}"
        assert step["conversation"] == step["told"]["session_id"] == session["session_id"]


def test_middleware_sees_a_subagent_under_its_own_session_and_its_parents_conversation(stage: Stage) -> None:
    stage.gateway.say(CAROL, OPS, "have the beans counted")
    parent = stage.seen("pre_llm_call", user_message="have the beans counted", sender_id=CAROL.user_id)[-1]["told"]
    stage.gateway.wait_for_message(OPS, "ASYNC DELEGATION")

    started = stage.seen("subagent_start", parent_session_id=parent["session_id"])[-1]
    child = stage.seen("llm_request", session_id=started["told"]["child_session_id"])[0]

    assert started["session"]["USER_ID"] == CAROL.user_id
    assert child["told"]["platform"] == "subagent"
    assert child["conversation"] == parent["session_id"]
    assert child["session"]["USER_ID"] in {"", CAROL.user_id}


def test_one_question_on_the_command_line(host: Environment, tmp_path: Path) -> None:
    with running_upstream(Script()) as upstream:
        hermes = Hermes(host.programs, HermesHome(upstream.base_url).write(tmp_path / "home"))

        assert hermes.ask("what can you do?") == "you said: what can you do?"
        assert [call.tool_results for call in upstream.calls if not is_title(call)] == [0, 1]


def test_one_turn_of_a_saved_session_on_the_command_line(host: Environment, tmp_path: Path) -> None:
    with running_upstream(Script()) as upstream:
        hermes = Hermes(host.programs, HermesHome(upstream.base_url).write(tmp_path / "home"))

        assert "you said: good morning" in hermes.chat("good morning").output


def test_a_turn_through_the_responses_api(host: Environment, tmp_path: Path) -> None:
    with running_upstream(Script()) as upstream:
        home = HermesHome(upstream.base_url, api_mode="codex_responses").write(tmp_path / "home")

        assert Hermes(host.programs, home).ask("what can you do?") == "you said: what can you do?"
        assert {call.path for call in upstream.calls} == {"/v1/responses"}


def test_a_hermes_that_does_not_end_is_ended_and_says_what_it_did(host: Environment, tmp_path: Path) -> None:
    never = threading.Event()
    with running_upstream(lambda _call: Reply(str(never.wait()))) as upstream:
        hermes = Hermes(host.programs, HermesHome(upstream.base_url).write(tmp_path / "home"))
        with pytest.raises(HermesRunError, match=r"hermes -z hello: did not end within 6 s"):
            hermes.ask("hello", seconds=6)
        never.set()


def test_a_command_that_fails_is_told_with_its_output(host: Environment, tmp_path: Path) -> None:
    hermes = Hermes(host.programs, HermesHome("http://127.0.0.1:9/v1").write(tmp_path / "home"))

    with pytest.raises(HermesRunError, match=r"(?s)ended with status 2\n--- errors\n.*'no-such-command'"):
        hermes.run("no-such-command")
