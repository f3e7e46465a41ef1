"""Environments are built once, finished when they were interrupted, and keep the programs' own pins."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.environments import Environment, EnvironmentBuildError, environment

pytestmark = pytest.mark.e2e

Build = Callable[..., Environment]


def wheel(directory: Path, name: str, version: str, answer: str, *needs: str) -> Path:
    """The smallest wheel: one module that holds an answer."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    required = "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = {
        f"{name}.py": f"answer = {answer!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in files)
    with zipfile.ZipFile(path, "w") as archive:
        for inside, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(inside, content)
    return path


def answer_of(built: Environment, module: str) -> str:
    command = [built.python, "-c", f"import {module}; print({module}.answer)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    program = wheel(tmp_path / "dist", "program", "1.0", "from the program")

    def built(told: list[str], project: Path | None = None) -> Environment:
        return environment("small", [str(program)], project=project, progress=told.append, root=tmp_path / "built")

    return built


def test_what_is_there_is_not_built_again(build: Build) -> None:
    first: list[str] = []
    again: list[str] = []

    assert build(first) == build(again)

    assert first[0].startswith("[small] making a new environment")
    assert again == []


def test_an_interrupted_build_is_done_over(build: Build) -> None:
    built = build([])
    (built.directory / "constraints.txt").unlink()
    built.python.unlink()
    told: list[str] = []

    assert answer_of(build(told), "program") == "from the program"

    assert told[0] == "[small] removing a half-built environment"


def test_a_project_that_changed_is_installed_anew(build: Build, tmp_path: Path) -> None:
    old = build([], wheel(tmp_path / "old", "project", "1.0", "old"))
    assert answer_of(old, "project") == "old"
    unchanged: list[str] = []
    build(unchanged, tmp_path / "old" / "project-1.0-py3-none-any.whl")

    new = build([], wheel(tmp_path / "new", "project", "1.0", "new"))

    assert answer_of(new, "project") == "new"
    assert unchanged == []


def test_a_project_that_cannot_live_beside_the_programs_pins_is_refused(build: Build, tmp_path: Path) -> None:
    wheel(tmp_path / "dist", "program", "2.0", "from another program")
    project = wheel(tmp_path / "project", "project", "1.0", "mine", "program==2.0")

    with pytest.raises(EnvironmentBuildError, match=r"program==2\.0"):
        build([], project)

    assert answer_of(build([]), "program") == "from the program"
