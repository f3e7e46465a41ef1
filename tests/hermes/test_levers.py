from __future__ import annotations

import contextvars
from types import SimpleNamespace

import pytest

from hermes_hints.hermes.levers import Levers

ALICE, BOB, MALLORY = "@alice", "@bob", "@mallory"


class Host:
    """A gateway as the levers see it: messages come in, their senders are checked, commands and turns are run."""

    def __init__(self, **options):
        self.context = {}
        self.levers = Levers({"cloud": {"user_intent": "force-cloud"}}, lambda: self.context, **options)
        self.allowed = {ALICE, BOB}
        self.turns = 0

    def _is_user_authorized(self, source):
        return source.user_id in self.allowed

    def hear(self, user, text, chat="!ops", message_id=None):
        """What the host does with a message: the reply to a command, or the hints of the turn."""
        return contextvars.Context().run(self._hear, user, text, chat, message_id or f"$m{self.turns}-{text}")

    def _hear(self, user, text, chat, message_id):
        source = SimpleNamespace(platform=SimpleNamespace(value="matrix"), chat_id=chat, user_id=user)
        event = SimpleNamespace(text=text, source=source, message_id=message_id)
        rewritten = self.levers.arrived(event=event, gateway=self, session_store=None)
        if user not in self.allowed:
            return None
        if rewritten is not None:
            text = rewritten["text"]
        if text.startswith("/"):
            name, _, arguments = text[1:].partition(" ")
            handler = self.levers.commands.get(name)
            return "built in" if handler is None else handler(arguments)
        return self.turn(user, text, chat, message_id)

    def turn(self, user, text, chat="!ops", message_id="", history=None):
        self.turns += 1
        self.context = {"platform": "matrix", "chat_id": chat, "user_id": user, "message_id": message_id}
        turn_id, session_id = f"t{self.turns}", f"s-{chat}"
        self.levers.turn_started(
            session_id=session_id,
            turn_id=turn_id,
            sender_id=user,
            user_message=text,
            conversation_history=history,
            platform="matrix",
        )
        return dict(self.levers.wishes(turn_id, None))


@pytest.fixture
def host():
    return Host()


CLOUD = {"user_intent": "force-cloud", "command_origin": "/hint"}


def test_the_next_turn_of_its_sender_in_its_chat_and_no_other(host):
    assert "for your next message" in host.hear(ALICE, "/hint force-cloud")

    assert host.hear(BOB, "q") == {}
    assert host.hear(ALICE, "q", chat="!lab") == {}
    assert host.hear(ALICE, "q") == CLOUD
    assert host.hear(ALICE, "q") == {}


def test_a_question_takes_its_own_hint_and_leaves_the_one_that_waits(host):
    host.hear(ALICE, "/hint force-local")

    assert host.hear(ALICE, "/hint force-cloud why?") == CLOUD
    assert host.hear(ALICE, "q")["user_intent"] == "force-local"


def test_a_lasting_hint_and_one_for_now_on_top(host):
    assert host.hear(ALICE, "/hint --session priority=low force-local one?")["user_intent"] == "force-local"
    assert host.hear(ALICE, "two?")["priority"] == "low"
    assert host.hear(ALICE, "/cloud three?") == {
        "priority": "low",
        "user_intent": "force-cloud",
        "command_origin": "/cloud",
    }
    assert "until /hint clear" in host.hear(ALICE, "/hint")
    assert host.hear(ALICE, "/hint clear") == "Hints cleared."
    assert host.hear(ALICE, "four?") == {}
    assert "No hints" in host.hear(ALICE, "/hint")


def test_who_is_not_authorised_leaves_nothing_behind_not_even_for_later(host):
    for text in ("/hint --session force-cloud", "/hint force-cloud q", "/model big", "/cloud q"):
        assert host.hear(MALLORY, text) is None
    host.allowed.add(MALLORY)

    assert host.hear(MALLORY, "q") == {}


def test_a_command_that_the_host_denies_is_not_rewritten(host):
    host._check_slash_access = lambda source, command: "not for you"

    assert (
        host.levers.arrived(
            event=SimpleNamespace(
                text="/hint x q", source=SimpleNamespace(platform="m", chat_id="c", user_id=ALICE), message_id="1"
            ),
            gateway=host,
        )
        is None
    )


def test_a_turn_that_no_message_brought_about_takes_nothing(host):
    host.hear(ALICE, "start it", message_id="$1")
    host.hear(ALICE, "/hint force-cloud", message_id="$2")

    assert host.turn(ALICE, "[a subagent reports]", message_id="$1") == {}
    assert host.hear(ALICE, "q", message_id="$3") == CLOUD


def test_a_command_within_a_running_turn_is_taken_out_of_what_the_model_sees(host):
    host.hear(ALICE, "slow")
    history = [{"role": "user", "content": "slow"}, {"role": "user", "content": "[Alice] /hint force-cloud why?"}]

    assert host.turn(ALICE, "[Alice] /hint force-cloud why?", history=history) == CLOUD
    assert history[-1]["content"] == "[Alice] why?"


def test_a_command_that_joined_a_running_turn_counts_for_that_turn(host):
    host.hear(ALICE, "slow")
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "context\n\n/hint force-cloud why?"}]

    plain = host.levers.heard("t1", "s-!ops", messages)

    assert [message["content"] for message in plain] == ["s", "context\n\nwhy?"]
    assert host.levers.wishes("t1", None) == CLOUD
    assert messages[1]["content"] == "context\n\n/hint force-cloud why?"


def test_messages_without_commands_are_not_copied(host):
    assert host.levers.heard("t1", "s", [{"role": "user", "content": "the file /etc/hosts\n\nand /hints"}]) is None


def test_a_subagent_works_on_its_parents_wish(host):
    host.hear(ALICE, "/hint force-cloud q")
    host.levers.subagent_started(child_session_id="child", parent_session_id="s-!ops")

    assert host.levers.wishes("child-turn", "child") == CLOUD


def test_what_model_asked_for_travels_with_its_senders_messages(host):
    assert host.hear(ALICE, "/model big-model --global") == "built in"

    assert host.hear(ALICE, "q") == {"requested_model": "big-model"}
    assert host.hear(BOB, "q") == {}


def test_the_last_line_says_who_answered_only_where_it_was_asked_for():
    host = Host(confirm=True)
    host.levers.answered(session_id="s-!ops", response_model="cloud-large")

    host.hear(ALICE, "/hint force-cloud q")
    assert host.levers.confirmed(response_text="fine", session_id="s-!ops") == "fine\n\n(cloud-large)"
    host.hear(ALICE, "q")
    assert host.levers.confirmed(response_text="fine", session_id="s-!ops") is None


def test_the_model_does_not_read_who_answered():
    host = Host(confirm=True)
    host.levers.answered(session_id="s-!ops", response_model="cloud-large")
    host.hear(ALICE, "/hint force-cloud q")
    answer = host.levers.confirmed(response_text="fine", session_id="s-!ops")
    asked, again = {"role": "user", "content": "q"}, {"role": "user", "content": "and?"}

    heard = host.levers.heard("t2", "s-!ops", [asked, {"role": "assistant", "content": answer}, again])

    assert heard == [asked, {"role": "assistant", "content": "fine"}, again]
    assert host.levers.heard("t2", "s-!ops", [asked, {"role": "assistant", "content": "other\n\n(words)"}]) is None


def test_a_mistake_is_answered_with_the_reason(host):
    assert host.hear(ALICE, "/hint priority=urgent x").startswith("/hint: priority must be one of low, normal, high")
    assert host.hear(ALICE, "/hint ¿?").startswith("/hint: say what you want first")
