"""The fuzzer's target holds for its seeds and for what a few blind changes make of them."""

from __future__ import annotations

import random

import pytest
from receive_target import check, seeds


def test_every_seed():
    assert len({*seeds()}) > 60
    for seed in seeds():
        check(seed)


def test_changed_seeds():
    dice, kinds = random.Random(1), list(seeds())
    for _ in range(700):
        data = bytearray(dice.choice(kinds)[:600])
        for _ in range(dice.randrange(1, 8)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        check(bytes(data))


def test_the_target_finds_what_breaks_the_contract(monkeypatch):
    monkeypatch.setattr("receive_target.MAX_CHARS", 5)
    with pytest.raises(AssertionError):
        list(map(check, seeds()))
