"""The tables, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .figures import Measured
from .goals import all_names, goals
from .names import BARE, MIDDLEWARE

BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"
CALLS = {"small": "small", "small async": "small, async", "large": "200 kB", "large async": "200 kB, async"}
STREAMS = {"stream": "a chunk", "stream async": "a chunk, async"}
LOAD = {"threads": "64 threads", "tasks": "1,000 tasks"}
HERMES = {"hermes": "small"}

Imports = Mapping[str, tuple[float, float]]


class Section:
    """What was measured with one major of the SDK."""

    def __init__(
        self, name: str, measured: Mapping[str, Measured], imports: Imports, versions: Mapping[str, str], own: set[str]
    ) -> None:
        self.name = name
        self.measured = measured
        self.imports = imports
        self.versions = versions
        self.own_stream = own

    def lines(self) -> Iterator[str]:
        yield f"### {self.name}"
        yield ""
        yield ", ".join(f"{name} {version}" for name, version in self.versions.items()) + "."
        yield ""
        yield from self._goals()
        yield from self._added(CALLS)
        yield from self._added(HERMES)
        yield from self._streams()
        yield from self._load()
        yield from self._imports()

    def _goals(self) -> Iterator[str]:
        yield from table(
            ("goal", "measured", "met"),
            ((goal.text, goal.measured, goal.verdict) for goal in goals(self.measured, self.imports)),
        )

    def _added(self, scenarios: Mapping[str, str]) -> Iterator[str]:
        present = {name: title for name, title in scenarios.items() if name in self.measured}
        if not present:
            return
        heads = ["µs added to the bare call", *(f"{title} | ratio" for title in present.values())]
        rows: list[list[str]] = []
        for name in all_names({scenario: self.measured[scenario] for scenario in present}):
            row = [name]
            for scenario in present:
                figures = self.measured[scenario]
                if name in (BARE, MIDDLEWARE):
                    row.append(f"{figures.time(name):,.0f} in all | ")
                elif name in figures.names:
                    figure = figures.against(name)
                    row.append(f"{figure.added:+,.0f} ± {figure.spread:.0f} | {figure.ratio:.3f}")
                else:
                    row.append(" | ")
            rows.append(row)
        yield from table(heads, rows, columns=1 + 2 * len(present))

    def _streams(self) -> Iterator[str]:
        present = {name: title for name, title in STREAMS.items() if name in self.measured}
        if not present:
            return
        rows: list[list[str]] = []
        for name in all_names({scenario: self.measured[scenario] for scenario in present}):
            row = [name]
            for scenario in present:
                figures = self.measured[scenario]
                added = f"{figures.time(name):.1f} in all" if name == BARE else f"{figures.against(name).added:+.2f}"
                row.append(added)
            rows.append([*row, "yes" if name in self.own_stream else "no"])
        yield from table(("µs added to reading", *present.values(), "the SDK's own stream object"), rows)

    def _load(self) -> Iterator[str]:
        present = {name: title for name, title in LOAD.items() if name in self.measured}
        if not present:
            return
        rows = [
            [name, *(f"{1 / self.measured[scenario].against(name).ratio:.3f}" for scenario in present)]
            for name in all_names({scenario: self.measured[scenario] for scenario in present})
        ]
        yield from table(("throughput, of the bare client's", *present.values()), rows)

    def _imports(self) -> Iterator[str]:
        if self.imports:
            titles = {
                "ours": "`import hermes_hints` and the discovery of plugins",
                "floor": "for comparison: pluggy and a look at the entry points, alone",
                "use": "everything up to the first stamped call",
            }
            rows = [[titles[kind], f"{took:.1f}", f"{memory:.2f}"] for kind, (took, memory) in self.imports.items()]
            yield from table(("on top of a process with openai ready", "ms of CPU", "MB"), rows)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], columns: int | None = None) -> Iterator[str]:
    """A Markdown table; a cell may hold ``|`` and then is several."""
    titles = list(heads)
    yield f"| {' | '.join(titles)} |"
    yield "|---" * (columns or len(titles)) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def machine() -> str:
    """What the figures were measured on."""
    model = "an unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text("utf-8").splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def busyness() -> str:
    """What else the machine did: the benchmark itself keeps one core busy."""
    load = os.getloadavg()[2]
    told = f"load average over the last 15 minutes: {load:.1f}"
    return f"{told}, so it was busy with other programs too" if load > (os.cpu_count() or 1) else told


def written(document: Path, text: str) -> None:
    """Put ``text`` between the marks in ``document``."""
    before, begin, rest = document.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        msg = f"{document} has no {BEGIN} and {END} to write between"
        raise ValueError(msg)
    document.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
