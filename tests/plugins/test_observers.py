"""Observers: they see what leaves, and change nothing of it."""

from __future__ import annotations

import logging

import pytest

from hermes_hints import hint, hookimpl, identify, loaded_plugins, register
from hermes_hints.endpoints import parse_endpoint
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline
from hermes_hints.settings import Settings

ALICE = "@alice:example.org"


class Good:
    @hookimpl
    def contribute_hints(self):
        return {"user_intent": "good"}


@pytest.fixture(autouse=True)
def _good():
    register(Good, name="good")


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]


class Observer:
    def __init__(self):
        self.seen = []

    @hookimpl
    def request_stamped(self, call, record, carriers):
        self.seen.append((call, record, carriers))


def test_an_observer_sees_what_leaves(stamp):
    observer = Observer()
    register(observer)
    with identify(user_id="alice"), hint(priority="high"):
        stamped = stamp()
    ((call, record, carried),) = observer.seen
    assert (call.model, call.api, call.base_url) == ("m", "chat.completions", "http://127.0.0.1:4000/v1")
    assert (record.user_id, record.priority, record.user_intent) == ("alice", "high", "good")
    assert record.request_id == stamped.record["request_id"]
    assert carried.body == stamped.carriers.body
    assert carried.headers == stamped.carriers.headers


def test_an_observer_sees_no_more_than_the_endpoint(stamp):
    observer = Observer()
    register(observer)
    with identify(user_id=ALICE, user_name="Alice"):
        stamp({"privacy": "none"})
    assert ALICE not in repr(observer.seen)


def test_an_observer_is_not_called_where_nothing_leaves():
    observer = Observer()
    register(observer)
    pipeline = Pipeline(Settings())
    outgoing = Outgoing("chat.completions", {"model": "m"}, None, None)
    assert pipeline.stamp(outgoing, pipeline.policy.decide(parse_endpoint("https://api.example.com"))) is None
    assert observer.seen == []


def test_an_observer_that_changes_what_it_was_given_changes_nothing(stamp):
    class Meddler:
        @hookimpl
        def request_stamped(self, record, carriers):
            record.ext["acme.region"] = "changed"
            carriers.body["hermes"]["user_id"] = "eve"
            carriers.body["hermes"]["ext"].clear()
            carriers.body["metadata"].clear()
            carriers.body["evil"] = 1
            carriers.headers["X-Evil"] = "1"

    assert register(Meddler).state == "loaded"
    with identify(user_id="alice"), hint(ext={"acme.region": "eu"}):
        stamped = stamp(metadata={"own": "1"})
    assert loaded_plugins()[-1].failures == 0
    assert stamped.carriers.body["hermes"]["user_id"] == "alice"
    assert stamped.carriers.body["hermes"]["ext"] == {"acme.region": "eu"}
    assert stamped.record["ext"] == {"acme.region": "eu"}
    assert stamped.carriers.body["metadata"]["own"] == "1"
    assert stamped.carriers.body["metadata"]["hermes_user_id"] == "alice"
    assert "evil" not in stamped.carriers.body
    assert "X-Evil" not in stamped.carriers.headers


def test_an_observer_that_raises_or_returns_something(stamp, caplog):
    class Raising:
        @hookimpl
        def request_stamped(self):
            raise RuntimeError

    class Returning:
        @hookimpl
        def request_stamped(self):
            return {"user_intent": "ignored"}

    register(Raising)
    register(Returning)
    assert stamp().carriers.body["hermes"]["user_intent"] == "good"
    assert len(lines(caplog)) == 1
    assert "plugin Raising raised in request_stamped" in lines(caplog)[0]
