"""Hint plugins in a real Hermes as they come: those of this project as folders, and what `hermes-hints new` writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.covering import PLUGIN, about, answered, told
from harness.environments import CHECKOUT, Environment
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.upstream import running_upstream

pytestmark = pytest.mark.e2e

FOLDERS = {path.parent.name: path.parent for path in sorted((CHECKOUT / "plugins").glob("*/README.md"))}
SETTINGS: dict[str, dict[str, Any]] = {
    "cost-center": {"default": "overhead"},
    "experiment-arm": {"arms": {"everybody": 1}},
    "intent-words": {"words": {"force-cloud": {"de": "denk gut nach"}}},
    "quiet-hours": {"rules": [{"platforms": ["cli"], "priority": "low"}]},
}
EXPECTED = {
    "cost_center": "overhead",
    "experiment_arm": "everybody",
    "user_intent": "force-cloud",
    "priority": "low",
}


@pytest.mark.parametrize("place", ["hints", "plugins"])
def test_folders_are_put_where_they_belong_and_enabled(hinted_host: Environment, tmp_path: Path, place: str) -> None:
    with running_upstream(answered) as upstream:
        configured = HermesHome(upstream.base_url, enabled=(PLUGIN, *FOLDERS), settings=SETTINGS)
        home = configured.write(tmp_path / "home")
        for name, folder in FOLDERS.items():
            shutil.copytree(folder, home / place / name)
        hermes = Hermes(hinted_host.programs, home)

        hermes.ask("Denk gut nach: warum?")
        listed = json.loads(hermes.run("hints", "list", "--json").output)

    assert {plugin["name"]: (plugin["state"], plugin["error"]) for plugin in listed} == dict.fromkeys(
        FOLDERS, ("loaded", None)
    )
    call = next(filter(about("Denk gut nach"), upstream.calls))
    assert {field: told(call)[field] for field in EXPECTED} == EXPECTED
    assert not [line for line in hermes.log("errors.log").splitlines() if any(name in line for name in FOLDERS)]


@pytest.mark.parametrize("kind", ["folder", "package"])
def test_a_new_one_counts_when_it_is_enabled(hinted_host: Environment, tmp_path: Path, kind: str) -> None:
    new = [sys.executable, "-m", "hermes_hints.cli", "new", "ops-first", "--directory", tmp_path]
    subprocess.run([*new, *(["--package"] if kind == "package" else [])], check=True, stdout=subprocess.DEVNULL)
    written = tmp_path / "ops-first"
    (hook,) = written.rglob("__init__.py")
    hook.write_text(hook.read_text("utf-8").replace('"title_generation"', '"main"'), "utf-8")
    with running_upstream(answered) as upstream:
        home = HermesHome(upstream.base_url, enabled=(PLUGIN, "ops-first")).write(tmp_path / "home")
        installed = tmp_path / "installed"
        if kind == "package":
            pip = [hinted_host.python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", installed]
            subprocess.run([*pip, written], check=True)
        else:
            shutil.copytree(written, home / "hints" / "ops-first")

        Hermes(hinted_host.programs, home, {"PYTHONPATH": str(installed)}).ask("is it there?")

    call = next(filter(about("is it there?"), upstream.calls))
    assert call.json["hermes"]["priority"] == "low"
