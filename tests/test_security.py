"""SECURITY.md names, for each threat, a test that is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
THREATS = [line for line in (ROOT / "SECURITY.md").read_text("utf-8").splitlines() if line.startswith("| ")][1:]
NAMED = re.compile(r"`(tests/[\w/.]+?)(?:::(\w+))?`")


def test_every_threat_has_tests():
    assert len(THREATS) > 10
    assert [line for line in THREATS if not NAMED.search(line.rpartition("|")[0].rpartition("|")[2])] == []


def test_every_test_that_is_named_exists():
    missing = []
    for path, name in NAMED.findall("\n".join(THREATS)):
        place = ROOT / path
        tests = place.rglob("*.py") if place.is_dir() else [place] if place.is_file() else []
        functions = {
            node.name
            for file in tests
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef)
        }
        if not functions or (name and name not in functions):
            missing.append(f"{path}::{name}")
    assert missing == []
