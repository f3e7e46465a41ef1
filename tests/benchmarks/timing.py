"""Timing, interleaved: in every round each contender makes a few calls, in another order each time.

What the machine does besides falls on all of them alike, so the differences and ratios within a round are sound where the
times themselves are not. What counts is the processor time of the calling thread, and of the calls of one round the
fastest: other programs can only add to it. The garbage collector runs between the rounds.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

Call = Callable[[], Any]
Samples = dict[str, list[float]]
"""For each contender, by round, its fastest call in µs."""

clock = time.thread_time_ns


def interleave(
    contenders: Mapping[str, Call], rounds: int, calls: int, after: Callable[[Any], Any] | None = None
) -> Samples:
    """Time calls; with ``after`` only what that does with what a call returned, as reading a stream."""
    samples: Samples = {name: [] for name in contenders}
    for order in _rounds(list(contenders), rounds):
        for name in order:
            call = contenders[name]
            fastest = 0
            for _ in range(calls):
                if after is None:
                    began = clock()
                    call()
                else:
                    result = call()
                    began = clock()
                    after(result)
                took = clock() - began
                fastest = min(fastest or took, took)
            samples[name].append(fastest / 1000)
    return samples


async def interleave_async(
    contenders: Mapping[str, Call], rounds: int, calls: int, after: Callable[[Any], Awaitable[Any]] | None = None
) -> Samples:
    """The same for calls that are awaited."""
    samples: Samples = {name: [] for name in contenders}
    for order in _rounds(list(contenders), rounds):
        for name in order:
            call = contenders[name]
            fastest = 0
            for _ in range(calls):
                if after is None:
                    began = clock()
                    await call()
                else:
                    result = await call()
                    began = clock()
                    await after(result)
                took = clock() - began
                fastest = min(fastest or took, took)
            samples[name].append(fastest / 1000)
    return samples


def _rounds(names: list[str], rounds: int) -> Iterator[list[str]]:
    dice = random.Random(rounds)  # the same order in every run
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(rounds):
            dice.shuffle(names)
            yield names
            gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()
