"""What is found of a host, and what it is asked."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from host_in_process import ALICE, Place, in_thread

from hermes_hints.hermes.host import find_host

IN_OPS = Place(ALICE)

DOORS = (
    "gateway.session_context.get_session_env",
    "agent.portal_tags.get_conversation_context",
    "hermes_cli.config.load_config",
)


def test_where_there_is_no_host_every_door_is_missing():
    found = find_host()

    assert found.missing() == DOORS
    assert (found.version, found.agent, found.hooks) == ("", None, frozenset())
    assert found.enables("hermes-hints")
    assert found.lineage("s") is None


def test_a_host_has_its_doors_by_name(hermes):
    found = find_host()

    assert found.missing() == ()
    assert tuple(found.doors()) == DOORS
    assert found.agent == f"hermes-agent/{hermes.version}"
    assert "pre_llm_call" in found.hooks
    assert (found.current_turn is not None) == hermes.newer


@pytest.mark.parametrize(
    ("listed", "enabled"),
    [
        ([{"name": "hermes-hints", "enabled": True}], True),
        ([{"name": "hermes-hints", "enabled": False}], False),
        ([{"name": "another", "enabled": True}], False),
        ([{"name": "hermes-hints", "enabled": False}, {"name": "hermes-hints", "enabled": True}], True),
        ([{}], False),
        ([], False),
    ],
)
def test_whether_it_has_the_plugin_in_use_is_told_by_its_name(hermes, monkeypatch, listed, enabled):
    monkeypatch.setattr(hermes, "list_plugins", lambda: listed)

    assert find_host().enables("hermes-hints") is enabled


class Store:
    def __init__(self, lineage):
        self.lineage = lineage
        self.asked = 0

    def get_compression_lineage(self, session_id):
        self.asked += 1
        if isinstance(self.lineage, Exception):
            raise self.lineage
        return self.lineage.get(session_id, [session_id])


@pytest.fixture
def newer(host):
    hermes = host(newer=True)
    hermes.load()
    return hermes


def calls_within(hermes, store, session_ids, root):
    def work():
        hermes.accounting.set((store, "something else"))
        return [hermes.call(session_id, "hello", turn_id=f"turn in {session_id}").hermes for session_id in session_ids]

    return hermes.started(IN_OPS, work, root=root, message_id="$1")


def test_a_session_that_compression_has_made_belongs_to_the_conversation_it_was_made_of(newer):
    store = Store({"second": ["first", "second"], "third": ["first", "second", "third"]})

    said = calls_within(newer, store, ["second", "third"], root="older still")

    assert [one["conversation_id"] for one in said] == ["first", "first"]
    assert [one["session_id"] for one in said] == ["second", "third"]


def test_a_session_that_was_begun_anew_is_a_conversation_of_its_own(newer):
    (said,) = calls_within(newer, Store({}), ["after /new"], root="before /new")

    assert said["conversation_id"] == "after /new"


def test_the_store_is_asked_once_for_each_session(newer):
    store = Store({"second": ["first", "second"]})

    calls_within(newer, store, ["second", "second", "second"], root="older")

    assert store.asked == 1


def test_where_the_session_is_the_conversation_nobody_is_asked(newer):
    store = Store({})

    calls_within(newer, store, ["first"], root="first")

    assert store.asked == 0


@pytest.mark.parametrize("lineage", [OSError("alice's is locked"), AttributeError("no such method")])
def test_a_store_that_does_not_answer_is_said_once_and_the_hosts_word_counts(newer, caplog, lineage):
    caplog.set_level(logging.WARNING, logger="hermes_hints")

    said = calls_within(newer, Store(lineage), ["second", "second"], root="first")

    assert [one["conversation_id"] for one in said] == ["first", "first"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"hermes-hints: the host's session store does not answer ({type(lineage).__name__} at ")
    assert str(lineage) not in line


@pytest.mark.parametrize("found", [None, [None], []])
def test_a_running_turn_without_a_store_is_no_failure(newer, found, caplog):
    def work():
        newer.accounting.set(None if found is None else (found or [None])[:1] and None)
        return newer.call("second", "hello", turn_id="t").hermes

    assert newer.started(IN_OPS, work, root="first", message_id="$1")["conversation_id"] == "first"
    assert caplog.text == ""


def test_the_turn_that_the_host_says_is_running_joins_its_calls_before_the_first_of_them(newer):
    def title():
        newer.begin(IN_OPS, "hello", "t7")
        in_thread(newer.send, copied=True)
        return newer.arrived().hermes

    said = newer.started(IN_OPS, title, message_id="$1")

    assert (said["turn_id"], said["task_id"], said["session_id"]) == ("t7", "task of t7", IN_OPS.session)
    assert said["user_id"] == ALICE


@pytest.mark.parametrize(
    "turn",
    [
        SimpleNamespace(),
        SimpleNamespace(lease=None, turn_id=None),
        SimpleNamespace(lease=SimpleNamespace(session_id="")),
    ],
)
def test_a_running_turn_of_another_shape_tells_nothing(newer, turn):
    newer.relay_turn.set(turn)
    try:
        said = newer.sent(copied=True).hermes
    finally:
        newer.relay_turn.set(None)

    assert {"turn_id", "task_id", "session_id", "conversation_id"} & said.keys() == set()
