"""What ``hermes-hints new`` writes works as it is; what it cannot write it says, and leaves everything as it was."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml

import hermes_hints
from hermes_hints import ConfigError
from hermes_hints.cli import main
from hermes_hints.finding import imported
from hermes_hints.scaffold import plugin_name, write_plugin
from hermes_hints.testing import HintsBench

KINDS = ["folder", "package"]


@pytest.fixture(params=KINDS)
def written(request, tmp_path):
    folder, *files = write_plugin("ops-first", tmp_path, request.param)
    assert sorted(files) == sorted(path for path in folder.rglob("*") if path.is_file())
    return folder


@pytest.fixture(autouse=True)
def _no_modules_left():
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("hermes_hints_plugins", "ops_first")):
            del sys.modules[name]


def readme_commands(folder):
    text = (folder / "README.md").read_text("utf-8")
    listed = "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    return [shlex.split(line) for line in listed.splitlines() if line.startswith("python -m pytest")]


def test_its_tests_pass_and_it_conforms_by_the_commands_in_its_readme(written):
    told = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTEST_PLUGINS": "hermes_hints.testing.pytest_plugin"}
    passed = []
    for command in readme_commands(written):
        done = subprocess.run(
            [sys.executable, *command[1:]],
            cwd=written,
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        passed.append(int(re.search(r"(\d+) passed", done.stdout)[1]))

    assert passed[0] == 3
    assert passed[1] > 40


def test_everything_in_it_goes_by_its_name(written):
    whole = "".join(path.read_text("utf-8") for path in written.rglob("*") if path.is_file())
    assert "$" not in whole.replace("$HERMES_HOME", "")
    (settings,) = re.findall(
        r"^```yaml\n(.*?)^```$", (written / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert yaml.safe_load(settings) == {"plugins": {"enabled": ["hermes-hints", "ops-first"]}}


def test_a_folder_is_a_plugin_of_hermes_and_of_its_hints_directory(tmp_path):
    folder, *_ = write_plugin("ops-first", tmp_path)

    manifest = yaml.safe_load((folder / "plugin.yaml").read_text("utf-8"))
    assert manifest.items() >= {"name": "ops-first", "kind": "standalone"}.items()
    with HintsBench(folder) as bench:
        assert (bench.state.name, bench.state.state) == ("ops-first", "loaded")
    imported("ops-first", folder / "__init__.py").register(object())
    assert [plugin.name for plugin in hermes_hints.loaded_plugins()] == ["ops-first"]


def test_a_package_has_an_entry_point_that_leads_to_the_plugin(tmp_path, monkeypatch):
    folder, *_ = write_plugin("ops-first", tmp_path, "package")

    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["name"] == "ops-first"
    ((name, module),) = project["project"]["entry-points"]["hermes_hints"].items()
    (packaged,) = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert (name, packaged) == ("ops-first", f"src/{module}")
    monkeypatch.syspath_prepend(str(folder / "src"))
    with HintsBench(module) as bench:
        assert bench.hints(purpose="title_generation") == {"priority": "low"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Ops First", "'Ops First' is not of lower-case letters .*; use 'ops-first'"),
        ("opsFirst", "use 'ops-first'"),
        ("ops_first", "use 'ops-first'"),
        ("../ops", "use 'ops'"),
        ("/etc", "use 'etc'"),
        ("9-lives", "use 'lives'"),
        ("ops-", "use 'ops'"),
        ("", "such as 'ops-first'"),
        ("运维", "such as 'ops-first'"),
        ("json", "'json' is the name of something else in Python; .* such as 'json-hints'"),
        ("hermes-hints", "is the name of something else"),
        ("class", "such as 'class-hints'"),
        ("x" * 41, "is longer than 40 characters"),
    ],
)
def test_a_name_that_does_not_do_is_refused_with_one_that_does(name, said, tmp_path):
    with pytest.raises(ConfigError, match=f"^name: .*{said}"):
        write_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ops-first", "a", "x9", "x" * 40])
def test_names_that_do(name):
    assert plugin_name(name) == (name, name.replace("-", "_"))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_overwritten(tmp_path, kind):
    (tmp_path / "ops-first").mkdir()
    (tmp_path / "ops-first" / "notes").write_text("mine", "utf-8")
    (tmp_path / "a-file").write_text("mine", "utf-8")

    for name in ("ops-first", "a-file"):
        with pytest.raises(
            ConfigError, match=f"{name} is there already, and nothing is overwritten; choose another name"
        ):
            write_plugin(name, tmp_path, kind)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a-file", "notes", "ops-first"]


def test_where_nothing_can_be_written_nothing_is_left(tmp_path, monkeypatch):
    (tmp_path / "a-file").write_text("mine", "utf-8")
    with pytest.raises(ConfigError, match=r"--directory: .*a-file cannot be written to .*Not a directory"):
        write_plugin("ops-first", tmp_path / "a-file")

    real = type(tmp_path).write_text

    def full(self, *arguments, **named):
        if self.name == "README.md":
            raise OSError(28, "No space left on device")
        return real(self, *arguments, **named)

    monkeypatch.setattr(type(tmp_path), "write_text", full)
    with pytest.raises(ConfigError, match=r"No space left on device.*; nothing is left in it"):
        write_plugin("ops-first", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]


@pytest.mark.parametrize("package", [[], ["--package"]])
def test_the_command_says_what_it_wrote_and_what_is_next(tmp_path, monkeypatch, capsys, package):
    monkeypatch.chdir(tmp_path)

    assert main(["new", "ops-first", "--directory", "my hints", *package]) == 0

    listed, _, following = capsys.readouterr().out.partition("\n\n")
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(listed.splitlines()) == sorted(map(str, files))
    assert following.splitlines()[1].strip() == "cd 'my hints/ops-first' && python -m pytest"
