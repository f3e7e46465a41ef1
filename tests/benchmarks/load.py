"""Throughput under load: 64 threads, or 1,000 tasks, on one client.

As calls for a second of the process's processor time, which is what bounds them where no answer is waited for; what
other programs do besides does not count.
"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .timing import Call

THREADS = 64
CALLS_PER_THREAD = 8
TASKS = 1000


def threads(calls: Mapping[str, Call], rounds: int) -> dict[str, Any]:
    """For each contender, by round: its rate."""
    rates: dict[str, list[float]] = {name: [] for name in calls}
    for name in _shuffled(calls, rounds):
        start = threading.Event()
        crew = [threading.Thread(target=_work, args=(calls[name], start)) for _ in range(THREADS)]
        for thread in crew:
            thread.start()
        began = time.process_time()
        start.set()
        for thread in crew:
            thread.join()
        rates[name].append(THREADS * CALLS_PER_THREAD / (time.process_time() - began))
    return {"rates": rates}


async def tasks(calls: Mapping[str, Call], rounds: int) -> dict[str, Any]:
    """The same with tasks, of which each makes one call."""
    rates: dict[str, list[float]] = {name: [] for name in calls}
    for name in _shuffled(calls, rounds):
        began = time.process_time()
        await asyncio.gather(*(calls[name]() for _ in range(TASKS)))
        rates[name].append(TASKS / (time.process_time() - began))
    return {"rates": rates}


def _work(call: Call, start: threading.Event) -> None:
    start.wait()
    for _ in range(CALLS_PER_THREAD):
        call()


def _shuffled(calls: Mapping[str, Call], rounds: int) -> Iterator[str]:
    dice = random.Random(rounds)  # the same order in every run
    names = list(calls)
    for _ in range(rounds):
        dice.shuffle(names)
        for name in names:
            gc.collect()
            yield name
