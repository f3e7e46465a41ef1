"""``python -m simulation``: what a sticky hint saves a pool of replicas, as a table and a plot in docs/prefix-cache.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from .conversations import calls_of
from .replicas import WAYS, Outcome, simulate

REPLICAS = (2, 4, 8, 16, 32, 64)
FOR_EACH = 20
"""Conversations that begin in the hour, for each replica."""
DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = DOCS / "prefix-cache.md"
PLOT = DOCS / "images" / "prefix-cache.svg"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def outcomes() -> Iterator[Outcome]:
    for replicas in REPLICAS:
        calls = calls_of(FOR_EACH * replicas)
        for way in WAYS:
            yield simulate(calls, way, replicas)


def table(found: Sequence[Outcome]) -> str:
    rows = [
        "| replicas | chosen | cached | computed a call | busiest |",
        "|---|---|---|---|---|",
        *(
            f"| {one.replicas} | {one.way} | {one.hit:.0%} | {one.computed:,.0f} tokens | {one.busiest:.2f} times the mean |"
            for one in found
        ),
    ]
    return "\n".join(rows) + "\n"


def draw(found: Sequence[Outcome], file: Path) -> None:
    mpl.rcParams.update({"svg.hashsalt": "prefix-cache", "font.size": 10})
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    cached, busiest = figure.subplots(1, 2)
    for way in WAYS:
        points = [one for one in found if one.way == way]
        counts = [one.replicas for one in points]
        cached.plot(counts, [100 * one.hit for one in points], marker="o", label=way)
        busiest.plot(counts, [one.busiest for one in points], marker="o")
    cached.set(title="Prompt tokens that were cached", xlabel="replicas", ylabel="%", ylim=(0, 100))
    busiest.set(title="Busiest replica, as a multiple of the mean", xlabel="replicas", ylim=(0, 4))
    for panel in (cached, busiest):
        panel.set_xscale("log", base=2)
        panel.set_xticks(REPLICAS, [str(count) for count in REPLICAS])
        panel.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, metadata={"Date": None})


def main() -> int:
    found = list(outcomes())
    written = table(found)
    PAGE.write_text(TABLE.sub(lambda _: written, PAGE.read_text("utf-8")), "utf-8")
    draw(found, PLOT)
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
