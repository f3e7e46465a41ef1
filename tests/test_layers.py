"""Imports point one way, from the values up to the doors, and importing the package costs no client library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hermes_hints

PACKAGE = Path(hermes_hints.__file__).parent
LAYERS = (
    ("errors", "notices", "values"),
    ("endpoints", "identity", "state_file"),
    ("hints",),
    ("wire",),
    ("call", "carriers", "signature"),
    ("receive", "rules", "schema"),
    ("context", "finding", "hookspecs", "isolation", "outgoing", "privacy", "profiles"),
    ("inbound", "ladder", "repeats", "settings"),
    ("plugins", "policy"),
    ("pipeline",),
    ("explanation", "sending"),
    ("openai",),
    ("loopback",),
    ("dispatcher", "hermes", "inspector", "litellm", "opentelemetry", "scaffold", "testing"),
    ("cli",),
    ("__init__",),
)
"""The modules and packages directly under the package; each may import what stands in a line above its own."""
UPWARD = {("hermes/plugin.py", "cli")}
"""The plugin gives the host the command line, and imports it only when that is run; the command line reads the host."""
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}
FOREIGN = {
    "pluggy": {"plugins", "hookspecs"},
    "aiohttp": {"inbound"},
    "openai": {"openai"},
    "pytest": {"testing"},
    "httpx": set(),
    "httpx2": set(),
    "litellm": {"litellm"},
    "opentelemetry": {"opentelemetry"},
    "httpcore": {"inspector"},
    "rich": {"inspector"},
    "starlette": {"dispatcher", "inspector", "loopback"},
    "uvicorn": {"loopback"},
    "yaml": {"rules", "dispatcher", "cli", "hermes"},
}
"""Which rooms may import what is heavy, optional, or kept in one place."""


class Imports(ast.NodeVisitor):
    """The modules that a module imports when it runs, inside its functions too."""

    def __init__(self, package):
        self.package = package
        self.found = []

    def visit_If(self, node):
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)
        for other in node.orelse:
            self.visit(other)

    def visit_Import(self, node):
        self.found += [name.name.split(".") for name in node.names]

    def visit_ImportFrom(self, node):
        start = ["hermes_hints", *self.package[: len(self.package) - node.level + 1]] if node.level else []
        module = start + (node.module.split(".") if node.module else [])
        self.found += [module] if node.module else [[*module, name.name] for name in node.names]


def imports_of(path):
    visitor = Imports(path.relative_to(PACKAGE).parts[:-1])
    visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
    return visitor.found


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_module_has_its_place():
    assert {room_of(path) for path in FILES} == set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    room = room_of(path)
    wrong = [
        ".".join(target)
        for target in imports_of(path)
        if target[0] == "hermes_hints"
        and len(target) > 1
        and target[1] != room
        and not RANK.get(target[1], 99) < RANK[room]
        and (path.relative_to(PACKAGE).as_posix(), target[1]) not in UPWARD
    ]
    assert wrong == [], f"{room} may not import what stands beside or above it"
    assert ["hermes_hints"] not in imports_of(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_foreign_packages_stay_where_they_belong(path):
    wrong = [target[0] for target in imports_of(path) if room_of(path) not in FOREIGN.get(target[0], {room_of(path)})]
    assert wrong == []


def test_the_visitor_sees_imports():
    visitor = Imports(("profiles",))
    visitor.visit(
        ast.parse(
            "import openai.types\nfrom . import builtin\nfrom ..errors import ConfigError\n"
            "if TYPE_CHECKING:\n    from ..openai import wrap\nelse:\n    import yaml\ndef f():\n    from .. import cli"
        )
    )
    assert [".".join(target) for target in visitor.found] == [
        "openai.types",
        "hermes_hints.profiles.builtin",
        "hermes_hints.errors",
        "yaml",
        "hermes_hints.cli",
    ]


def in_a_fresh_interpreter(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True, timeout=60
    ).stdout


@pytest.mark.parametrize(
    "module", ["hermes_hints", "hermes_hints.receive", "hermes_hints.hookspecs", "hermes_hints.schema"]
)
def test_importing_takes_no_client_library_and_warns_of_nothing(module):
    code = f"""
import sys
before = set(sys.modules)
import {module}
print(*sorted({{name.partition('.')[0] for name in set(sys.modules) - before}}))
"""
    loaded = set(in_a_fresh_interpreter(code).split())
    assert "hermes_hints" in loaded
    assert not loaded & {
        "openai",
        "httpx",
        "httpx2",
        "httpcore",
        "anyio",
        "starlette",
        "uvicorn",
        "yaml",
        "requests",
        "asyncio",
    }


def test_the_pure_parts_work_where_openai_cannot_be_imported():
    code = """
import sys
for name in ("openai", "httpx", "httpx2", "starlette", "uvicorn", "yaml"):
    sys.modules[name] = None
import hermes_hints
with hermes_hints.identify(user_id="alice"), hermes_hints.hint(priority="high"):
    record = hermes_hints.receive.read({"X-Hermes-User-Id": "alice"}, {"hermes": {"priority": "high"}})
print(record.fields())
"""
    assert in_a_fresh_interpreter(code).strip() == "{'user_id': 'alice', 'priority': 'high'}"
