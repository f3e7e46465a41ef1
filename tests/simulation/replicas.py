"""Replicas of one model, each with a prefix cache of its own, and the ways to choose among them."""

from __future__ import annotations

import bisect
import hashlib
import itertools
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hermes_hints.carriers import headers

from .conversations import BLOCK, Call

CACHE = 400_000
"""Tokens that a replica keeps, the least recently used dropped first: six full conversations."""
POINTS = 160
"""Places of a replica on the ring, as nginx has them for ``hash … consistent``."""


class Replica:
    """A cache of prefixes, and how much it had to compute."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()
        self.computed = 0
        self.cached = 0

    def serve(self, prompt: Sequence[int]) -> None:
        known = next((at for at, block in enumerate(prompt) if block not in self._blocks), len(prompt))
        self.cached += known * BLOCK
        self.computed += (len(prompt) - known) * BLOCK
        for block in reversed(prompt):  # a prefix outlives what was built on it
            self._blocks[block] = None
            self._blocks.move_to_end(block)
        while len(self._blocks) > CACHE // BLOCK:
            self._blocks.popitem(last=False)


Route = Callable[[Call], int]
Way = Callable[[int], Route]


def in_turn(replicas: int) -> Route:
    """Round robin, as a balancer does that is told nothing."""
    turns = itertools.cycle(range(replicas))
    return lambda _: next(turns)


def by_header(field: str) -> Way:
    """Consistent hashing of ``X-Hermes-Session-Id``, were it to carry ``field``."""

    def way(replicas: int) -> Route:
        ring = sorted(
            (_point(f"{replica}/{number}"), replica) for replica in range(replicas) for number in range(POINTS)
        )
        points = [point for point, _ in ring]

        def route(call: Call) -> int:
            line = headers({"conversation_id": getattr(call, field)}, ())["X-Hermes-Session-Id"]
            return ring[bisect.bisect(points, _point(line)) % len(ring)][1]

        return route

    return way


def by_chance(replicas: int) -> Route:
    """At random, as DNS does."""
    drawn = random.Random(7)
    return lambda _: drawn.randrange(replicas)


def by_address(_: int) -> Route:
    """By the client's address, as ``ip_hash`` does: all of a gateway's calls come from one."""
    return lambda _: 0


def _point(text: str) -> int:
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8])


WAYS: Mapping[str, Way] = {
    "round robin": in_turn,
    "at random": by_chance,
    "by the client's address": by_address,
    "by the session": by_header("session_id"),
    "by the conversation": by_header("conversation_id"),
}


@dataclass(frozen=True)
class Outcome:
    """What one way of choosing led to."""

    way: str
    replicas: int
    hit: float
    """Share of all prompt tokens that were cached."""
    computed: float
    """Prompt tokens computed for each call."""
    busiest: float
    """What the busiest replica computed, as a multiple of the mean."""


def simulate(calls: Sequence[Call], way: str, replicas: int) -> Outcome:
    """Send all calls to as many replicas."""
    pool = [Replica() for _ in range(replicas)]
    route = WAYS[way](replicas)
    for call in calls:
        pool[route(call)].serve(call.prompt)
    computed = sum(replica.computed for replica in pool)
    cached = sum(replica.cached for replica in pool)
    busiest = max(replica.computed for replica in pool) * replicas / computed
    return Outcome(way, replicas, cached / (cached + computed), computed / len(calls), busiest)
