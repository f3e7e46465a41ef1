"""Hint plugins of other people's: an installed package, a Hermes plugin that registers one, a file and a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness.covering import PLUGIN, about, answered, told
from harness.environments import Environment
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.upstream import running_upstream

pytestmark = pytest.mark.e2e

SOURCE = """
from hermes_hints import hookimpl

@hookimpl
def contribute_hints(call, identity):
    return {{"ext": {{"test.{name}": call.purpose or "none"}}}}
"""
REGISTERING = """
import sys
import hermes_hints

class Registered:
    @hermes_hints.hookimpl
    def contribute_hints(self, call):
        return {"ext": {"test.registered": call.purpose or "none"}}

def register(ctx):
    hermes_hints.register(Registered(), "registered")
"""
METADATA = "Metadata-Version: 2.1\nName: packaged\nVersion: 1.0\n"
EVERYONE = ("packaged", "registering", "filed", "foldered")
CONTRIBUTED = ("packaged", "registered", "filed", "foldered")
FOUND = ("packaged", "filed", "foldered")
"""Without being loaded: what a Hermes plugin registers is there when the host has loaded that."""


@pytest.mark.parametrize(
    ("enabled", "disabled", "expected"),
    [
        (EVERYONE, (), CONTRIBUTED),
        (("packaged", "registering", "filed"), ("packaged",), ("registered", "filed")),
        ((), (), ()),
    ],
    ids=["all enabled", "one disabled and one never enabled", "none enabled"],
)
def test_plugins_count_when_the_host_has_them_enabled(
    hinted_host: Environment,
    tmp_path: Path,
    enabled: tuple[str, ...],
    disabled: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    with running_upstream(answered) as upstream:
        home = HermesHome(upstream.base_url, enabled=(PLUGIN, *enabled), disabled=disabled).write(tmp_path / "home")
        put_plugins(tmp_path, home)
        hermes = Hermes(hinted_host.programs, home, {"PYTHONPATH": str(tmp_path / "installed")})

        hermes.ask("which plugins are there?")
        listed = json.loads(hermes.run("hints", "list", "--json").output)

    states = {plugin["name"]: plugin["state"] for plugin in listed}
    assert {name for name, state in states.items() if state == "loaded"} == set(expected)
    assert {name for name, state in states.items() if state == "disabled"} == {*FOUND} - {*expected}
    call = next(filter(about("which plugins are there?"), upstream.calls))
    assert told(call).get("ext", {}) == {f"test.{name}": "main" for name in expected}
    for name in expected:
        assert call.json["metadata"][f"hermes_ext_test.{name}"] == "main"


def put_plugins(tmp_path: Path, home: Path) -> None:
    """Each in its own way: as pip leaves it, as a Hermes plugin, and in the hints directory."""
    installed = tmp_path / "installed"
    described = installed / "packaged-1.0.dist-info"
    described.mkdir(parents=True)
    (installed / "packaged_hints.py").write_text(SOURCE.format(name="packaged"), "utf-8")
    (described / "METADATA").write_text(METADATA, "utf-8")
    (described / "entry_points.txt").write_text("[hermes_hints]\npackaged = packaged_hints\n", "utf-8")
    registering = home / "plugins" / "registering"
    registering.mkdir(parents=True)
    manifest = {"name": "registering", "version": "1.0.0", "description": "Test only.", "kind": "standalone"}
    (registering / "plugin.yaml").write_text(json.dumps(manifest), "utf-8")
    (registering / "__init__.py").write_text(REGISTERING, "utf-8")
    (home / "hints" / "foldered").mkdir(parents=True)
    (home / "hints" / "filed.py").write_text(SOURCE.format(name="filed"), "utf-8")
    (home / "hints" / "foldered" / "__init__.py").write_text(SOURCE.format(name="foldered"), "utf-8")
