"""The commands of ``sh`` blocks, and what runs each of them."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from pages import text_of

from hermes_hints.cli import add_commands

RUN_BY: Mapping[str, tuple[str, str]] = {
    "make demo": (".ci/run", 'stage "demo" make demo'),
    "make test": (".ci/run", 'stage "tests, newest openai" make test'),
    "make bench": (".ci/run", "-m tests.benchmarks --quick"),
    ".environments/test/bin/python -m tests.benchmarks --quick": (".ci/run", "-m tests.benchmarks --quick"),
    "pip install hermes-hints": ("tests/e2e/test_install.py", "readme_install_block()]"),
    "hermes plugins enable hermes-hints": ("tests/e2e/test_install.py", "readme_install_block()]"),
    "pip install 'hermes-hints[dispatcher]'": (".ci/check-wheel", "[dispatcher]"),
    "pip install 'hermes-hints[inspect]'": (".ci/check-wheel", "[inspect]"),
    "pip install 'hermes-hints[testing]'": (".ci/check-wheel", "[testing]"),
    "pip install 'litellm[proxy]==1.106.2' hermes-hints": (
        "tests/e2e/harness/litellm_proxy.py",
        "litellm[proxy]==1.106.2",
    ),
}
"""Commands that need a real program, the network or a quarter of an hour: what runs them, and what stands there."""

PAGES_RUN_BY = {
    "docs/tutorial.md": ("tests/scaffold/test_tutorial.py", "install_and_write, serve, ask, test, move = commands")
}
"""Pages whose commands are run one after the other by a test of their own."""


def split(text: str) -> list[str]:
    """The commands of a block, without comments."""
    joined = text.replace("\\\n", " ")
    lines = (re.sub(r"(^|\s+)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def check(page: str, command: str, directory: Path) -> None:
    """Fail unless the command is run: here, or where the tables say."""
    if page in PAGES_RUN_BY:
        _stands(*PAGES_RUN_BY[page])
    elif command in RUN_BY:
        _stands(*RUN_BY[command])
    elif command.startswith("hermes-hints inspect "):
        _inspects(shlex.split(command))
    else:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "hermes_hints.dispatcher"], (
            f"nothing runs {command!r} of {page}: run it in a test and name that in {Path(__file__).name}, or mark what is output as text"
        )
        _serves(page, words, directory)


def _stands(file: str, text: str) -> None:
    assert text in text_of(file), f"{file} no longer has {text!r}"


def _serves(page: str, words: list[str], directory: Path) -> None:
    """The dispatcher comes up as it is told to, with the rules on the page."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    rules = re.search(r"^```yaml\n(default: .*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    if rules is not None:
        (directory / "rules.yaml").write_text(rules[1], encoding="utf-8")
    first = _first_line([sys.executable, "-u", *(port if word == "8300" else word for word in words[1:])], directory)
    assert re.match(rf"Ready at .*:{port}\b", first), first


def _inspects(words: list[str]) -> None:
    """The inspector comes up, on ports that are free, and says where it leads."""
    program = [sys.executable, "-m", "hermes_hints.cli", *words[1:], "--port", "0", "--page-port", "0"]
    first = _first_line(program, Path.cwd())
    assert f"passes on to {words[words.index('--upstream') + 1]}" in first, first


def _first_line(program: list[str], directory: Path) -> str:
    """The first line that a program writes; it is ended then."""
    with subprocess.Popen(
        program, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        watchdog = threading.Timer(120, started.kill)
        watchdog.start()
        assert started.stdout is not None
        first = started.stdout.readline()
        watchdog.cancel()
        started.terminate()
    return first


_NEEDED = {"new": ["NAME"], "inspect": ["--upstream", "URL"]}
"""What a command cannot do without, and a sentence need not repeat."""
_INLINE = re.compile(r"`((?:hermes-hints|hermes hints|make|python -m) [^`]+)`")


def inline(text: str) -> list[str]:
    """The commands that stand within sentences, also over the end of a line."""
    return [" ".join(found.split()) for found in _INLINE.findall(text)]


def understood(command: str) -> None:
    """Fail unless what the command names is there."""
    words = shlex.split(command.replace("hermes hints", "hermes-hints", 1))
    if "…" in words:
        return
    if words[0] == "make":
        targets = re.findall(r"^([a-z][a-z0-9-]*):", text_of("Makefile"), re.MULTILINE)
        assert words[1] in targets, f"make has no {words[1]}"
    elif words[0] == "python":
        assert importlib.util.find_spec(words[2]) is not None, f"there is no module {words[2]}"
    else:
        parser = argparse.ArgumentParser(exit_on_error=False)
        add_commands(parser)
        try:
            parser.parse_args([*words[1:], *_NEEDED.get(" ".join(words[1:]), [])])
        except (SystemExit, argparse.ArgumentError) as error:
            msg = f"{command!r} is no command line"
            raise AssertionError(msg) from error
