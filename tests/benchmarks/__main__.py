"""The benchmark.

    python -m tests.benchmarks                 all of it, in 15 minutes; writes the tables into docs/performance.md
    python -m tests.benchmarks --minutes 60    the same for longer, which narrows the figures
    python -m tests.benchmarks --only small    some of it; only prints
    python -m tests.benchmarks --quick         in the running interpreter, without the peers, in seconds; only prints

It goes through the scenarios again and again, each in a process of its own and with the majors of the SDK in turn, for as
long as the time suffices for all of them once more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..e2e.harness.environments import CHECKOUT
from .environments import MAJORS, alone, with_peers
from .figures import pooled
from .names import BARE
from .report import Section, busyness, machine, written

DOCUMENT = CHECKOUT / "docs" / "performance.md"
CHUNKS = 200
"""In a stream, as in transport.py."""


class Plan(NamedTuple):
    """How much of a scenario one process runs."""

    rounds: int
    calls: int


FULL: Mapping[str, Plan] = {
    "small": Plan(40, 10),
    "small async": Plan(40, 10),
    "large": Plan(12, 10),
    "large async": Plan(12, 10),
    "stream": Plan(10, 2),
    "stream async": Plan(10, 2),
    "hermes": Plan(60, 10),
    "threads": Plan(4, 1),
    "tasks": Plan(3, 1),
}
QUICK: Mapping[str, Plan] = {
    "small": Plan(12, 8),
    "stream": Plan(3, 2),
    "hermes": Plan(12, 8),
    "threads": Plan(1, 1),
}
IMPORT_RUNS = 6
IMPORTS = "imports"


@dataclass(slots=True)
class Results:
    """What came of one major so far."""

    samples: dict[str, list[Mapping[str, list[float]]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    own_stream: set[str] = field(default_factory=set)
    imports: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)

    def add(self, scenario: str, result: Mapping[str, Any]) -> None:
        if "rates" in result:  # as seconds for one call, so that all scenarios are compared in one way
            samples = {name: [1 / rate for rate in rates] for name, rates in result["rates"].items()}
        elif scenario.startswith("stream"):
            samples = {name: [took / CHUNKS for took in times] for name, times in result["samples"].items()}
        else:
            samples = result["samples"]
        self.samples.setdefault(scenario, []).append(samples)
        self.versions.update(result["versions"])
        self.own_stream.update(name for name, own in result.get("own stream", {BARE: True}).items() if own)

    def section(self, name: str) -> Section:
        measured = {scenario: pooled(found) for scenario, found in self.samples.items()}
        imports = {
            kind: tuple(statistics.median(column) for column in zip(*costs, strict=True))
            for kind, costs in self.imports.items()
        }
        return Section(name, measured, imports, self.versions, self.own_stream)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--only", nargs="+", choices=[*FULL, IMPORTS], default=[])
    options = parser.parse_args()
    sections = quick() if options.quick else full(options.only, options.minutes)
    text = "\n".join(line for section in sections for line in section.lines())
    sys.stdout.write(text + "\n")
    if not (options.quick or options.only):
        written(DOCUMENT, f"Measured on {machine()}; {busyness()}.\n\n{text}")


def quick() -> list[Section]:
    """A look, in the interpreter that runs this."""
    results = Results()
    for scenario, plan in QUICK.items():
        results.add(scenario, run(sys.executable, scenario, plan, "--alone"))
    return [results.section("a quick look")]


def full(only: Sequence[str], minutes: float) -> list[Section]:
    """Everything, or the scenarios in ``only``, with each major in an environment of its own; at least once."""
    pythons = {major: (str(with_peers(major).python), str(alone(major).python)) for major in MAJORS}
    results = {major: Results() for major in MAJORS}
    began = now = time.monotonic()
    longest = 0.0
    while now + longest < began + minutes * 60:
        for scenario in only or (*FULL, IMPORTS):
            for major, (with_others, by_itself) in pythons.items():
                sys.stderr.write(f"{time.strftime('%H:%M:%S')} {scenario}, {major}\n")
                if scenario == IMPORTS:
                    import_costs(by_itself, results[major].imports)
                else:
                    results[major].add(scenario, run(with_others, scenario, FULL[scenario]))
        longest = max(longest, time.monotonic() - now)
        now = time.monotonic()
    return [found.section(major) for major, found in results.items()]


def run(python: str, scenario: str, plan: Plan, *more: str) -> dict[str, Any]:
    """One scenario in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "figures.json"
        amounts = ["--rounds", str(plan.rounds), "--calls", str(plan.calls)]
        command = [python, "-m", "tests.benchmarks.worker", scenario, str(file), *amounts, *more]
        done = subprocess.run(command, cwd=CHECKOUT, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr}")
        return json.loads(file.read_text("utf-8"))


def import_costs(python: str, costs: dict[str, list[tuple[float, ...]]]) -> None:
    """Add processor time in ms and memory in MB of several processes, after one each that only compiles."""
    probe = str(Path(__file__).with_name("import_probe.py"))
    for number in range(IMPORT_RUNS + 1):
        for kind in ("ours", "floor", "use"):
            done = subprocess.run(
                [python, probe, kind], env=_environment(), capture_output=True, text=True, check=True, cwd="/"
            )
            if number:
                costs.setdefault(kind, []).append(tuple(map(float, done.stdout.split())))


def _environment() -> dict[str, str]:
    """Without anything that would switch compiled files off, send something elsewhere or configure a peer."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


if __name__ == "__main__":
    main()
