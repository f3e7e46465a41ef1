"""Where a wheel is given, as in `make e2e`, nothing that is tested comes from the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from harness.environments import PROJECT, Environment

pytestmark = pytest.mark.e2e


def test_what_is_imported_is_what_the_wheel_holds(hinted_host: Environment) -> None:
    if not PROJECT.is_file():
        pytest.skip("no wheel is given, so this checkout is tested")
    with zipfile.ZipFile(PROJECT) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist() if name.startswith("hermes_hints/")}

    for python in (sys.executable, hinted_host.python):
        command = [python, "-P", "-c", "import hermes_hints; print(hermes_hints.__file__)"]
        found = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
        beside = {
            path.relative_to(found.parents[1]).as_posix(): path.read_bytes()
            for path in found.parent.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert beside == held
