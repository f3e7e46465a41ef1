"""A line is put into any YAML file that is written line by line, and nothing else in it changes."""

from __future__ import annotations

import difflib

import pytest
import yaml

from hermes_hints.cli.setup import with_first_entry
from hermes_hints.errors import ConfigError

pytest.importorskip("ruamel.yaml")

PATH = ("plugins", "entries", "hermes-hints", "settings", "endpoints")
ENTRY = '{match: "llm.example.org:4000", profile: headers}'
RULE = {"match": "llm.example.org:4000", "profile": "headers"}

FILES = {
    "empty": "",
    "comments alone": "# nothing yet\n",
    "no plugins": "model: m\n",
    "no newline at the end": "model: m",
    "windows": "model: m\r\nplugins:\r\n  enabled: []\r\n",
    "plugins that are nothing": "model: m\nplugins:\nafter: 1\n",
    "plugins that are null": "model: m\nplugins: null   # none\nafter: 1\n",
    "empty braces": "plugins:\n  entries: {}\n  enabled: [a]\n",
    "empty brackets": "plugins:\n  entries:\n    hermes-hints:\n      settings:\n        endpoints: []  # none\nz: 1\n",
    "another plugin": "plugins:\n  entries:\n    other: {settings: {a: 1}}\n    # about this one\n    more:\n      x: 1\n",
    "other settings": "plugins:\n  entries:\n    hermes-hints:\n      settings:\n        privacy: none\nlast: [1,\n  2]\n",
    "entries, indented": (
        "plugins:\n  entries:\n    hermes-hints:\n      settings:\n        endpoints:\n"
        "          # first\n          - match: a   # why\n            profile: headers\n\n          - {match: b}\n"
    ),
    "entries, not indented": (
        "plugins:\n  entries:\n    hermes-hints:\n      settings:\n        endpoints:\n        - match: a\n        - match: b\n"
    ),
    "eight blanks": "plugins:\n        entries:\n                other:\n                        a: 1\n",
    "quoted keys": "'plugins':\n  \"entries\":\n    'hermes-hints':\n      settings:\n        budget_ms: 5\n",
    "long and odd values": "a: >\n  folded\n  text\n\nb: |\n  kept\n    as is\nc: 0x1F\nd: ~\ne: yes\nplugins:\n  enabled:\n  - x\n",
    "a document marker": "---\nmodel: m\nplugins:\n  entries: {}\n",
    "an anchor": "base: &base\n  a: 1\nplugins:\n  entries:\n    other: *base\n",
    "umlauts": "name: Jürgen 🙂\nplugins:\n  enabled: [ü]\n",
}


def wanted(before):
    after = before or {}
    holder = after
    for key in PATH[:-1]:
        if not holder.get(key):
            holder[key] = {}
        holder = holder[key]
    holder[PATH[-1]] = [RULE, *(holder.get(PATH[-1]) or [])]
    return after


@pytest.mark.parametrize("name", FILES)
def test_the_entry_is_there_and_all_other_lines_are_as_they_were(name):
    before = FILES[name]

    after = with_first_entry(before, PATH, ENTRY)

    assert yaml.safe_load(after) == wanted(yaml.safe_load(before))
    compared = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    changed = [line[2:] for line in compared if line.startswith("- ")]
    empties = ("plugins: null   # none\n", "  entries: {}\n", "        endpoints: []  # none\n", "model: m")
    assert set(changed) <= set(empties)
    assert ("\r\n" in after) == ("\r\n" in before)
    assert after.count("#") == before.count("#")


@pytest.mark.parametrize(
    "text",
    [
        "plugins: {enabled: [a]}\n",
        "plugins:\n  entries: {other: 1}\n",
        "plugins:\n  entries:\n    hermes-hints:\n      settings:\n        endpoints: [{match: a}]\n",
        "plugins: text\n",
        "- a\n- b\n",
        "just text\n",
        "plugins:\n- a\n",
        "a: [1\n",
        "a: 1\na: 2\n",
        "model: m\n...\n",
        "a: 1\n---\nb: 2\n",
        "plugins: !!map {}\nb: 1\n",
    ],
)
def test_where_no_line_can_be_put_nothing_comes_out(text):
    with pytest.raises(ConfigError, match="no line can be put"):
        with_first_entry(text, PATH, ENTRY)


def test_twice_is_two_entries_the_later_first():
    once = with_first_entry("", PATH, "{match: a}")

    twice = with_first_entry(once, PATH, "{match: b}")

    assert [
        rule["match"] for rule in yaml.safe_load(twice)["plugins"]["entries"]["hermes-hints"]["settings"]["endpoints"]
    ] == [
        "b",
        "a",
    ]
