"""A hint plugin that misbehaves costs its own hints and one log line that names it, never the request."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from hermes_hints import Hints, Identity, hint, hookimpl, identify, isolation, loaded_plugins, register, unregister
from hermes_hints.context import current

ALICE = "@alice:example.org"


def plugin(function):
    """A plugin of one hook, named ``bad``."""

    class Bad:
        contribute_hints = staticmethod(hookimpl(specname="contribute_hints")(function))

    return register(Bad, name="bad")


class Good:
    @hookimpl
    def contribute_hints(self):
        return {"user_intent": "good"}


@pytest.fixture(autouse=True)
def _good():
    register(Good, name="good")


def the_bad_one():
    return next(found for found in loaded_plugins() if found.name == "bad")


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]


def raising(error):
    def contribute_hints():
        raise error

    return contribute_hints


class OfItsOwnError(BaseException):
    pass


class Unreadable(Mapping):
    def __len__(self):
        return 1

    def __iter__(self):
        raise RuntimeError

    def __getitem__(self, key):
        raise RuntimeError


async def coroutine():
    return {"user_intent": "bad"}


def generator():
    yield {"user_intent": "bad"}


@pytest.mark.parametrize(
    "error",
    [
        *(RuntimeError("x"), KeyError(), StopIteration(1), RecursionError(), AssertionError(), NotImplementedError()),
        *(SystemExit(3), GeneratorExit(), asyncio.CancelledError(), TimeoutError(), MemoryError(), OfItsOwnError()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_one_that_raises(error, hinted, caplog):
    plugin(raising(error))
    for _ in range(40):  # on trial and after
        assert hinted() == {"user_intent": "good"}
    assert len(lines(caplog)) == 1
    assert "plugin bad raised in contribute_hints" in lines(caplog)[0]
    assert type(error).__name__ in lines(caplog)[0]
    assert (the_bad_one().state, the_bad_one().failures) == ("loaded", 40)
    assert type(error).__name__ in the_bad_one().error


def test_one_that_raises_as_if_the_process_was_to_end(stamp):
    """Outside the main thread, where nobody can press Ctrl-C."""
    plugin(raising(KeyboardInterrupt()))
    with ThreadPoolExecutor(1) as pool:
        for _ in range(40):
            stamped = pool.submit(stamp).result(30)
            assert stamped.carriers.body["hermes"]["user_intent"] == "good"
    assert (the_bad_one().state, the_bad_one().failures) == ("loaded", 40)


def test_where_no_thread_can_be_started_the_call_is_attributed(hinted, monkeypatch, caplog):
    def start(self):
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(isolation, "_idle", [])
    monkeypatch.setattr(threading.Thread, "start", start)
    with identify(user_id="alice"), hint(cost_center="1"):
        assert [hinted() for _ in range(3)] == [{"user_id": "alice", "cost_center": "1"}] * 3
    assert len(lines(caplog)) == 1
    assert "can't start new thread" in lines(caplog)[0]


def test_the_line_says_where_it_was_raised(hinted, caplog):
    plugin(raising(RuntimeError()))
    hinted()
    assert "test_isolation.py:" in lines(caplog)[0]


JUNK = {
    "a list": lambda: ["user_intent"],
    "pairs": lambda: [("user_intent", "bad")],
    "text": lambda: "bad",
    "a number": lambda: 5,
    "truth": lambda: True,
    "an identity": lambda: Identity(user_id="eve"),
    "a class": lambda: Hints,
    "a coroutine": coroutine,
    "a generator": generator,
    "an object": object,
    "a huge mapping": lambda: {f"acme.k{number}": 1 for number in range(1000)},
    "a mapping that cannot be read": Unreadable,
}


@pytest.mark.parametrize("what", JUNK)
def test_one_that_returns_junk(what, hinted, caplog):
    def contribute_hints():
        return JUNK[what]()

    plugin(contribute_hints)
    for _ in range(40):
        assert hinted() == {"user_intent": "good"}
    assert len(lines(caplog)) == 1
    assert "plugin bad returned" in lines(caplog)[0]
    assert the_bad_one().failures == 40


@pytest.mark.parametrize(
    ("returned", "carried", "told"),
    [
        ({"user_id": "eve", "cost_center": "1"}, {"cost_center": "1"}, "'user_id' is an identity field"),
        ({"conversation_id": "c", "user_name": "Eve"}, {}, "'conversation_id' is an identity field"),
        ({"user_intnt": "x", "cost_center": "1"}, {"cost_center": "1"}, "did you mean 'user_intent'?"),
        (
            {"requested_model": "m" * 1_000_000, "cost_center": "1"},
            {"cost_center": "1"},
            "requested_model is longer than 512 characters",
        ),
        ({"priority": "urgent", "cost_center": "1"}, {"cost_center": "1"}, "priority must be one of low, normal, high"),
        ({"ext": {"region": "eu"}, "cost_center": "1"}, {"cost_center": "1"}, "not of the form 'vendor.key'"),
        ({"acme.x": float("nan"), "cost_center": "1"}, {"cost_center": "1"}, "acme.x: is not a finite number"),
        ({5: 1, None: 2, "cost_center": "1"}, {"cost_center": "1"}, "a key is no field of Hints"),
    ],
    ids=range(8),
)
def test_one_that_returns_something_good_and_something_bad(returned, carried, told, hinted, caplog):
    plugin(lambda: returned)
    with identify(user_id="alice"):
        for _ in range(3):
            assert hinted() == {"user_id": "alice", "user_intent": "good", **carried}
    told_lines = [line for line in lines(caplog) if told in line]
    assert len(told_lines) == 1
    assert "plugin bad returned what cannot be sent" in told_lines[0]
    assert len(set(lines(caplog))) == len(lines(caplog))


def test_hints_made_without_validation_are_validated(hinted):
    plugin(lambda: Hints.model_construct(user_intent=["bad"], cost_center="1", ext={"no-dot": 1}))
    assert hinted() == {"user_intent": "good", "cost_center": "1"}


def test_one_that_returns_another_bad_value_each_time_is_not_said_each_time(hinted, caplog):
    turns = iter(range(1000))
    plugin(lambda: {"priority": f"p{next(turns)}", f"key-{next(turns)}": 1, "user_intent": "x" * (600 + next(turns))})
    for _ in range(20):
        hinted()
    assert len(lines(caplog)) == 3


@pytest.mark.parametrize(
    "function",
    [
        lambda call, identity: {}[identity.user_id],
        lambda call, identity: {identity.user_id: 1},
        lambda call, identity: {"priority": identity.user_id},
        lambda call, identity: {"ext": {identity.user_id: 1}},
        lambda call, identity: {"labels": {identity.user_id: 1}},
        lambda call, identity: [identity.user_id],
        lambda call, identity: (_ for _ in ()).throw(SystemExit(identity.user_id)),
        lambda call, identity: setattr(identity, "user_id", identity.user_id),
    ],
    ids=range(8),
)
def test_no_log_line_holds_an_identity(function, hinted, caplog):
    def contribute_hints(call, identity):
        return function(call, identity)

    plugin(contribute_hints)
    with identify(user_id=ALICE, user_name="Alice"):
        hinted()
    assert len(lines(caplog)) == 1
    assert "plugin bad" in lines(caplog)[0]
    assert "alice" not in " ".join(lines(caplog)).lower()
    assert all(record.exc_info is None for record in caplog.records if record.levelno > logging.DEBUG)


def test_what_a_plugin_is_given_is_frozen(hinted):
    seen = []

    def contribute_hints(call, identity):
        for value, field in ((call, "purpose"), (identity, "user_id")):
            try:
                setattr(value, field, "eve")
            except Exception as error:  # noqa: BLE001 - whatever refuses it
                seen.append(type(error).__name__)
        return {"cost_center": "1"}

    plugin(contribute_hints)
    with identify(user_id="alice"):
        assert hinted()["user_id"] == "alice"
    assert seen == ["ValidationError"] * 2


def test_a_mapping_that_a_plugin_changes_after_returning_it(stamp):
    kept = {"ext": {"acme.a": 1}, "labels": ["a"]}
    plugin(lambda: kept)
    stamped = stamp()
    kept["ext"]["acme.b"] = kept["ext"]["acme.a"] = 2
    kept["labels"].append("b")
    body = stamped.carriers.body["hermes"]
    assert (body["ext"], body["labels"]) == ({"acme.a": 1}, ("a",))


def test_a_plugin_that_itself_calls_a_model(stamp, hinted):
    inner = []

    def contribute_hints():
        with identify(user_id="the plugin"), hint(cost_center="plugins"):
            inner.append(dict(stamp().carriers.body["hermes"]))
        return {"cost_center": "asked"}

    plugin(contribute_hints)
    for _ in range(40):
        with identify(user_id="alice"):
            assert hinted() == {"user_id": "alice", "cost_center": "asked", "user_intent": "good"}
    assert len(inner) == 40
    for found in inner:
        assert {key: found[key] for key in found if key != "request_id"} == {
            "v": 1,
            "user_id": "the plugin",
            "cost_center": "plugins",
        }


def test_a_scope_that_a_plugin_enters_and_never_leaves_is_not_the_callers(hinted):
    variable = contextvars.ContextVar("variable", default="caller's")

    def contribute_hints():
        identify(user_id="eve").__enter__()
        hint(requested_model="eve's").__enter__()
        variable.set("plugin's")
        return {"cost_center": "1"}

    plugin(contribute_hints)
    with identify(user_id="alice"):
        for _ in range(100):
            assert hinted() == {"user_id": "alice", "cost_center": "1", "user_intent": "good"}
            assert (current().identity.user_id, current().hints) == ("alice", {})
            assert variable.get() == "caller's"


def test_a_plugin_sees_the_callers_context(hinted):
    variable = contextvars.ContextVar("variable")

    def contribute_hints():
        return {"cost_center": variable.get(), "experiment_arm": current().identity.user_id}

    plugin(contribute_hints)
    variable.set("caller's")
    with identify(user_id="alice"):
        for _ in range(100):
            assert hinted() == {
                "user_id": "alice",
                "cost_center": "caller's",
                "experiment_arm": "alice",
                "user_intent": "good",
            }


def test_callers_at_the_same_time_all_get_the_hints_of_a_plugin_that_waits(stamp):
    """Also of one that is on trial, and stays so because it waits for something."""
    barrier = threading.Barrier(8)
    pause = threading.Event()

    def contribute_hints(identity):
        pause.wait(0.002)
        return {"cost_center": f"of {identity.user_id}"}

    plugin(contribute_hints)

    def work(number):
        found = []
        with identify(user_id=f"user-{number}"):
            for _ in range(5):
                barrier.wait(30)
                found.append(stamp().carriers.body["hermes"].get("cost_center"))
        return found

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert results == [[f"of user-{number}"] * 5 for number in range(8)]
    assert the_bad_one().failures == 0


def test_plugins_that_come_and_go_while_calls_are_made(stamp):
    over = threading.Event()

    def work():
        found = set()
        while not over.is_set():
            found.add(stamp().carriers.body["hermes"].get("cost_center"))
        return found

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work) for _ in range(4)]
        for number in range(60):
            plugin(lambda number=number: {"cost_center": "1"}) if number % 2 else unregister("bad")
        over.set()
        assert set().union(*(future.result(30) for future in running)) <= {None, "1"}
