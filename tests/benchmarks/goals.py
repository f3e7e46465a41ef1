"""What is to be reached, and whether it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .figures import Measured
from .names import BARE, BY_HAND_FRESH, MIDDLEWARE, OFF, OURS, PEERS

ADDED_FACTOR = 1.10
PLUGINS_US = 25.0
OFF_US = 5.0
LARGE_US = 120.0
LARGE_SHARE = 0.01
CHUNK_US = 1.0
"""What counts as nothing: less than a tenth of a percent of what the SDK itself takes for a chunk is not told from it."""
IMPORT_MS = 8.0
IMPORT_MB = 0.5
MIDDLEWARE_US = 60.0
THROUGHPUT = 0.97


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal in one environment."""

    text: str
    measured: str
    over: float
    """By how much it is missed; at most 0 where it is met."""
    doubt: float = 0.0
    """How far ``over`` may be off."""

    @property
    def verdict(self) -> str:
        """Whether it is met, and where the measurement does not tell for certain, that too."""
        return ("yes" if self.over <= 0 else "**no**") + (", within the noise" if abs(self.over) < self.doubt else "")


def goals(measured: Mapping[str, Measured], imports: Mapping[str, tuple[float, float]]) -> Iterator[Goal]:
    """Those for which there are figures."""
    kinds = {"small": _small, "large": _large, "stream": _stream, "threads": _load, "tasks": _load, "hermes": _hermes}
    for scenario, figures in measured.items():
        yield from kinds[scenario.removesuffix(" async")](scenario, figures)
    if "ours" in imports:
        took, memory = imports["ours"]
        yield Goal(f"import and discovery: at most {IMPORT_MS:.0f} ms", f"{took:.1f} ms", took - IMPORT_MS)
        yield Goal(f"import and discovery: at most {IMPORT_MB} MB", f"{memory:.2f} MB", memory - IMPORT_MB)


def _small(scenario: str, measured: Measured) -> Iterator[Goal]:
    ours = measured.against(OURS[5])
    over = measured.against(OURS[5], BY_HAND_FRESH)
    yield Goal(
        f"{scenario}: 5 plugins cost no more than the same fields by hand, each call with its own request id",
        f"{over.added:+.0f} ± {over.spread:.0f} µs",
        over.added,
        over.spread,
    )
    yield Goal(
        f"{scenario}: 5 plugins, at most {ADDED_FACTOR:.2f} of the bare call",
        f"{ours.ratio:.3f}",
        ours.ratio - ADDED_FACTOR,
        ours.spread / measured.time(BARE),
    )
    more = measured.against(OURS[20], OURS[5])
    yield Goal(
        f"{scenario}: 20 plugins, at most {PLUGINS_US:.0f} µs more than 5",
        f"{more.added:+.0f} ± {more.spread:.0f} µs",
        more.added - PLUGINS_US,
        more.spread,
    )
    off = measured.against(OFF)
    yield Goal(
        f"{scenario}: policy off, at most {OFF_US:.0f} µs",
        f"{off.added:+.1f} ± {off.spread:.1f} µs",
        off.added - OFF_US,
        off.spread,
    )
    yield from _peers(scenario, measured)


def _large(scenario: str, measured: Measured) -> Iterator[Goal]:
    ours = measured.against(OURS[5])
    most = min(LARGE_US, LARGE_SHARE * measured.time(BARE))
    yield Goal(
        f"{scenario}: 5 plugins, at most {LARGE_US:.0f} µs and {LARGE_SHARE:.0%}",
        f"{ours.added:+.0f} ± {ours.spread:.0f} µs, {ours.ratio - 1:.1%}",
        ours.added - most,
        ours.spread,
    )
    yield from _peers(scenario, measured)


def _stream(scenario: str, measured: Measured) -> Iterator[Goal]:
    figure = measured.against(OURS[5])
    yield Goal(
        f"{scenario}: nothing per chunk",
        f"{figure.added:+.2f} ± {figure.spread:.2f} µs",
        figure.added - CHUNK_US,
        2 * figure.spread,
    )


def _load(scenario: str, measured: Measured) -> Iterator[Goal]:
    rate = 1 / measured.against(OURS[5]).ratio
    yield Goal(f"{scenario}: at least {THROUGHPUT} of the bare throughput", f"{rate:.3f}", THROUGHPUT - rate)


def _hermes(_: str, measured: Measured) -> Iterator[Goal]:
    took = measured.time(MIDDLEWARE)
    text = f"Hermes: its middleware takes at most {MIDDLEWARE_US:.0f} µs"
    yield Goal(text, f"{took:.0f} µs", took - MIDDLEWARE_US)


def _peers(scenario: str, measured: Measured) -> Iterator[Goal]:
    ours = measured.against(OURS[5]).added
    others = {name: measured.against(name).added for name in PEERS if name in measured.names}
    if others:
        cheapest = min(others, key=others.__getitem__)
        yield Goal(
            f"{scenario}: less than every peer",
            f"{ours:+.0f} µs; the cheapest, {cheapest}: {others[cheapest]:+.0f} µs",
            ours - others[cheapest],
            measured.against(OURS[5], cheapest).spread,
        )


def all_names(measured: Mapping[str, Measured]) -> list[str]:
    """Who took part in any of them, in the order of the first appearance."""
    found: dict[str, None] = {BARE: None}
    for figures in measured.values():
        found.update(dict.fromkeys(figures.names))
    return list(found)
