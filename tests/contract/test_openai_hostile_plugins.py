"""What a hint plugin does beside hinting: the call goes out once, for the right person, and is answered."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
import tracemalloc

import openai
import pytest
from clients import UNHURRIED, ask

from hermes_hints import (
    hint,
    hookimpl,
    identify,
    install,
    isolation,
    loaded_plugins,
    plugins,
    register,
    uninstall,
    unregister,
    unwrap,
    wrap,
)

TEXT = '{"answer": 42}'
WHO = {"user_id": "alice"}
MEGABYTE = "x" * 2**20


def contributing(function, name):
    class Plugin:
        contribute_hints = hookimpl(staticmethod(function), specname="contribute_hints")

    return register(Plugin(), name)


@pytest.fixture(autouse=True)
def _good():
    contributing(lambda: {"cost_center": "good"}, "good")


@pytest.fixture
def over():
    """Set when the test is over: threads that a plugin has left behind wait for it."""
    event = threading.Event()
    yield event
    event.set()


def states():
    return {plugin.name: plugin.state for plugin in loaded_plugins()}


def send(clients, *, times=1, settings=UNHURRIED):
    async def main():
        client = wrap(clients.make(), identity=WHO, settings=settings)
        for _ in range(times):
            assert (await ask(client)).choices[0].message.content == TEXT

    clients.run(main())


def test_one_that_hangs_under_the_default_budget(clients, upstream, over, caplog, monkeypatch):
    """Until it is set aside, which takes a while: on a busy machine any plugin can be late, and no call waits for it."""
    monkeypatch.setattr(isolation, "_HANGING_SECONDS", 0.5)
    monkeypatch.setattr(plugins, "run_each", isolation.run_each)
    contributing(lambda: over.wait(60), "slow")

    async def main():
        client, until = wrap(clients.make(), identity=WHO), time.monotonic() + 50
        while states()["slow"] == "loaded" and time.monotonic() < until:
            await ask(client)
            await asyncio.sleep(0.05)
        await ask(client)

    with caplog.at_level(logging.INFO, "hermes_hints"):
        clients.run(main())
    assert states()["slow"] == "set aside"
    assert {request.hermes["user_id"] for request in upstream.received} == {"alice"}
    assert [line for line in caplog.messages if "plugin slow took more than 20 ms" in line]


@pytest.mark.parametrize("door", ["wrap", "install"])
def test_one_that_asks_a_model_from_within_either_kind_of_call(door, clients, upstream):
    """With a client of its own, which waits: the inner call is attributed, has no hints of plugins, and asks no more."""
    inner = openai.OpenAI(api_key="k", base_url=upstream.base_url, max_retries=0)
    if door == "install":
        install(identity=WHO, settings=UNHURRIED)
    else:
        wrap(inner, identity=WHO, settings=UNHURRIED)

    def asking():
        inner.chat.completions.create(model="small", messages=[])
        return {"user_intent": "considered"}

    contributing(asking, "asking")
    with inner:
        send(clients, times=20)
    assert len(upstream.received) == 40
    for small, outer in zip(upstream.received[::2], upstream.received[1::2], strict=True):
        assert (small.json["model"], small.hermes["user_id"]) == ("small", "alice")
        assert small.hermes.keys() == {"v", "user_id", "request_id"}
        assert (outer.hermes["user_intent"], outer.hermes["cost_center"]) == ("considered", "good")


def test_two_that_ask_a_model_and_set_each_other_off(clients, upstream):
    inner = wrap(
        openai.OpenAI(api_key="k", base_url=upstream.base_url, max_retries=0), identity=WHO, settings=UNHURRIED
    )

    def asking():
        inner.chat.completions.create(model="small", messages=[])
        return {"user_intent": "considered"}

    contributing(asking, "one")
    contributing(asking, "two")
    with inner:
        send(clients)
    assert [request.json["model"] for request in upstream.received] == ["small", "small", "m"]


def register_another():
    contributing(lambda: {"experiment_arm": "late"}, f"another {len(loaded_plugins())}")


def register_itself_again():
    contributing(register_itself_again, "rude")
    return {"experiment_arm": "again"}


def remove_all():
    for plugin in loaded_plugins():
        unregister(plugin.name)


def enter_scopes():
    identify(user_id="eve").__enter__()
    hint(cost_center="eve's").__enter__()


@pytest.mark.parametrize("doing", [register_another, register_itself_again, remove_all, enter_scopes, uninstall])
def test_one_that_changes_what_is_registered_or_in_force_during_a_call(doing, clients, upstream):
    contributing(doing, "rude")
    send(clients, times=25)
    assert len(upstream.received) == 25
    assert {request.hermes["user_id"] for request in upstream.received} == {"alice"}
    assert upstream.received[0].hermes["cost_center"] == "good"
    assert {request.hermes.get("cost_center") for request in upstream.received} <= {"good", None}


def test_one_that_unwraps_the_client_during_a_call(clients, upstream):
    """The call under way is finished as it began; the next ones are bare."""
    client = wrap(clients.make(), identity=WHO, settings=UNHURRIED)
    contributing(lambda: unwrap(client) and None, "rude")

    async def main():
        for _ in range(3):
            await ask(client)

    clients.run(main())
    first, *others = upstream.received
    assert first.hermes["user_id"] == "alice"
    assert [request.bare for request in others] == [True, True]


def test_one_that_leaves_threads_behind(clients, upstream, over):
    def leaving():
        threading.Thread(target=over.wait, args=(30,), daemon=True).start()
        return {"user_intent": "left one"}

    contributing(leaving, "leaving")

    def helpers():
        return sum(thread.name == "hermes-hints-plugin" for thread in threading.enumerate())

    before = helpers()
    send(clients, times=60)
    assert helpers() - before <= 2
    assert {request.hermes["user_intent"] for request in upstream.received} == {"left one"}


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
def test_what_a_thread_that_was_left_behind_asks_is_a_call_of_its_own(clients, upstream):
    """Nobody's scope is in force there: it is the client's own call, with the hints of plugins."""
    client = wrap(clients.make(), identity={"user_id": "the client's"}, settings=UNHURRIED)
    left = []

    def leaving(call):
        if call.model == "m":
            left.append(
                threading.Thread(target=client.chat.completions.create, kwargs={"model": "late", "messages": []})
            )

    contributing(leaving, "leaving")

    async def main():
        with identify(user_id="alice"):
            await ask(client)
        left[0].start()
        left[0].join(30)

    clients.run(main())
    first, late = upstream.received
    assert (first.hermes["user_id"], first.hermes["cost_center"]) == ("alice", "good")
    assert (late.json["model"], late.hermes["user_id"], late.hermes["cost_center"]) == ("late", "the client's", "good")


MASSES = {
    "a value": {"requested_model": MEGABYTE},
    "a key": {MEGABYTE: "x"},
    "a key of a vendor": {"acme." + MEGABYTE: "x"},
    "labels": {"labels": [str(number) * 100 for number in range(100_000)]},
    "labels in one text": {"labels": ",".join(map(str, range(1_000_000)))},
    "entries": {"ext": {f"acme.k{number}": MEGABYTE for number in range(1000)}},
    "a number": {"acme.n": 10**5000},
    "bytes": {"user_intent": b"x" * 2**20},
    "as much as there may be": {
        **dict.fromkeys(("user_intent", "command_origin", "requested_model", "experiment_arm"), "x" * 512),
        "labels": [f"{number:0512}" for number in range(32)],
        "ext": {f"acme.{number:048}": "x" * 512 for number in range(32)},
    },
}


class AsText(str):
    """Equal to whatever it is asked about, and added to into something else."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True

    def __radd__(self, other):
        return (1, 2)

    def __str__(self):
        return "evil"


class AsKey:
    def __hash__(self):
        return hash("user_intent")

    def __eq__(self, other):
        return other == "user_intent"


class AsNumber(float):
    def __float__(self):
        return float("nan")


class AsCount(int):
    def __int__(self):
        return 10**400

    def __lt__(self, other):
        return True

    def __gt__(self, other):
        return True


class Poison:
    def __eq__(self, other):
        raise SystemExit

    __hash__ = None


DISGUISED = {
    "an object as a key": (lambda: {AsKey(): "x", "acme.kept": 1}, {"acme.kept": 1}),
    "a text as a key": (lambda: {AsText("user_id"): "victim", "acme.kept": 1}, {"acme.kept": 1}),
    "a text as a key of ext": (lambda: {AsText("acme.key"): "x"}, {"acme.key": "x"}),
    "a text as a value": (lambda: {"acme.key": AsText("x")}, {"acme.key": "x"}),
    "a number that is none": (lambda: {"acme.key": AsNumber(1.5)}, {"acme.key": 1.5}),
    "a number that is another": (lambda: {"acme.key": AsCount(7)}, {"acme.key": 7}),
    "a number that only seems small": (lambda: {"acme.key": AsCount(10**400), "acme.kept": 1}, None),
}


@pytest.mark.parametrize(("hints", "ext"), DISGUISED.values(), ids=DISGUISED)
def test_one_whose_values_are_not_what_they_seem(hints, ext, clients, upstream):
    contributing(hints, "disguised")
    send(clients, times=isolation.TRIAL + 3)
    for request in upstream.received:
        assert request.hermes["user_id"] == "alice"
        assert request.body.count(b'"user_id":') == 1
        assert request.hermes["cost_center"] == "good"
        assert request.hermes.get("ext") == ext


def test_one_that_poisons_the_identity_that_it_was_given(clients, upstream):
    def poisoning(identity):
        identity.__dict__["user_id"] = Poison()

    contributing(poisoning, "poisoning")
    send(clients, times=isolation.TRIAL + 3)
    assert [request.hermes["user_id"] for request in upstream.received] == ["alice"] * (isolation.TRIAL + 3)


def test_keys_of_megabytes_are_not_kept(clients, upstream):
    numbers = itertools.count()
    contributing(lambda: {f"acme.{next(numbers)}{MEGABYTE}": "x" for _ in range(4)}, "heavy")
    send(clients, times=2)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        send(clients, times=isolation.TRIAL)
        assert tracemalloc.get_traced_memory()[0] - before < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert upstream.last.hermes["cost_center"] == "good"


@pytest.mark.parametrize("mass", MASSES.values(), ids=MASSES)
def test_one_that_returns_megabytes(mass, clients, upstream, caplog):
    contributing(lambda: mass, "heavy")
    with caplog.at_level(logging.DEBUG, "hermes_hints"):
        send(clients, times=2)
    for request in upstream.received:
        assert request.hermes["cost_center"] == "good"
        assert len(request.body) < 64 * 1024
        assert len(request.head) < 8 * 1024
    assert all(len(line) < 2000 for line in caplog.messages)
