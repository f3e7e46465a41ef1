"""Every kind of call that a gateway's conversation brings about arrives for the right person, place and conversation."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.covering import ALICE, BOB, CAROL, about, assert_says, identity, order, told
from harness.environments import Environment
from harness.gateway import Person, Room
from harness.stage import LOOKS_BACK_AFTER, MAX_TURNS, Stage, distinct, only, room, running_stage
from harness.upstream import RecordedCall

pytestmark = pytest.mark.e2e

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def stage(hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(hinted_host, tmp_path_factory.mktemp("gateway")) as stage:
        yield stage


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
        ("async_plugin", "", "plugin"),
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


def test_a_person_whom_their_platform_knows_by_two_ids(stage: Stage) -> None:
    dora = Person("+4930123456", "Dora", user_id_alt="uuid-of-dora")
    place = room("two-ids")

    steps = stage.say(dora, place, order("errand", what="call", task="vision", text="doras-errand"))
    errand = only([call for call in stage.upstream.calls if call.question == "doras-errand"])

    for call in (*steps, errand):
        assert_says(call, identity(dora, place), user_id_alt="uuid-of-dora")


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


def test_a_conversation_that_is_compressed_into_another_session_stays_the_same(stage: Stage) -> None:
    place = room("compression")
    before = only(stage.say(ALICE, place, "before it gets long"))
    for text in ("long, with rice" + " and beans" * 1500, "still the same"):
        stage.say(ALICE, place, text)

    steps = stage.say(ALICE, place, order("errand", what="doors") + " and nearly full")
    compression = only([call for call in in_room(stage, place) if told(call)["purpose"] == "compression"])
    after = only(stage.say(ALICE, place, "after it was compressed"))
    for command in ("/title Peas", "/new", "/approve", "/resume Peas"):
        stage.gateway.say(ALICE, place, command)
    resumed = only(stage.say(ALICE, place, "and resumed"))

    said = told(before)
    for call in (before, *steps, compression, after, resumed):
        assert_says(call, identity(ALICE, place), conversation_id=said["conversation_id"])
    turn = [steps[0], compression, steps[-1]]
    assert [call.number for call in turn] == sorted(call.number for call in turn)
    assert len(distinct(turn, "turn_id")) == 1
    assert distinct((steps[0], compression), "session_id") == {said["session_id"]}
    (rotated,) = distinct((steps[-1], after, resumed), "session_id")
    assert rotated != said["session_id"]


def test_compression_between_two_turns_is_whose_conversation_it_is(stage: Stage) -> None:
    place = room("hygiene")
    for text in ("at first", "long, with rice" + " and beans" * 1500, "and on"):
        before = only(stage.say(CAROL, place, text))
    stage.say(CAROL, place, "up to the brim")

    after = only(stage.say(CAROL, place, "when it was compressed"))

    compression = only([call for call in in_room(stage, place) if told(call)["purpose"] == "compression"])
    for call in (before, compression, after):
        assert_says(call, identity(CAROL, place), conversation_id=told(before)["conversation_id"])
    assert "turn_id" not in told(compression)


def in_room(stage: Stage, place: Room) -> list[RecordedCall]:
    return [call for call in stage.upstream.calls if told(call).get("chat_id") == place.chat_id]


def test_the_hosts_own_look_back_on_a_conversation_is_for_whose_it_is(stage: Stage) -> None:
    place = room("look-back")
    turns = [only(stage.say(BOB, place, f"turn {number} of the long talk")) for number in range(LOOKS_BACK_AFTER)]

    review = stage.upstream.wait_for(
        lambda call: told(call).get("chat_id") == place.chat_id and told(call)["purpose"] == "background_review"
    )

    assert len(distinct(turns, "turn_id")) == LOOKS_BACK_AFTER
    assert_says(review, identity(BOB, place), conversation_id=told(turns[0])["conversation_id"])


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
