from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import seen
from harness.environments import HERMES_0_19, HERMES_0_22, PROJECT, Environment, environment

pytest.register_assert_rewrite("harness.covering")

HOSTS = {"hermes-0.19.0": HERMES_0_19, "hermes-0.22.2": HERMES_0_22}
WITH_EVERY_API = {
    "hermes-0.19.0": HERMES_0_19.replace("==", "[anthropic,bedrock]=="),
    "hermes-0.22.2": HERMES_0_22.replace("==", "[anthropic,bedrock]=="),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-coverage", metavar="FILE", type=Path, help="write what the coverage tests have seen")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-coverage", None) is not None:
        config.pluginmanager.register(Coverage(config))


class Coverage:
    """Gathers what was seen, from the workers too, and writes the page when all tests have run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seen: list[seen.Seen] = []
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._seen += [
            seen.Seen(*told, frozenset(fields)) for *told, fields in getattr(node, "workeroutput", {}).get("seen", ())
        ]

    def pytest_sessionfinish(self) -> None:
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["seen"] = [[*one[:-1], sorted(one.fields)] for one in seen.seen]
        else:
            page = seen.page([*self._seen, *seen.seen], self._failed)
            self._config.getoption("--write-coverage").write_text(page, encoding="utf-8")


@pytest.fixture(scope="session")
def shown(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Prints a line although pytest captures: building an environment takes long enough to want to see it."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def show(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)

    return show


@pytest.fixture(scope="session", params=HOSTS)
def host(request: pytest.FixtureRequest, shown: Callable[[str], None]) -> Environment:
    """An environment with a real Hermes and nothing of this project in it; `-k 0.19` runs only that one."""
    return environment(request.param, [HOSTS[request.param]], progress=shown)


@pytest.fixture(scope="session")
def probe() -> Path:
    """The folder of the plugin that writes down what it sees."""
    return Path(__file__).parent / "harness" / "probe"


@pytest.fixture(scope="session", params=WITH_EVERY_API)
def hinted_host(request: pytest.FixtureRequest, shown: Callable[[str], None]) -> Environment:
    """An environment with a real Hermes and hermes-hints, and what Hermes needs for its API server and every API it speaks."""
    requirements = [WITH_EVERY_API[request.param], "aiohttp==3.14.5"]
    return environment(f"{request.param}-coverage", requirements, project=PROJECT, progress=shown)
