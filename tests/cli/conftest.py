"""An operator at a command line: a Hermes home with a configuration, and what the commands print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from upstream import Upstream

from hermes_hints import notices, pipeline, plugins
from hermes_hints.cli import main


@dataclass(frozen=True)
class Printed:
    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)

    @property
    def everything(self) -> str:
        return self.output + self.errors


class Operator:
    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    @property
    def file(self) -> Path:
        return self.home / "config.yaml"

    def configure(self, settings: dict[str, Any] | None = None, **configuration: Any) -> None:
        """Write config.yaml: hermes-hints enabled, with these settings, and the rest as given."""
        # A machine that is busy with other tests may hold a plugin up for longer than the default allows.
        patient = {"budget_ms": 1000} if (self.home / "hints").exists() else {}
        entries = {"hermes-hints": {"settings": {**patient, **(settings or {})}}}
        plugins = {"enabled": ["hermes-hints"], "entries": entries}
        self.write({**configuration, "plugins": {**plugins, **configuration.get("plugins", {})}})

    def write(self, configuration: dict[str, Any]) -> None:
        self.file.write_text(yaml.safe_dump(configuration), "utf-8")

    def configuration(self) -> dict[str, Any]:
        return yaml.safe_load(self.file.read_text("utf-8"))

    def plugin(self, name: str, code: str) -> None:
        """A hint plugin of the operator's own."""
        (self.home / "hints").mkdir(exist_ok=True)
        (self.home / "hints" / f"{name}.py").write_text("from hermes_hints import hookimpl\n\n" + code, "utf-8")

    def run(self, *arguments: str) -> Printed:
        """A command, as in a process of its own."""
        plugins.registry.__init__()
        pipeline._ladder.__init__()
        notices._said.clear()
        try:
            status = main(arguments)
        except SystemExit as exit_:
            status = exit_.code
        said = self._capsys.readouterr()
        return Printed(status, said.out, said.err)

    def mend(self, remedy: dict[str, str]) -> None:
        """Do to config.yaml what a remedy says."""
        place, _, where = remedy["place"].partition(", ")
        configuration = self.configuration()
        holder, line = configuration, remedy["line"]
        *path, last = place.split(".")
        for key in path:
            holder = holder[int(key)] if isinstance(holder, list) else holder.setdefault(key, {})
        assert where in ("", "before the others")
        if line.startswith("# leave out: "):
            target = holder[int(last)] if isinstance(holder, list) else holder[last]
            target.remove(line[13:]) if isinstance(target, list) else target.pop(line[13:])
        elif line.startswith("- ") and isinstance(holder, list):
            holder[int(last)] = yaml.safe_load(line)[0]
        elif line.startswith("- "):
            holder[last] = [*yaml.safe_load(line), *holder.get(last, [])]
        else:
            target = holder.setdefault(last, {})
            told = yaml.safe_load(line)
            for known in [key for key in target if key not in told and _alike(key, told)]:
                del target[known]
            target.update(told)
        self.write(configuration)


def _alike(key: str, told: dict[str, Any]) -> bool:
    """Whether a key is a misspelling of one that is told."""
    return any(key[:4] == name[:4] for name in told)


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Operator:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HERMES_HOME", str(home))
    return Operator(home, capsys)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


HOOKS = {
    *("pre_llm_call", "pre_gateway_dispatch", "subagent_start"),
    *("on_session_reset", "post_api_request", "transform_llm_output"),
}


@pytest.fixture
def installed(operator, monkeypatch):
    """A Hermes in this environment, without what is named."""

    def install(*missing):
        content = {
            "hermes_cli": {"__version__": "0.19.0"},
            "hermes_cli.config": {"load_config": operator.configuration},
            "hermes_cli.plugins": {"VALID_HOOKS": HOOKS - {*missing}},
            "hermes_cli.middleware": {"VALID_MIDDLEWARE": {"llm_request", "tool_request"} - {*missing}},
            "hermes_cli.commands": {"resolve_command": {"model": object(), "status": object()}.get},
            "gateway.session_context": {"get_session_env": str},
            "agent.portal_tags": {"get_conversation_context": str},
        }
        for name, names in content.items():
            made = ModuleType(name)
            made.__spec__ = ModuleSpec(name, None)
            vars(made).update(names)
            monkeypatch.setitem(sys.modules, name, None if name in missing else made)

    return install
