"""The user's lever on a real Matrix homeserver: `/hint` and `/model` do what their sender asked, for nobody else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from harness.hermes_home import HermesHome
from harness.matrix_gateway import (
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
from harness.replies import Reply, ToolCall
from harness.synapse import Account
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

PLUGIN = "hermes-hints"
SETTINGS = {"confirm": True, "commands": {"cloud": {"user_intent": "force-cloud"}}}
CLOUD = {"user_intent": "force-cloud", "command_origin": "/hint"}
NOTHING: dict[str, str] = {}


SERVED = {"force-cloud": "cloud-large"}
"""Which model gives the answer to a wish, whatever model is asked; other wishes have no effect."""


class Script:
    """A model that repeats what it is asked; two who say "at once" it answers when both have asked."""

    def __init__(self) -> None:
        self.both = threading.Barrier(2, timeout=60)
        self.go_on = threading.Event()

    def __call__(self, call: RecordedCall) -> Reply:
        if is_title(call):
            return Reply("A title")
        first = call.question.splitlines()[0]
        if first.startswith("at once"):
            self.both.wait()
        if first.startswith("take your time"):
            self.go_on.wait(60)
        if first.startswith("look it up") and not call.tool_results:
            return Reply(tool_calls=(ToolCall("skills_list"),))
        return Reply(f"you said: {first}", model=SERVED.get(hints(call).get("user_intent", "")))


@dataclass(frozen=True)
class Stage:
    village: Village
    talk: Conversations
    upstream: Upstream
    script: Script
    spoken_in: dict[tuple[str, str], Account] = field(default_factory=dict)

    def say(self, who: Account, room_id: str, text: str) -> str:
        """A command: what it was answered."""
        self.spoken_in[who.user_id, room_id] = who
        return self.talk.ask(who, room_id, text)

    def turn(self, who: Account, room_id: str, text: str, question: str | None = None) -> RecordedCall:
        """One message, answered, and the call that it brought about; ``question`` is what the model is to be asked."""
        question = question or text
        before = len(self.upstream.calls)
        event_id = who.send(room_id, text)
        answer = self.talk.answer(who, event_id)
        call = next(filter(asked(question), self.upstream.calls[before:]))
        assert answer == answered(question, asked_for(call).get("user_intent"))
        assert call.question == question
        assert (hints(call)["user_id"], hints(call)["message_id"]) == (who.user_id, event_id)
        return call


def answered(question: str, intent: str | None = None) -> str:
    """What is to be read in the room: with a wish, the last line says which model gave the answer."""
    said = f"you said: {question.splitlines()[0]}"
    return said if intent is None else f"{said}\n\n({SERVED.get(intent, 'scripted-model')})"


def asked_for(call: RecordedCall) -> dict[str, str]:
    """The user's wishes that a call carries, the same on every carrier."""
    fields = {"user_intent": "X-Hermes-User-Intent", "command_origin": "X-Hermes-Command-Origin"}
    metadata = call.json["metadata"]
    in_body = {field: hints(call)[field] for field in fields if field in hints(call)}
    assert {field: metadata[f"hermes_{field}"] for field in fields if f"hermes_{field}" in metadata} == in_body
    in_headers = {field: call.header(name) for field, name in fields.items()}
    assert {field: value for field, value in in_headers.items() if value is not None} == in_body
    return in_body


@pytest.fixture(scope="module", params=WITH_MATRIX)
def running(
    request: pytest.FixtureRequest, shown: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Village, Conversations, Upstream]]:
    programs = Programs.installed(request.param, shown)
    directory: Path = tmp_path_factory.mktemp("matrix-hint")
    with running_village(programs.synapse, directory / "synapse") as village, running_upstream(Script()) as upstream:
        home = HermesHome(upstream.base_url, enabled=(PLUGIN,), settings={PLUGIN: SETTINGS})
        with running_matrix_gateway(programs.hermes.programs, home, village, directory / "home") as talk:
            yield village, talk, upstream
        assert upstream.failures == []


@pytest.fixture
def stage(running: tuple[Village, Conversations, Upstream]) -> Iterator[Stage]:
    """With a model of its own; hints that were set and not used are cleared."""
    village, talk, upstream = running
    upstream.script = script = Script()
    stage = Stage(village, talk, upstream, script)
    yield stage
    cleared = [(who, who.send(room_id, "/hint clear")) for (_, room_id), who in stage.spoken_in.items()]
    for who, event_id in cleared:
        talk.answer(who, event_id)


def test_a_hint_alone_is_confirmed_and_holds_for_its_senders_next_turn_only(stage: Stage) -> None:
    alice, ops = stage.village.alice, stage.village.ops
    before = len(stage.upstream.calls)

    assert "force-cloud" in stage.say(alice, ops, "/hint force-cloud")
    assert len(stage.upstream.calls) == before

    assert asked_for(stage.turn(alice, ops, "with the hint")) == CLOUD
    assert asked_for(stage.turn(alice, ops, "without it again")) == NOTHING


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("/hint force-cloud what is a prime number?", "what is a prime number?"),
        ("/hint force-cloud\nwhat is a perfect number?", "what is a perfect number?"),
        ("/hint force-cloud what follows?\n\n  1, 1, 2, 3", "what follows?\n\n  1, 1, 2, 3"),
    ],
    ids=["same line", "new line", "several lines"],
)
def test_a_hint_with_its_question_is_one_turn_and_leaves_no_trace_in_the_conversation(
    stage: Stage, text: str, question: str
) -> None:
    jose, lab = stage.village.jose, stage.village.lab

    assert asked_for(stage.turn(jose, lab, text, question)) == CLOUD
    after = stage.turn(jose, lab, "and what did I say?")

    assert asked_for(after) == NOTHING
    conversation = json.dumps([message for message in after.messages if message["role"] != "system"])
    assert question.splitlines()[0] in conversation
    assert [word for word in ("/hint", "force-cloud") if word in conversation] == []


def test_no_model_is_ever_told_of_a_command(stage: Stage) -> None:
    bob, lab = stage.village.bob, stage.village.lab
    stage.turn(bob, lab, "/hint force-cloud what shall we call this?", "what shall we call this?")
    stage.upstream.wait_for(lambda call: is_title(call) and hints(call)["user_id"] == bob.user_id)

    told = [json.dumps(call.messages) for call in stage.upstream.calls]

    assert [text for text in told if "/hint" in text or "force-cloud" in text] == []


def test_every_step_of_the_turn_carries_the_hint(stage: Stage) -> None:
    alice, lab = stage.village.alice, stage.village.lab
    before = len(stage.upstream.calls)

    assert stage.say(alice, lab, "/hint force-cloud look it up") == answered("look it up", "force-cloud")

    steps = list(filter(asked("look it up"), stage.upstream.calls[before:]))
    assert [hints(call)["call"] for call in steps] == [1, 2]
    assert [asked_for(call) for call in steps] == [CLOUD, CLOUD]


def test_the_last_line_says_which_model_gave_the_answer_so_that_a_wish_without_effect_is_seen(stage: Stage) -> None:
    bob, lab = stage.village.bob, stage.village.lab

    heeded = stage.say(bob, lab, "/hint force-cloud how old is the sun?")
    unheeded = stage.say(bob, lab, "/hint force-local how old is the moon?")
    after = stage.turn(bob, lab, "and the shore?")

    assert heeded == "you said: how old is the sun?\n\n(cloud-large)"
    assert unheeded == "you said: how old is the moon?\n\n(scripted-model)"
    assert {call.model for call in filter(asked("how old is"), stage.upstream.calls)} == {"scripted-model"}  # asked for
    assert "cloud-large" not in json.dumps(after.messages)  # nor does the model ever read it


def test_a_hint_for_the_session_holds_until_it_is_cleared(stage: Stage) -> None:
    bob, ops = stage.village.bob, stage.village.ops

    assert "force-cloud" in stage.say(bob, ops, "/hint --session force-cloud")
    assert [asked_for(stage.turn(bob, ops, f"lasting, {n}")) for n in ("one", "two")] == [CLOUD, CLOUD]
    assert stage.say(bob, ops, "/hint clear") != ""
    assert asked_for(stage.turn(bob, ops, "lasting no more")) == NOTHING


def test_hint_alone_shows_what_is_set(stage: Stage) -> None:
    jose, ops = stage.village.jose, stage.village.ops

    before = stage.say(jose, ops, "/hint")
    stage.say(jose, ops, "/hint --session keep-it-local")
    during = stage.say(jose, ops, "/hint")
    stage.say(jose, ops, "/hint clear")
    after = stage.say(jose, ops, "/hint")

    assert ["keep-it-local" in shown for shown in (before, during, after)] == [False, True, False]
    assert before != ""


def test_a_hint_counts_in_the_room_where_it_was_given(stage: Stage) -> None:
    alice, ops, lab = stage.village.alice, stage.village.ops, stage.village.lab

    stage.say(alice, ops, "/hint force-cloud")

    assert asked_for(stage.turn(alice, lab, "in the other room")) == NOTHING
    assert asked_for(stage.turn(alice, ops, "in the same room")) == CLOUD


def test_a_hint_is_not_taken_by_somebody_else_who_is_faster(stage: Stage) -> None:
    alice, bob, ops = stage.village.alice, stage.village.bob, stage.village.ops

    stage.say(alice, ops, "/hint force-cloud")

    assert asked_for(stage.turn(bob, ops, "Bob is faster")) == NOTHING
    assert asked_for(stage.turn(alice, ops, "Alice is slower")) == CLOUD


def test_two_people_at_once_each_get_what_they_asked_for(stage: Stage) -> None:
    village = stage.village
    said = {village.alice: "/hint force-cloud at once, says Alice", village.bob: "/hint force-local at once, says Bob"}

    sent = {who: who.send(village.ops, text) for who, text in said.items()}
    answers = {who: stage.talk.answer(who, event_id) for who, event_id in sent.items()}

    for who, intent, question in (
        (village.alice, "force-cloud", "at once, says Alice"),
        (village.bob, "force-local", "at once, says Bob"),
    ):
        assert answers[who] == answered(question, intent)
        call = stage.upstream.wait_for(asked(question))
        assert hints(call)["user_id"] == who.user_id
        assert asked_for(call) == {"user_intent": intent, "command_origin": "/hint"}


def test_only_the_sender_of_a_hint_is_served_by_it_when_two_ask_at_once(stage: Stage) -> None:
    village = stage.village
    stage.say(village.alice, village.ops, "/hint force-cloud")

    sent = [(who, who.send(village.ops, f"at once, asks {who.user_id}")) for who in (village.bob, village.alice)]
    for who, event_id in sent:
        stage.talk.answer(who, event_id)

    bobs = stage.upstream.wait_for(asked(f"at once, asks {village.bob.user_id}"))
    alices = stage.upstream.wait_for(asked(f"at once, asks {village.alice.user_id}"))
    assert (asked_for(bobs), asked_for(alices)) == (NOTHING, CLOUD)


def test_a_member_who_is_not_allowed_can_neither_set_nor_clear_anything(stage: Stage) -> None:
    village = stage.village
    before = len(stage.upstream.calls)
    stage.say(village.bob, village.ops, "/hint --session keep-it-local")

    for text in ("/hint force-cloud", "/hint force-cloud let mallory in", "/hint --session force-cloud", "/hint clear"):
        assert stage.say(village.mallory, village.ops, text) == ""

    alices = stage.turn(village.alice, village.ops, "Alice after the stranger's hints")
    bobs = stage.turn(village.bob, village.ops, "Bob after the stranger's hints")
    assert asked_for(alices) == NOTHING
    assert asked_for(bobs) == {"user_intent": "keep-it-local", "command_origin": "/hint"}
    assert [call for call in stage.upstream.calls[before:] if b"mallory" in call.body.lower()] == []


def test_an_edit_into_a_command_has_no_effect(stage: Stage) -> None:
    village = stage.village
    alice, ops = village.alice, village.ops
    stage.turn(alice, ops, "Alice before the edits")
    written = alice.wait_for(lambda event: event.text == "Alice before the edits").event_id

    for who in (alice, village.bob, village.mallory):
        who.edit(ops, written, "/hint --session force-cloud")

    assert asked_for(stage.turn(village.bob, ops, "Bob after an edit into a hint")) == NOTHING
    assert asked_for(stage.turn(alice, ops, "Alice after an edit into a hint")) == NOTHING


def test_a_command_in_a_reply_counts_for_who_wrote_it(stage: Stage) -> None:
    village = stage.village
    stage.turn(village.alice, village.ops, "Alice wants to know something")
    alices = village.bob.wait_for(lambda event: event.text == "Alice wants to know something")

    event_id = village.bob.reply(village.ops, alices, "/hint force-cloud is that so?")
    assert stage.talk.answer(village.bob, event_id) == answered("is that so?", "force-cloud")

    call = stage.upstream.wait_for(asked("is that so?"))
    assert (hints(call)["user_id"], hints(call)["message_id"]) == (village.bob.user_id, event_id)
    assert asked_for(call) == CLOUD
    assert asked_for(stage.turn(village.alice, village.ops, "Alice after the reply")) == NOTHING


def test_a_strangers_command_in_a_message_that_a_member_answers_counts_for_nobody(stage: Stage) -> None:
    village = stage.village
    stage.say(village.mallory, village.ops, "hello all\n\n/hint --session force-cloud please\n\nsays the stranger")
    theirs = village.alice.wait_for(lambda event: event.text.endswith("says the stranger"))

    event_id = village.alice.reply(village.ops, theirs, "Alice asks what that was")
    stage.talk.answer(village.alice, event_id)

    assert asked_for(stage.upstream.wait_for(asked("Alice asks what that was"))) == NOTHING
    assert asked_for(stage.turn(village.alice, village.ops, "Alice after what the stranger said")) == NOTHING


def test_the_operators_short_forms_say_which_command_it_was(stage: Stage) -> None:
    alice, ops = stage.village.alice, stage.village.ops
    by_short_form = {"user_intent": "force-cloud", "command_origin": "/cloud"}

    assert asked_for(stage.turn(alice, ops, "/cloud what is a quine?", "what is a quine?")) == by_short_form
    assert stage.say(alice, ops, "/cloud") != ""
    assert asked_for(stage.turn(alice, ops, "by the short form, in two steps")) == by_short_form
    assert asked_for(stage.turn(alice, ops, "after the short form")) == NOTHING


def test_the_hosts_own_spelling_for_clients_that_keep_the_slash_to_themselves(stage: Stage) -> None:
    jose, ops = stage.village.jose, stage.village.ops

    assert asked_for(stage.turn(jose, ops, "!hint force-cloud what is a monad?", "what is a monad?")) == CLOUD


def test_a_hint_written_while_an_answer_is_being_given_reaches_no_model(stage: Stage) -> None:
    bob, lab = stage.village.bob, stage.village.lab
    first = bob.send(lab, "take your time")
    stage.upstream.wait_for(asked("take your time"))
    before = len(stage.upstream.calls)

    bob.send(lab, "/hint force-cloud")
    stage.turn(stage.village.alice, lab, "Alice sees to it that the hint has arrived")
    stage.script.go_on.set()
    stage.talk.answer(bob, first)
    stage.turn(bob, lab, "Bob asks again")

    told = [json.dumps(call.messages) for call in stage.upstream.calls[before:]]
    assert [text for text in told if "/hint" in text or "force-cloud" in text] == []


def test_model_works_as_it_does_and_its_wish_travels_along(stage: Stage) -> None:
    village = stage.village

    switched = stage.say(village.alice, village.lab, "/model another-model")
    # The 0.22 that pip installs has no texts, and answers with their names.
    assert "another-model" in switched or "gateway.model.switched" in switched
    # Hermes puts a note for the model before the first question to another one.
    assert stage.say(village.alice, village.lab, "by another model") != ""
    alices = stage.upstream.wait_for(lambda call: not is_title(call) and call.question.endswith("by another model"))
    bobs = stage.turn(village.bob, village.lab, "by the usual model")

    assert (alices.model, bobs.model) == ("another-model", "scripted-model")
    assert hints(alices)["requested_model"] == "another-model"
    assert alices.header("X-Hermes-Requested-Model") == "another-model"
    assert alices.json["metadata"]["hermes_requested_model"] == "another-model"
    assert "requested_model" not in hints(bobs)


def test_a_strangers_model_command_changes_nothing(stage: Stage) -> None:
    village = stage.village

    assert stage.say(village.mallory, village.ops, "/model a-third-model") == ""
    call = stage.turn(village.jose, village.ops, "after the stranger's choice of a model")

    assert call.model == "scripted-model"
    assert b"a-third-model" not in call.body


def test_a_new_session_ends_the_wish_for_a_model(stage: Stage) -> None:
    jose, lab = stage.village.jose, stage.village.lab

    stage.say(jose, lab, "/model another-model")
    stage.say(jose, lab, "by another model")
    stage.say(jose, lab, "/new")
    stage.say(jose, lab, "/approve")
    after = stage.turn(jose, lab, "in a new session")

    assert after.model == "scripted-model"
    assert "requested_model" not in hints(after)


def test_a_model_for_one_turn_is_wished_for_in_one_turn(stage: Stage) -> None:
    bob, ops = stage.village.bob, stage.village.ops

    stage.say(bob, ops, "/model --provider custom another-model --once")
    stage.say(bob, ops, "Bob's one turn")
    once = stage.upstream.wait_for(lambda call: not is_title(call) and call.question.endswith("Bob's one turn"))
    after = stage.turn(bob, ops, "Bob's next turn")

    assert (once.model, after.model) == ("another-model", "scripted-model")
    assert hints(once)["requested_model"] == "another-model"
    assert "requested_model" not in hints(after)
