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
  enabled: [hermes-hints, intent-words, packaged, registering, filed, broken]
  disabled: [packaged]
"""
SOURCE = """
from hermes_hints import hookimpl

@hookimpl
def contribute_hints(call):
    return {"priority": "low"}
"""
REGISTERING = """
import hermes_hints

class Registered:
    @hermes_hints.hookimpl
    def contribute_hints(self):
        return {"priority": "low"}

def register(ctx):
    hermes_hints.register(Registered(), "registered")
"""
MANIFEST = "name: registering\nversion: 1.0.0\ndescription: Test only.\nkind: standalone\n"


def hints(hermes: Hermes, *arguments: str, expected: int = 0) -> Any:
    return json.loads(hermes.run("hints", *arguments, "--json", expected=expected).output)


def console(hermes: Hermes, *arguments: str, expected: int = 0) -> str:
    """What the program `hermes-hints` prints in the environment of that Hermes."""
    program = Hermes(hermes.programs, hermes.home, hermes.env)._environment()
    ran = subprocess.run(
        [hermes.programs / "hermes-hints", *arguments],
        env=program,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == expected, ran.stdout + ran.stderr
    return ran.stdout


def put_hint_plugins(home: Path, installed: Path) -> None:
    """One of each kind, and one that fails: a package in ``installed``, a plugin of Hermes, files of the operator's."""
    described = installed / "packaged-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: packaged\nVersion: 1.0\n", "utf-8")
    (described / "entry_points.txt").write_text("[hermes_hints]\npackaged = packaged_hints\n", "utf-8")
    (installed / "packaged_hints.py").write_text(SOURCE, "utf-8")
    registering = home / "plugins" / "registering"
    registering.mkdir()
    (registering / "plugin.yaml").write_text(MANIFEST, "utf-8")
    (registering / "__init__.py").write_text(REGISTERING, "utf-8")
    (home / "hints").mkdir()
    for name, source in (("filed", SOURCE), ("unasked", SOURCE), ("broken", "1 / 0\n")):
        (home / "hints" / f"{name}.py").write_text(source, "utf-8")


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
        told = hints(
            hermes, "explain", "--user-id", "@alice:example.org", "--model", "m", "--message", "force-cloud please"
        )
        outside = json.loads(console(hermes, "doctor", "--json"))
        people = console(hermes, "doctor")

        assert not upstream.calls  # a look is no call
    assert report["host"].startswith("hermes-agent/0.")
    assert set(report["doors"].values()) == {True}
    assert "hook pre_gateway_dispatch" in report["doors"]
    (endpoint,) = report["endpoints"]
    assert (endpoint["url"], endpoint["profile"]) == (upstream.base_url, "dispatcher")
    assert endpoint["answer"] == "answered 200 to GET /v1/models"
    assert report["problems"] == []
    assert [plugin["name"] for plugin in report.pop("plugins")] == ["intent-words"]
    assert outside.pop("plugins") == []  # what a plugin of Hermes registers is there inside Hermes
    assert report == outside
    assert people.rstrip().endswith("nothing to mend")
    assert told["body"]["hermes"]["user_id"] == "@alice:example.org"
    assert told["body"]["hermes"]["agent"] == report["host"]
    assert told["body"]["hermes"]["user_intent"] == "force-cloud"
    assert {row["field"]: row["source"] for row in told["fields"]}["user_intent"] == "plugin intent-words"


def test_every_hint_plugin_is_listed_with_its_state_and_a_problem_is_an_exit_status(
    hinted_host: Environment, home: Path, tmp_path: Path
) -> None:
    put_hint_plugins(home, tmp_path / "installed")
    (home / "config.yaml").write_text(CONFIG.format(base_url="http://127.0.0.1:9/v1"), "utf-8")
    hermes = Hermes(hinted_host.programs, home, {"PYTHONPATH": str(tmp_path / "installed")})

    listed = {plugin["name"]: plugin for plugin in hints(hermes, "list", expected=1)}
    outside = json.loads(console(hermes, "list", "--json", expected=1))
    report = json.loads(console(hermes, "doctor", "--no-probe", "--json", expected=1))

    assert {name: (plugin["source"], plugin["state"]) for name, plugin in listed.items()} == {
        "packaged": ("entry point", "disabled"),
        "registered": ("registered", "loaded"),
        "intent-words": ("registered", "loaded"),
        "filed": ("directory", "loaded"),
        "unasked": ("directory", "disabled"),
        "broken": ("directory", "failed"),
    }
    assert listed["packaged"]["error"] == "in plugins.disabled of config.yaml"
    assert listed["unasked"]["error"] == "not in plugins.enabled of config.yaml; add unasked there"
    assert "ZeroDivisionError" in listed["broken"]["error"]
    assert {plugin["name"] for plugin in outside} == {*listed} - {"registered", "intent-words"}
    (problem,) = report["problems"]
    assert problem["what"].startswith("hint plugin broken ")


def test_what_keeps_the_plugin_out_is_told_by_the_console_script(hinted_host: Environment, home: Path) -> None:
    settings = {"hints_directory": str(home / "hintz"), "commands": {"status": {"priority": "high"}}}
    configured = CONFIG.format(base_url="http://127.0.0.1:9/v1").replace("disabled: [packaged]", "isolation: host")
    entries = json.dumps({"hermes-hints": {"settings": settings}})
    (home / "config.yaml").write_text(f"{configured}  entries: {entries}\n", "utf-8")
    hermes = Hermes(hinted_host.programs, home, {"HERMES_SAFE_MODE": "1"})

    told = json.loads(console(hermes, "doctor", "--no-probe", "--json", expected=1))

    mended = {problem["what"].split(":")[0]: problem["remedy"] for problem in told["problems"]}
    place = "plugins.entries.hermes-hints.settings"
    assert mended == {
        "plugins.isolation is host": {"place": "plugins", "line": "isolation: in_process"},
        "HERMES_SAFE_MODE is set": {"place": "shell", "line": "unset HERMES_SAFE_MODE"},
        "/status is a command of Hermes' own": {"place": f"{place}.commands", "line": "# leave out: status"},
        f"no hint plugins come from hints_directory {home / 'hintz'}": {
            "place": place,
            "line": "# leave out: hints_directory",
        },
    }
    assert told["endpoints"][0]["sends"] == ["16 headers"]
    assert hermes.run("hints", "doctor", expected=None).status != 0  # the command is not there


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

    told = console(Hermes(hinted_host.programs, home), "doctor", expected=2)

    assert "did you mean 'endpoints'?" in told
