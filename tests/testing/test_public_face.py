"""The tests of `hermes_hints.testing`, and those of the project's hint plugins, use what any author may."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PUBLIC = {"hermes_hints", "hermes_hints.testing"}
FILES = [*sorted((TESTS / "testing").glob("*.py")), *sorted((TESTS.parent / "plugins").glob("*/tests/*.py"))]


def imported(tree):
    """The modules that are imported, of this project."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] == "hermes_hints")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_they_import_and_touch_nothing_private(file):
    tree = ast.parse(file.read_text("utf-8"))
    touched = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}

    assert set(imported(tree)) <= PUBLIC
    assert [name for name in touched if name.startswith("_") and not name.endswith("__")] == []


def test_there_is_something_to_look_at():
    assert len(FILES) >= 10
