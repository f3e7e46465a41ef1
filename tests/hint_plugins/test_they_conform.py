"""Each of them is as the conformance suite wants it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
HINT_PLUGINS = sorted(path.name for path in PLUGINS.iterdir() if path.is_dir() and path.name != "hermes-hints")


def test_they_conform():
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "hermes_hints.testing.pytest_plugin", "-p", "no:cacheprovider"),
            *("--pyargs", "hermes_hints.testing.conformance", "-q"),
            *(word for name in HINT_PLUGINS for word in ("--hint-plugin", name)),
        ],
        cwd=PLUGINS,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) > 40 * len(HINT_PLUGINS)
