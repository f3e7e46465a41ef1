"""Hint plugins as they are found: installed ones, files in a directory, and objects; and a request for them to hint."""

from __future__ import annotations

import sys
import textwrap
import threading

import pytest

from hermes_hints import Settings, isolation
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline
from hermes_hints.plugins import registry


@pytest.fixture
def patience():
    """The time for hint plugins in milliseconds: long, because a busy machine is not what most tests are about."""
    return 1000


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Say sooner of a plugin that it hangs than a real machine would bear."""
    monkeypatch.setattr(isolation, "_HANGING_SECONDS", 0.5)
    monkeypatch.setattr(isolation, "_HANGING_BUDGETS", 3)


@pytest.fixture
def stamp(patience):
    """Stamp one chat completion for an endpoint on loopback, and say what it carries."""

    def stamp(settings=None, **body):
        loaded = Settings.load(settings)
        if settings is not None:
            registry.load(loaded)
        if registry._settings.budget_ms == Settings().budget_ms:
            registry._given = registry._settings.model_copy(update={"budget_ms": patience})
        pipeline = Pipeline(loaded)
        outgoing = Outgoing("chat.completions", {"model": "m", "messages": [], **body}, None, None)
        return pipeline.stamp(outgoing, pipeline.decide("http://127.0.0.1:4000/v1"))

    return stamp


@pytest.fixture
def hinted(stamp):
    """The hints that one request carries."""

    def hinted(settings=None, **body):
        found = dict(stamp(settings, **body).carriers.body["hermes"])
        del found["v"], found["request_id"]
        return found

    return hinted


@pytest.fixture
def release():
    """Set when the test is over: what a hanging plugin waits for, so that its thread ends."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with entry points for hint plugins, as pip would."""
    before = set(sys.modules)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(dist, entry_points, **modules):
        metadata = site / f"{dist.replace('-', '_')}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[hermes_hints]", *lines, ""]))
        for name, source in modules.items():
            (site / f"{name}.py").write_text(textwrap.dedent(source))

    yield install
    for name in set(sys.modules) - before:
        if str(site) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def directory(tmp_path):
    """Write files into a directory for hint plugins."""
    folder = tmp_path / "hints"
    folder.mkdir()

    def write(**files):
        for name, source in files.items():
            path = folder / name.replace("__slash__", "/")
            path.parent.mkdir(exist_ok=True)
            path.with_name(path.name + ".py").write_text(textwrap.dedent(source))
        return folder

    yield write
    for name in [name for name in sys.modules if name.startswith("hermes_hints_plugins")]:
        del sys.modules[name]
