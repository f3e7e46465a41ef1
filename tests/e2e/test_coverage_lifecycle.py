"""Found twice, taken out of use and put back, kept out, found as a folder: one registration, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from harness.covering import (
    ALICE,
    ERRANDS,
    PLUGIN,
    TOOLS_IN_THE_OPEN,
    about,
    answered,
    assert_bare,
    assert_says,
    identity,
    order,
    skip_unless_0_22,
    told,
)
from harness.environments import CHECKOUT, Environment
from harness.gateway import Gateway, Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

FOLDER = CHECKOUT / "plugins" / PLUGIN
OPS = Room("!ops:example.org", "Ops")
OPENAI = ["AsyncOpenAI", "OpenAI"]

Running = Callable[..., AbstractContextManager[tuple[Hermes, Upstream]]]


@pytest.fixture
def running(tmp_path: Path) -> Running:
    @contextmanager
    def running(
        environment: Environment, env: dict[str, str] | None = None, **more: Any
    ) -> Iterator[tuple[Hermes, Upstream]]:
        with running_upstream(answered) as upstream:
            home = HermesHome(upstream.base_url, **{"enabled": (PLUGIN,), **more})
            yield Hermes(environment.programs, home.write(tmp_path / "home"), env or {}), upstream
        assert upstream.failures == []

    return running


def only(upstream: Upstream, text: str) -> RecordedCall:
    (call,) = filter(about(text), upstream.calls)
    return call


@dataclass(frozen=True)
class Live:
    """A gateway whose configuration changes while it runs."""

    gateway: Gateway
    upstream: Upstream
    home: HermesHome
    directory: Path

    def configure(self, *disabled: str) -> None:
        """Write the configuration anew, as an operator does, and have the host find its plugins by it."""
        config = replace(self.home, disabled=disabled).config()
        (self.directory / "config.yaml").write_text(json.dumps(config), "utf-8")
        self.say(order("errand", what="discover"))

    def say(self, text: str) -> list[RecordedCall]:
        before = len(self.upstream.calls)
        self.gateway.say(ALICE, OPS, text)
        return [call for call in self.upstream.calls[before:] if about(text)(call)]

    def doors(self) -> list[str]:
        """Which client classes have a ``request`` that a plugin has put there."""
        _, after = self.say(order("errand", what="doors"))
        return json.loads(after.messages[-1]["content"])["done"]


@pytest.fixture
def live(hinted_host: Environment, tmp_path: Path) -> Iterator[Live]:
    with running_upstream(answered) as upstream:
        home = HermesHome(upstream.base_url, folders=(ERRANDS,), enabled=(PLUGIN,), more=TOOLS_IN_THE_OPEN)
        directory = home.write(tmp_path / "home")
        with running_gateway(Hermes(hinted_host.programs, directory)) as gateway:
            yield Live(gateway, upstream, home, directory)
        assert upstream.failures == []


def test_found_twice_then_disabled_and_enabled_again_in_a_running_gateway(live: Live) -> None:
    (before,) = live.say("before anything changes")
    assert live.doors() == OPENAI

    live.configure()
    (twice,) = live.say("after the second discovery")
    assert live.doors() == OPENAI
    live.configure(PLUGIN)
    (disabled,) = live.say("while it is disabled")
    while live.doors():  # 0.19 does not tell a plugin that it is disabled; it is found out within a second
        assert live.upstream.calls[-1].number < 200
    live.configure()
    (enabled,) = live.say("after it is enabled again")
    assert live.doors() == OPENAI

    said = told(before)
    for call in (before, twice, enabled):
        assert_says(call, identity(ALICE, OPS), purpose="main", conversation_id=said["conversation_id"])
        names = [name.lower() for name, _ in call.headers]
        assert len(names) == len(set(names))
    assert_bare(disabled)


def test_safe_mode_loads_nothing_and_hermes_works(hinted_host: Environment, running: Running) -> None:
    with running(hinted_host, {"HERMES_SAFE_MODE": "1"}) as (hermes, upstream):
        assert hermes.ask("is anybody in?") == "heard"

    for call in upstream.calls:
        assert_bare(call)


def test_the_folder_passes_the_hosts_own_checks(hinted_host: Environment, tmp_path: Path) -> None:
    skip_unless_0_22(hinted_host)
    (tmp_path / "home").mkdir()
    hermes = Hermes(hinted_host.programs, tmp_path / "home")

    validated = hermes.run("plugins", "validate", str(FOLDER)).output
    examined = hermes.run("plugins", "doctor", str(FOLDER)).output

    assert "✗" not in validated
    assert "✓ no core override" in validated
    assert "✓ declared hooks — matches" in validated
    assert "✓ declared middleware — matches" in validated
    assert "passed" in validated.splitlines()[-1]
    assert "OK: runtime discovery" in examined
    assert "ERROR" not in examined
    assert "WARN" not in examined


@pytest.mark.parametrize("linked", [False, True], ids=["copied", "linked"])
def test_the_folder_beside_the_package_is_one_registration_and_the_log_says_so(
    hinted_host: Environment, running: Running, linked: bool
) -> None:
    with running(hinted_host, folders=(FOLDER,), enabled=(), linked=linked) as (hermes, upstream):
        hermes.chat("how many are you?")

    call = only(upstream, "how many are you?")
    assert_says(call, {"platform": "cli", "purpose": "main"}, request_id=told(call)["request_id"])
    names = [name.lower() for name, _ in call.headers]
    assert len(names) == len(set(names))
    (line,) = [line for line in hermes.log().splitlines() if "found as a package and as the folder" in line]
    assert str(hermes.home / "plugins" / PLUGIN) in line
    assert [line for line in hermes.log("errors.log").splitlines() if PLUGIN in line] == []


def test_the_folder_alone(host: Environment, hinted_host: Environment, running: Running, tmp_path: Path) -> None:
    """The package lies beside Hermes without having been installed, so that only the folder is found."""
    if host.directory.name.split("-")[1] != hinted_host.directory.name.split("-")[1]:
        pytest.skip("another host's")
    beside = tmp_path / "beside"
    beside.mkdir()
    for name in ("hermes_hints", "pluggy"):
        (beside / name).symlink_to(package(hinted_host, name), target_is_directory=True)
    with running(host, {"PYTHONPATH": str(beside)}, folders=(FOLDER,), enabled=()) as (hermes, upstream):
        hermes.ask("are you alone?")

    assert_says(only(upstream, "are you alone?"), {"platform": "cli", "purpose": "main", "user_id": None})
    assert "found as a package" not in hermes.log()


def package(environment: Environment, name: str) -> Path:
    code = f"import {name}; print({name}.__path__[0])"
    found = subprocess.run([environment.python, "-c", code], check=True, capture_output=True, text=True)
    return Path(found.stdout.strip())
