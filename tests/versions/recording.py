"""Write down what a run of tests ran on, for the table of supported versions."""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from importlib import metadata
from pathlib import Path

import pytest

PACKAGES = ("openai", "pydantic", "httpx", "httpx2", "pluggy")
HOST = re.compile(r"\[(?:.+-)?(hermes-\d+\.\d+\.\d+)(?:-.+)?\]$")


class Recording:
    """Counts a run's outcomes, and puts them with the versions that are installed into a file in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._outcomes = Counter()
        self._hosts = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._outcomes[report.outcome] += 1
            host = HOST.search(report.nodeid)
            if host and report.passed:
                self._hosts[host[1]] += 1

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        config = session.config
        everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
        run = {
            "tests": "all" if everything else " ".join(config.args),
            "python": platform.python_version(),
            "packages": dict(filter(None, map(_installed, PACKAGES))),
            "outcomes": self._outcomes,
            "hosts": self._hosts,
            "exit_status": int(exitstatus),
        }
        self._directory.mkdir(parents=True, exist_ok=True)
        versions = "-".join((run["python"], *run["packages"].values()))
        file = self._directory / f"{run['tests'].replace('/', '.')}-{versions}.json"
        file.write_text(json.dumps(run, indent=1), "utf-8")


def _installed(name: str) -> tuple[str, str] | None:
    try:
        return name, metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
