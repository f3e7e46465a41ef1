"""Write docs/supported.md from what the runs of .ci/run have left: ``python -m tests.versions ENVIRONMENTS``."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "supported.md"
END_TO_END = "tests/e2e"
LANGUAGE = "Programming Language :: Python :: "
TEXT = """\
# Supported versions

What the latest run of `.ci/run` ran, each row in an environment of its own; `make supported` wrote this page from it.

{runs}

{hosts}

Declared: Python {pythons}, {requirements}. {untried}
"""

HOST = ("Hermes", "passed", "Python", "openai", "pydantic")
REAL = """\
End to end with each Hermes, on the versions that it pins; what was installed there is the wheel, not the checkout:

{}"""
NOT_REAL = "Nothing was run with a real Hermes in it."

Run = Mapping[str, Any]


def page(runs: Sequence[Run], environments: Path) -> str:
    """The page; raises LookupError where a run failed, or none was of all tests."""
    failed = [run for run in runs if run["exit_status"] or run["outcomes"].get("failed")]
    if failed:
        message = f"{len(failed)} of {len(runs)} runs failed: {', '.join(run['tests'] for run in failed)}"
        raise LookupError(message)
    if "all" not in {run["tests"] for run in runs}:
        message = f"no run of all tests: there is {', '.join(sorted({run['tests'] for run in runs})) or 'none'}"
        raise LookupError(message)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [one.removeprefix(LANGUAGE) for one in project["classifiers"] if one.startswith(f"{LANGUAGE}3.")]
    tried = {".".join(run["python"].split(".")[:2]) for run in runs}
    missing = [version for version in declared if version not in tried]
    real = [run for run in runs if run["tests"] == END_TO_END]
    return TEXT.format(
        runs=table(("tests", "passed", "Python", "openai", "on", "pydantic", "pluggy"), map(row, ordered(runs))),
        hosts=REAL.format(table(HOST, (host for run in real for host in hosts(run, environments))))
        if real
        else NOT_REAL,
        pythons=f"{declared[0]} to {declared[-1]}",
        requirements=", ".join(f"`{requirement}`" for requirement in project["dependencies"]),
        untried=f"Declared and not in this run: Python {', '.join(missing)}." if missing else "All of them were run.",
    )


def ordered(runs: Sequence[Run]) -> list[Run]:
    """Everything first, then the newest openai first."""
    apart = [run for run in runs if run["tests"] != END_TO_END]
    apart.sort(key=lambda run: [numbers(run["packages"]["openai"]), numbers(run["python"])], reverse=True)
    return sorted(apart, key=lambda run: run["tests"] != "all")


def row(run: Run) -> tuple[str, ...]:
    packages = run["packages"]
    clients = [f"{name} {packages[name]}" for name in ("httpx2", "httpx") if name in packages]
    client = clients[0] if packages["openai"].startswith("3.") else clients[-1]
    what = "all" if run["tests"] == "all" else f"`{run['tests']}`"
    return (
        what,
        f"{run['outcomes']['passed']:,}",
        run["python"],
        packages["openai"],
        client,
        packages["pydantic"],
        packages["pluggy"],
    )


def hosts(run: Run, environments: Path) -> Iterator[tuple[str, ...]]:
    for name, passed in sorted(run["hosts"].items()):
        (pins, *_) = sorted(environments.glob(f"{name}-coverage-*/constraints.txt"))
        pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", pins.read_text("utf-8"), re.MULTILINE))
        yield name.removeprefix("hermes-"), f"{passed:,}", run["python"], pinned["openai"], pinned["pydantic"]


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def main(environments: str) -> int:
    directory = Path(environments)
    runs = [json.loads(file.read_text("utf-8")) for file in sorted(directory.glob("runs/*.json"))]
    try:
        text = page(runs, directory)
    except LookupError as error:
        print(f"{PAGE.name} is left as it is: {error}")
        return 1
    PAGE.write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
