"""The files of a new hint plugin, by their paths in its folder. ``$name``, ``$module`` and ``$title`` are filled in."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FOLDER", "PACKAGE"]

_HOOK = '''\
"""$title: say here what it hints, and when."""

from __future__ import annotations
$imports
from hermes_hints import Call, Identity, hookimpl


@hookimpl
def contribute_hints(call: Call, identity: Identity) -> dict[str, str] | None:
    """Nobody waits for a title: it may be made when there is time."""
    if call.purpose == "title_generation":
        return {"priority": "low"}
    return None
'''

_REGISTER = '''

def register(ctx: object) -> None:
    """Register as a Hermes user plugin."""
    hermes_hints.register(sys.modules[__name__], "$name")
'''

_TESTS = """\
from __future__ import annotations

$imports
import pytest

from hermes_hints.testing import FakeSession

$plugin


def test_a_title_can_wait(hints_bench):
    bench = hints_bench($target)

    hints = {call.facts["purpose"]: bench.hints(call) for call in FakeSession("matrix").turn()}

    assert hints == {"main": {}, "title_generation": {"priority": "low"}, "subagent": {}}


@pytest.mark.parametrize("profile", ["dispatcher", "headers"])
def test_it_arrives(hints_bench, profile):
    seen = hints_bench($target).run("hello", purpose="title_generation", profile=profile)

    assert seen.headers["X-Hermes-Priority"] == "low"
"""

_README = """\
# $name

Sends `priority: low` with the calls that make titles, so that a receiver can serve what somebody waits for first.

## Install

$install

In Hermes, enable it by its name in `config.yaml`:

```yaml
plugins:
  enabled: [hermes-hints, $name]
```

## Work on it

```sh
python -m pip install 'hermes-hints[testing]'
python -m pytest
python -m pytest --pyargs hermes_hints.testing.conformance --hint-plugin $path
```

The last line tries what any hint plugin should withstand, and says what to change.
"""

_MANIFEST = """\
manifest_version: 2
name: $name
version: 0.1.0
kind: standalone
description: Sends a low priority with the calls that make titles.
"""

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "0.1.0"
description = "Sends a low priority with the calls that make titles."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["hermes-hints"]

[project.entry-points.hermes_hints]
$name = "$module"

[dependency-groups]
test = ["hermes-hints[testing]"]

[tool.hatch.build.targets.wheel]
packages = ["src/$module"]

[tool.pytest.ini_options]
pythonpath = ["src"]
"""

FOLDER: Mapping[str, str] = {
    "__init__.py": _HOOK.replace("$imports", "\nimport sys\n\nimport hermes_hints") + _REGISTER,
    "plugin.yaml": _MANIFEST,
    "README.md": _README.replace(
        "$install", "Put this folder into `$$HERMES_HOME/hints/`, or into `$$HERMES_HOME/plugins/`."
    ).replace("$path", "."),
    "tests/test_$module.py": _TESTS.replace("$imports", "from pathlib import Path\n")
    .replace("$plugin", "PLUGIN = Path(__file__).resolve().parents[1]")
    .replace("$target", "PLUGIN"),
}
"""A folder that is put into a directory."""

PACKAGE: Mapping[str, str] = {
    "pyproject.toml": _PYPROJECT,
    "README.md": _README.replace("$install", "```sh\npython -m pip install .\n```").replace("$path", "src/$module"),
    "src/$module/__init__.py": _HOOK.replace("$imports", ""),
    "src/$module/py.typed": "",
    "tests/test_$module.py": _TESTS.replace("$imports\nimport pytest", "import $module\nimport pytest")
    .replace("\n$plugin\n\n\n", "\n\n")
    .replace("$target", "$module"),
}
"""A distribution that pip installs, with an entry point."""
