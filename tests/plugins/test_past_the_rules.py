"""Hint plugins that write past what is frozen, or whose answer itself takes long to read."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping

import pytest

from hermes_hints import Identity, Settings, hookimpl, identify, loaded_plugins, register
from hermes_hints.pipeline import Outgoing, Pipeline
from hermes_hints.values import MAX_EXT

BOUND = 2.0
"""Seconds: above the budget, and below what reading these answers takes."""


def plugin(function, name="rude"):
    class Rude:
        contribute_hints = staticmethod(hookimpl(specname="contribute_hints")(function))

    return register(Rude, name=name)


def by_its_dictionary(value, field):
    value.__dict__[field] = "eve"


def by_the_base_class(value, field):
    object.__setattr__(value, field, "eve")


@pytest.fixture(params=[by_its_dictionary, by_the_base_class])
def writing(request):
    return request.param


def test_an_identity_that_is_written_to(writing, hinted):
    plugin(lambda identity: writing(identity, "user_id"))
    for _ in range(40):  # on trial and after
        with identify(user_id="alice"):
            assert hinted()["user_id"] == "alice"


def test_an_identity_of_the_client_that_is_written_to(writing):
    plugin(lambda identity: writing(identity, "user_id"))
    who = Identity(user_id="alice")
    pipeline = Pipeline(Settings(), identity=who)
    for _ in range(40):
        outgoing = Outgoing("chat.completions", {"model": "m", "messages": []}, None, None)
        stamped = pipeline.stamp(outgoing, pipeline.decide("http://127.0.0.1:4000/v1"))
        assert stamped.carriers.body["hermes"]["user_id"] == stamped.carriers.headers["X-Hermes-User-Id"] == "alice"
    assert who == Identity(user_id="alice")


def test_a_call_that_is_written_to(writing, hinted):
    plugin(lambda call: writing(call, "turn_id"))
    for _ in range(40):
        assert hinted() == {}


class Slow(Mapping):
    def __len__(self):
        return 1

    def __iter__(self):
        time.sleep(10)
        yield "priority"

    def __getitem__(self, key):
        return "high"


class Endless(Slow):
    def __iter__(self):
        return (f"acme.k{number}" for number in itertools.count())

    def __getitem__(self, key):
        return "high"


def timed(function):
    began = time.monotonic()
    return function(), time.monotonic() - began


@pytest.mark.parametrize("answer", [Endless(), {"ext": Endless()}], ids=["as it is", "in ext"])
def test_an_answer_without_end(answer, hinted):
    """Its length says something else."""
    plugin(lambda: {"cost_center": "good"}, "good")
    plugin(lambda: answer)
    found, seconds = timed(hinted)
    assert found["cost_center"] == "good"
    assert len(found.get("ext", {})) <= MAX_EXT
    assert seconds < BOUND


def test_an_answer_that_takes_long_to_read_counts_as_a_plugin_that_does(hinted):
    plugin(lambda: {"cost_center": "good"}, "good")
    plugin(Slow)
    found, seconds = timed(hinted)
    assert found == {"cost_center": "good"}
    assert seconds < BOUND
    while next(listed for listed in loaded_plugins() if listed.name == "rude").state == "loaded":
        assert timed(hinted)[1] < BOUND


MANY = {"one over and over": ["a"] * 10_000_000, "in one text": ["a," * 5_000_000], "in no list": "a," * 5_000_000}


@pytest.mark.parametrize("labels", MANY.values(), ids=MANY)
def test_labels_without_end(labels, hinted):
    plugin(lambda: {"labels": labels, "cost_center": "good"})
    found, seconds = timed(hinted)
    assert found == {"cost_center": "good"}
    assert seconds < BOUND
