"""docs/reference/ is what the code says; hooks.md, which is written by hand, is held by tests/test_hook_docs.py."""

from __future__ import annotations

import argparse
import json
import re

import pytest
import reference
from pages import CHECKOUT, blocks_in, text_of
from reference import docstrings
from reference.wire import KEY, SINCE

import hermes_hints
from hermes_hints import Record, Settings, receive
from hermes_hints.cli import add_commands
from hermes_hints.hermes.configuration import HermesSettings
from hermes_hints.profiles import BUILTIN
from hermes_hints.schema import schema

HEADINGS = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_is_what_the_code_says(name):
    assert text_of(f"docs/{name}") == reference.written(name), "write it anew: make reference"


def test_no_page_is_left_over():
    found = {path.name for path in (CHECKOUT / "docs" / "reference").glob("*.md")}
    assert found == {name.removeprefix("reference/") for name in reference.PAGES} | {"hooks.md"}


def headings(name):
    return set(HEADINGS.findall(text_of(f"docs/reference/{name}.md")))


def test_everything_public_is_there():
    assert set(hermes_hints.__all__) - {"receive"} <= headings("api")
    assert BUILTIN.keys() <= headings("profiles")
    parser = argparse.ArgumentParser()
    add_commands(parser)
    (commands,) = (action.choices for action in parser._actions if isinstance(action.choices, dict))
    assert commands.keys() <= headings("cli")
    listed = set(re.findall(r"^\| `(\w+)` \|", text_of("docs/reference/settings.md"), re.MULTILINE))
    assert {*Settings.model_fields, *HermesSettings.model_fields} <= listed


def test_every_field_is_told_in_words():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text_of("docs/reference/wire.md"), re.MULTILINE)
    assert [name for name, _ in rows] == [name for name in schema()["properties"] if name != "v"]
    assert [name for name, told in rows if not told] == []


def test_a_receiver_reads_the_examples():
    found = list(blocks_in("docs/reference/wire.md", text_of("docs/reference/wire.md")))
    body, metadata = (json.loads(block.text) for block in found if block.language == "json")
    lines, signature = (block.text for block in found if block.language == "text")
    headers = dict(line.split(": ", 1) for line in (lines + signature).splitlines())

    whole = receive.read(headers, {"hermes": body, "metadata": metadata}, key=KEY, now=SINCE)

    assert whole == Record(**{name: value for name, value in body.items() if name != "v"})
    assert receive.read(headers).user_name == receive.read(None, {"metadata": metadata}).user_name == "Zoë"
    assert receive.verify(headers, {"hermes": {**body, "user_id": "@eve:example.org"}}, key=KEY, now=SINCE) == "forged"


def test_docstrings_are_read():
    text = """What it does: ``x``.

    More of it::

        a = 1

    Args:
        one: the first,
            and more of it.

    Raises:
        ConfigError: no.
    """
    assert docstrings.markdown(text) == (
        "What it does: `x`.\n\nMore of it:\n\n```python\na = 1\n```\n\n"
        "Args:\n\n- `one`: the first, and more of it.\n\nRaises:\n\n- `ConfigError`: no."
    )


def test_signatures_are_written_as_they_are():
    def function(a: int, /, b: str = "x", *more: object, c: bool = False, **rest: str) -> None: ...
    def keywords(*, c: bool = False): ...

    assert docstrings.signature(function) == (
        'function(a: int, /, b: str = "x", *more: object, c: bool = False, **rest: str) -> None'
    )
    assert docstrings.signature(keywords) == "keywords(*, c: bool = False)"
