"""Where wheels are given, as in `make e2e`, nothing that is tested comes from the checkout, and programs have the smaller one alone."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from harness.environments import PROJECT, Environment
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not PROJECT.is_file(), reason="no wheel is given, so this checkout is tested"),
]


def held_by(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.startswith("hermes_hints/")}


def devtools() -> Path:
    (wheel,) = PROJECT.parent.glob("hermes_hints_devtools-*.whl")
    return wheel


def imported_by(python: str | Path) -> dict[str, bytes]:
    command = [python, "-P", "-c", "import hermes_hints; print(hermes_hints.__file__)"]
    found = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    return {
        path.relative_to(found.parents[1]).as_posix(): path.read_bytes()
        for path in found.parent.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_no_file_is_in_both_wheels() -> None:
    assert held_by(PROJECT).keys() & held_by(devtools()).keys() == set()


def test_what_is_imported_is_what_the_wheels_hold(hinted_host: Environment) -> None:
    assert imported_by(sys.executable) == held_by(PROJECT) | held_by(devtools())
    assert imported_by(hinted_host.python) == held_by(PROJECT)


def test_hermes_has_the_command_line_and_names_what_to_install_for_the_rest(
    hinted_host: Environment, tmp_path: Path
) -> None:
    endpoint = "http://127.0.0.1:9/v1"
    hermes = Hermes(hinted_host.programs, HermesHome(endpoint, enabled=("hermes-hints",)).write(tmp_path / "home"))

    listed = hermes.run("hints", "list", "--json")
    explained = hermes.run("hints", "explain", "--json")
    refused = hermes.run("hints", "inspect", "--upstream", endpoint, expected=2)

    assert json.loads(listed.output) == []
    assert json.loads(explained.output)["url"] == endpoint
    assert (
        "hermes-hints: inspect is not part of this installation: pip install 'hermes-hints[inspect]'" in refused.errors
    )
