"""From rounds to figures: medians of what was added to the bare client, and of ratios, within each round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .names import BARE


@dataclass(frozen=True, slots=True)
class Figure:
    """One contender against another."""

    added: float
    """In µs: the median over all rounds of the difference within a round."""
    spread: float
    """How far that median may be off, in µs: half the distance of the quartiles over the root of the number of rounds."""
    ratio: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A scenario with the rounds of all its processes."""

    rounds: Mapping[str, list[float]]

    @property
    def names(self) -> Iterable[str]:
        return self.rounds.keys()

    def time(self, name: str) -> float:
        """The median time of a call, in µs."""
        return statistics.median(self.rounds[name])

    def against(self, name: str, other: str = BARE) -> Figure:
        pairs = list(zip(self.rounds[name], self.rounds[other], strict=True))
        differences = [mine - theirs for mine, theirs in pairs]
        quartiles = statistics.quantiles(differences, n=4) if len(differences) > 1 else [0.0, 0.0, 0.0]
        return Figure(
            added=statistics.median(differences),
            spread=(quartiles[2] - quartiles[0]) / 2 / len(differences) ** 0.5,
            ratio=statistics.median(mine / theirs for mine, theirs in pairs),
        )


def pooled(results: Iterable[Mapping[str, list[float]]]) -> Measured:
    """The rounds of several processes as one."""
    rounds: dict[str, list[float]] = {}
    for result in results:
        for name, samples in result.items():
            rounds.setdefault(name, []).extend(samples)
    return Measured(rounds)
