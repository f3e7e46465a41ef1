"""The docs' consoles, played: the command is run, and what it prints is what is shown, in its order."""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

import pytest
from pages import CHECKOUT, blocks
from upstream import Answer

SHOWN = [block for block in blocks() if block.language == "console"]
LEFT_OUT = "…"
LITELLM = Answer(headers={"x-litellm-version": "1.106.2"})


@pytest.fixture
def as_in_the_docs(operator, upstream, installed):
    """A Hermes whose model is a LiteLLM proxy, and the hint plugin intent-words; what is printed of it, as on the page."""
    installed()
    upstream.rules.append(lambda _request: LITELLM)
    (operator.home / "hints").mkdir()
    (operator.home / "hints" / "intent-words").symlink_to(CHECKOUT / "plugins" / "intent-words")
    model = {"provider": "custom", "base_url": upstream.base_url, "default": "m"}
    auxiliary = {"vision": {"base_url": upstream.base_url}}
    operator.configure(model=model, auxiliary=auxiliary, plugins={"enabled": ["hermes-hints", "intent-words"]})

    def play(command):
        program, *arguments = shlex.split(command)
        assert program == "hermes-hints"
        printed = operator.run(*arguments).everything
        port = urlsplit(upstream.base_url).port
        return printed.replace(f":{port}", ":4000").replace(str(operator.home), "/home/ann/.hermes")

    return play


def missing(shown, printed):
    """The first line that is shown and not printed, where ``…`` stands for any lines; ``None`` where all are."""
    left = iter(printed.splitlines())
    loose = False
    for line in shown:
        if line.strip() == LEFT_OUT:
            loose = True
            continue
        if loose:
            if line not in left:
                return line
        elif next(left, None) != line:
            return line
        loose = False
    return None if loose or next(left, None) is None else "the end"


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_what_is_printed_is_what_is_shown(block, as_in_the_docs):
    command, *shown = block.text.splitlines()
    printed = as_in_the_docs(command.removeprefix("$ "))

    assert missing(shown, printed) is None, printed


def test_the_comparison_notices_what_differs():
    printed = "a\nb\nc\n"

    assert missing(["a", LEFT_OUT, "c"], printed) is None
    assert missing(["a", "b", "c"], printed) is None
    assert missing(["a", "c"], printed) == "c"
    assert missing(["a", LEFT_OUT, "d"], printed) == "d"
    assert missing(["a", "b"], printed) == "the end"
