"""The operator's commands inside the real Hermes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness.environments import CHECKOUT, Environment
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.upstream import running_upstream

pytestmark = pytest.mark.e2e

CONFIG = """\
# written by hand
model:
  provider: custom
  base_url: {base_url}  # mine
  default: scripted-model
  context_length: 131072
security: {{tirith_enabled: false}}
plugins:
  enabled: [hermes-hints, intent-words]
"""


def hints(hermes: Hermes, *arguments: str, expected: int = 0) -> Any:
    return json.loads(hermes.run("hints", *arguments, "--json", expected=expected).output)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    plugin = CHECKOUT / "plugins" / "intent-words"
    home = HermesHome("http://127.0.0.1:9/v1", folders=(plugin,), enabled=("hermes-hints",))
    return home.write(tmp_path / "home")


def test_an_operator_looks_around_inside_hermes(hinted_host: Environment, home: Path) -> None:
    with running_upstream(lambda _call: None) as upstream:
        (home / "config.yaml").write_text(CONFIG.format(base_url=upstream.base_url), "utf-8")
        hermes = Hermes(hinted_host.programs, home)

        report = hints(hermes, "doctor")
        listed = hints(hermes, "list")
        told = hints(
            hermes, "explain", "--user-id", "@alice:example.org", "--model", "m", "--message", "force-cloud please"
        )
        people = hermes.run("hints", "doctor").output

        assert not upstream.calls  # a look is no call
    assert report["host"].startswith("hermes-agent/0.")
    assert set(report["doors"].values()) == {True}
    (endpoint,) = report["endpoints"]
    assert (endpoint["url"], endpoint["profile"]) == (upstream.base_url, "dispatcher")
    assert report["problems"] == []
    assert people.rstrip().endswith("nothing to mend")
    assert [(plugin["name"], plugin["state"]) for plugin in listed] == [("intent-words", "loaded")]
    assert told["body"]["hermes"]["user_id"] == "@alice:example.org"
    assert told["body"]["hermes"]["agent"] == report["host"]
    assert told["body"]["hermes"]["user_intent"] == "force-cloud"
    assert {row["field"]: row["source"] for row in told["fields"]}["user_intent"] == "plugin intent-words"


def test_a_proposal_is_written_into_the_configuration_that_hermes_reads(hinted_host: Environment, home: Path) -> None:
    before = CONFIG.format(base_url="https://llm.example.org/v1")
    (home / "config.yaml").write_text(before, "utf-8")
    hermes = Hermes(hinted_host.programs, home)

    hermes.run("hints", "setup", "--base-url", "https://llm.example.org/v1", "--endpoint-profile", "headers", "--write")

    after = (home / "config.yaml").read_text("utf-8")
    assert [line for line in after.splitlines() if line in before.splitlines()] == before.splitlines()
    (endpoint,) = hints(hermes, "doctor", "--no-probe")["endpoints"]
    assert (endpoint["profile"], endpoint["privacy"]) == ("headers", "pseudonymous")


def test_settings_that_do_not_load_are_told_by_the_console_script_too(hinted_host: Environment, home: Path) -> None:
    wrong = CONFIG.format(base_url="http://127.0.0.1:9/v1") + "  entries: {hermes-hints: {settings: {endpoint: []}}}\n"
    (home / "config.yaml").write_text(wrong, "utf-8")
    command = [hinted_host.programs / "hermes-hints", "doctor"]

    ran = subprocess.run(
        command, env={"HERMES_HOME": str(home)}, capture_output=True, text=True, check=False, timeout=60
    )

    assert ran.returncode == 2
    assert "did you mean 'endpoints'?" in ran.stdout
