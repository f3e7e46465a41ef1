"""Messages during a turn, as an adapter of the host's hands them on."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from hermes_hints.hermes.interjections import Interjections
from hermes_hints.hermes.levers import Levers

ALICE, MALLORY = "@alice", "@mallory"
CLOUD = {"user_intent": "force-cloud", "command_origin": "/hint"}


class Adapter:
    """One platform's adapter, and the handler that the host has given it."""

    def __init__(self):
        self.seen = []
        self.sent = []
        self.set_busy_session_handler(self.host)

    def set_busy_session_handler(self, handler):
        self._busy_session_handler = handler

    async def host(self, event, session_key):
        self.seen.append((event.text, session_key))
        return event.text == "handled"

    async def send(self, chat_id, content, reply_to=None, metadata=None):
        self.sent.append((chat_id, content, reply_to, metadata))


class Gateway:
    def __init__(self):
        self.adapters = {"matrix": Adapter()}
        self._profile_adapters = {"careful": {"matrix": Adapter()}}

    def _is_user_authorized(self, source):
        return source.user_id != MALLORY

    @property
    def all_adapters(self):
        return (self.adapters["matrix"], self._profile_adapters["careful"]["matrix"])


def said(text, user_id=ALICE, message_id="$1", chat_id="!ops", thread_id=None):
    source = SimpleNamespace(platform="matrix", chat_id=chat_id, user_id=user_id, thread_id=thread_id)
    return SimpleNamespace(text=text, source=source, message_id=message_id)


@pytest.fixture
def wanted():
    return []


@pytest.fixture
def levers():
    return Levers({"cloud": {"user_intent": "force-cloud"}}, dict)


@pytest.fixture
def gateway():
    return Gateway()


@pytest.fixture
def interjections(levers, gateway, wanted):
    found = Interjections(levers, lambda: not wanted)
    found.arrived(event=said("good morning"), gateway=gateway, session_store=None)
    return found


def during(adapter, event, session_key="k"):
    return asyncio.run(adapter._busy_session_handler(event, session_key))


@pytest.mark.usefixtures("interjections")
def test_a_question_goes_on_to_the_host_without_its_command(gateway):
    for adapter in gateway.all_adapters:
        assert during(adapter, said("/hint force-cloud why?")) is False
        assert during(adapter, said("/cloud\nhandled")) is True
        assert during(adapter, said("no command")) is False

        assert adapter.seen == [("why?", "k"), ("handled", "k"), ("no command", "k")]
        assert adapter.sent == []


@pytest.mark.usefixtures("interjections")
def test_a_command_alone_is_answered_where_it_was_given_and_kept_from_the_host(gateway, levers):
    adapter = gateway.adapters["matrix"]

    assert during(adapter, said("/hint force-cloud", thread_id="t1", message_id="$7")) is True
    assert during(adapter, said("/hint priority=urgent")) is True

    assert adapter.seen == []
    (first, second) = adapter.sent
    assert (first[0], first[2], first[3]) == ("!ops", "$7", {"thread_id": "t1"})
    assert "force-cloud" in first[1]
    assert "priority" in second[1]
    levers._context = lambda: {"platform": "matrix", "chat_id": "!ops", "message_id": "$8"}
    levers.turn_started(turn_id="t", sender_id=ALICE, user_message="next")
    assert levers.wishes("t", None) == CLOUD


@pytest.mark.usefixtures("interjections")
def test_a_stranger_is_the_hosts_business(gateway):
    adapter = gateway.adapters["matrix"]

    during(adapter, said("/hint force-cloud", MALLORY))

    assert (adapter.seen, adapter.sent) == ([("/hint force-cloud", "k")], [])


@pytest.mark.usefixtures("interjections")
def test_other_chats_and_other_peoples_events_go_on_as_they_are(gateway):
    adapter = gateway.adapters["matrix"]

    during(adapter, said("/hint force-cloud why?", chat_id="!never-seen"))
    during(adapter, said("/model strong"))
    during(adapter, SimpleNamespace(text="/hint x why?", source=SimpleNamespace(platform="matrix", chat_id="!ops")))

    assert [text for text, _ in adapter.seen] == ["/hint force-cloud why?", "/model strong", "/hint x why?"]


def test_each_message_finds_the_one_handler_there_however_often_the_plugin_was_loaded(gateway, levers, interjections):
    adapter = gateway.adapters["matrix"]
    handler = adapter._busy_session_handler

    interjections.arrived(event=said("again"), gateway=gateway)
    Interjections(levers, lambda: True).arrived(event=said("and again"), gateway=gateway)

    assert adapter._busy_session_handler is handler


@pytest.mark.parametrize("told", [True, False], ids=["told by the host", "found out"])
def test_nothing_is_left_behind(gateway, interjections, wanted, told):
    if told:
        interjections.leave()
    else:
        wanted.append("no longer")
        during(gateway.adapters["matrix"], said("/hint force-cloud why?"))
        assert gateway.adapters["matrix"].seen == [("/hint force-cloud why?", "k")]

    for adapter in gateway.all_adapters:
        assert adapter._busy_session_handler == adapter.host


@pytest.mark.parametrize("gateway", [None, SimpleNamespace(adapters={"matrix": object()})], ids=["none", "older"])
def test_a_host_without_such_handlers_goes_on(gateway, levers):
    rewritten = Interjections(levers, lambda: True).arrived(event=said("/hint force-cloud why?"), gateway=gateway)

    assert rewritten == {"action": "rewrite", "text": "why?"}


def joined(levers, request, asked="why?", user_id=ALICE):
    """The hints of a turn whose sender asked something during it, at a request that holds ``request``."""
    levers._context = lambda: {"platform": "matrix", "chat_id": "!ops", "message_id": "$0"}
    levers.turn_started(turn_id="t", session_id="s", sender_id=ALICE, user_message="first")
    event = said(f"/hint force-cloud {asked}", user_id)
    assert levers.interjected(event=event, gateway=None) is None
    assert event.text == asked
    levers.joined("t", "s", request)
    return levers.wishes("t", None)


FIRST = {"role": "user", "content": "first"}


@pytest.mark.parametrize(
    "request_",
    [
        [FIRST, {"role": "assistant", "content": "-"}, {"role": "user", "content": "[Context]\n\nwhy?"}],
        [FIRST, {"role": "assistant", "content": None}, {"role": "tool", "content": "result\n\n[Alice] why?\n"}],
        [FIRST, {"role": "user", "content": [{"type": "text", "text": "why?"}]}],
        [FIRST, {"type": "function_call", "name": "t"}, {"type": "function_call_output", "output": "r\nwhy?"}],
        [FIRST, {"role": "user", "content": [{"type": "input_text", "text": "why?"}]}],
    ],
    ids=["said", "with a tool's result", "in parts", "with a tool's result, Responses", "in parts, Responses"],
)
def test_what_is_joined_to_the_turn_counts_for_it_from_then_on(levers, request_):
    assert joined(levers, request_) == CLOUD
    assert levers.wishes(None, "s") == CLOUD


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        [FIRST],
        [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "-"}, {"role": "tool", "content": "r"}],
        [FIRST, {"role": "user", "content": "say why? or else"}],
    ],
    ids=["nothing", "empty", "the turn's own", "said long ago", "a part of a line"],
)
def test_what_is_not_joined_waits(levers, request_):
    assert joined(levers, request_) == {}

    levers.turn_started(turn_id="u", session_id="s", sender_id=ALICE, user_message="why?")
    assert levers.wishes("u", None) == CLOUD


def test_somebody_elses_question_brings_a_turn_no_hint(levers):
    assert joined(levers, [FIRST, {"role": "user", "content": "why?"}], user_id="@bob") == {}


def test_a_lasting_hint_that_joined_a_turn_lasts(levers):
    levers._context = lambda: {"platform": "matrix", "chat_id": "!ops", "message_id": "$0"}
    levers.turn_started(turn_id="t", session_id="s", sender_id=ALICE, user_message="first")
    levers.interjected(event=said("/hint --session force-cloud why?"), gateway=None)
    levers.joined("t", "s", [FIRST, {"role": "user", "content": "why?"}])
    levers._context = lambda: {"platform": "matrix", "chat_id": "!ops", "message_id": "$2"}

    levers.turn_started(turn_id="u", session_id="s", sender_id=ALICE, user_message="later")

    assert levers.wishes("u", None) == CLOUD
