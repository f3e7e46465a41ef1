"""What the ladder remembers when there is much to remember, or somebody else finds out the same at that moment."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from hermes_hints import ladder
from hermes_hints.ladder import Ladder, Rung

ORIGIN = "http://127.0.0.1:4000"


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(ladder, "time", SimpleNamespace(monotonic=lambda: now.seconds, time=lambda: now.seconds))
    return now


def test_of_very_many_models_those_that_are_over_last_stay(clock):
    remembering = Ladder()
    for number in range(3000):
        clock.seconds += 0.01
        remembering.settle(ORIGIN, f"model-{number}", Rung.BARE, named=True, status=400)

    held = [number for number in range(3000) if remembering.rung(ORIGIN, f"model-{number}") is Rung.BARE]

    assert held == [*range(3000 - 1024, 3000)]


def test_one_that_is_found_out_again_takes_nobodys_place(clock):
    remembering = Ladder()
    for number in [*range(1024), *[7] * 100]:
        remembering.settle(ORIGIN, f"model-{number}", Rung.BARE, named=True, status=400)

    assert len(remembering.held()) == 1024


def test_what_another_thread_finds_out_while_the_time_is_over_is_kept(clock, monkeypatch):
    remembering = Ladder()
    remembering.settle(ORIGIN, "m", Rung.BARE, named=True, status=400)
    clock.seconds += ladder.NAMED_SECONDS + 1
    looked = threading.Event()

    def slow():
        """Time as one asks for it who is then kept waiting, while another finds out the same anew."""
        if not looked.is_set():
            looked.set()
            remembering._rungs[ORIGIN, "m"] = (Rung.HEADERS, clock.seconds + 100)
        return clock.seconds

    monkeypatch.setattr(ladder, "time", SimpleNamespace(monotonic=slow, time=slow))
    assert remembering.rung(ORIGIN, "m") is Rung.FULL
    assert remembering.rung(ORIGIN, "m") is Rung.HEADERS


@pytest.mark.parametrize("model", [None, 5, True, "", "x" * 10**6, ["m"], {"a": 1}])
def test_a_model_may_be_anything(model, clock):
    remembering = Ladder()
    assert remembering.rung(ORIGIN, model) is Rung.FULL
    remembering.settle(ORIGIN, model, Rung.HEADERS, named=True, status=400)
    assert remembering.rung(ORIGIN, model) is (Rung.FULL if isinstance(model, list | dict) else Rung.HEADERS)
