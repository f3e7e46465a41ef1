"""Each of them is complete where it is copied to: its settings are declared, shown and refused by name, its tests pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import hermes_hints
from hermes_hints.hermes.configuration import admission, load_settings
from hermes_hints.testing import HintsBench

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
NAMES = sorted(path.parent.name for path in PLUGINS.glob("*/README.md"))
TYPES = {"str": str, "int": int, "number": (int, float), "list": list, "dict": dict}
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def manifest(name):
    return yaml.safe_load((PLUGINS / name / "plugin.yaml").read_text("utf-8"))


@pytest.fixture
def readme(name):
    return (PLUGINS / name / "README.md").read_text("utf-8")


def test_what_it_refuses_is_what_it_does_not_declare(name, manifest):
    with HintsBench(PLUGINS / name, settings={"no-such-setting": 1}) as bench:
        listed = re.search(r"there is no setting 'no-such-setting'; use ([\w, ]+)", bench.state.error)[1]

    assert re.split(", | and ", listed) == list(manifest["config_schema"])


def test_its_declared_defaults_are_of_their_types_and_change_nothing(name, manifest):
    declared = manifest["config_schema"]
    defaults = {key: told["default"] for key, told in declared.items() if "default" in told}

    for key, default in defaults.items():
        assert isinstance(default, TYPES[declared[key]["type"]])
    for settings in ({}, defaults):
        with HintsBench(PLUGINS / name, settings=settings) as bench:
            assert (bench.state.state, bench.state.error) == ("loaded", None)


def test_its_readme_tells_every_setting(name, manifest, readme):
    told = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", readme, re.MULTILINE)

    assert {*manifest["config_schema"]} <= {word.strip("`") for row in told for word in row.split(", ")}
    assert all(entry["description"].endswith(".") for entry in manifest["config_schema"].values())


def test_its_readme_shows_a_configuration_that_it_takes(name, readme, tmp_path):
    (tmp_path / name).symlink_to(PLUGINS / name, target_is_directory=True)
    (configuration,) = map(yaml.safe_load, BLOCK.findall(readme))
    settings = load_settings(configuration).model_copy(update={"hints_directory": tmp_path})

    assert settings.plugins.keys() == {name}
    hermes_hints.plugins.registry.load(settings, admission(configuration))
    listed = [(plugin.name, plugin.state, plugin.error) for plugin in hermes_hints.loaded_plugins()]
    assert listed == [(name, "loaded", None)]


def test_its_tests_pass_where_it_is_copied_to(name, tmp_path):
    copy = shutil.copytree(PLUGINS / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "hermes_hints.testing.pytest_plugin"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) > 10


@pytest.fixture(autouse=True)
def _no_modules_left():
    yield
    for module in [module for module in sys.modules if module.startswith("hermes_hints_plugins")]:
        del sys.modules[module]
