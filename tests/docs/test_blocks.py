"""Every block of the README, the docs and the plugins' pages is run, by a test here or by one that is named, or is output.

A block is ``python``, ``yaml``, ``sh``, ``console`` or ``json``, or it is ``text``: what a program prints. There is no other
kind, and none without.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import commands
import pytest
import settings_blocks
from aiohttp import web
from pages import CHECKOUT, blocks, blocks_in, pages, prose, text_of
from pydantic import ValidationError
from starlette.applications import Starlette

import hermes_hints
from hermes_hints import Call, ConfigError, Identity, hookimpl
from hermes_hints.dispatcher import CallLog, create_app, running
from hermes_hints.inbound import Admission
from hermes_hints.inbound.asgi import Inbound
from hermes_hints.rules import parse_rules

LANGUAGES = {"python", "yaml", "sh", "console", "json", "text"}
ALL = blocks()

JSON = {"docs/tutorial.md": "tests/scaffold/test_tutorial.py", "docs/reference/wire.md": "tests/docs/test_reference.py"}
"""Pages whose ``json`` is what a program writes, and the test that compares it with that."""


def of(language):
    return pytest.mark.parametrize("block", [block for block in ALL if block.language == language], ids=str)


def test_there_is_something_to_test():
    assert {block.language for block in ALL} == LANGUAGES
    assert {"README.md", "SECURITY.md", "docs/wire.md", "plugins/quiet-hours/README.md"} <= set(pages())


@pytest.mark.parametrize("block", ALL, ids=str)
def test_every_block_says_what_it_is(block):
    assert block.language in LANGUAGES, f"{block}: mark it as one of {', '.join(sorted(LANGUAGES))}"
    assert block.text.strip()


@pytest.fixture
def upstream(monkeypatch, tmp_path):
    """Where the blocks' clients lead: a dispatcher on loopback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hints").mkdir()
    log = CallLog()
    with running(create_app(parse_rules("default: local"), log=log)) as base_url:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        monkeypatch.setenv("API_KEY", "the key of an API server")
        yield SimpleNamespace(base_url=base_url, log=log)


@pytest.fixture(autouse=True)
def _no_plugin_modules_left():
    yield
    for module in [module for module in sys.modules if module.startswith("hermes_hints_plugins")]:
        del sys.modules[module]


def run_python(block, base_url):
    """Run a block among the names that the text around it speaks of; what it has defined."""
    names = {**given(block), "__name__": "block", "__file__": str(CHECKOUT / "hints" / "tests" / "test_block.py")}
    text = block.text.replace("http://127.0.0.1:8300/v1", base_url)
    try:
        code = compile("\n" * block.line + text, block.page, "exec", annotations.compiler_flag)
        exec(code, names)  # noqa: S102 - the block is what is tested
    finally:
        if "client" in names:
            names["client"].close()
    return names


def given(block):
    """What a block takes as given."""
    if block.page == "README.md":
        return {"headers": {"X-Hermes-User-Intent": "force-cloud"}, "body": {"hermes": {"v": 1, "user_id": "@alice:x"}}}
    if "hermes_hints.inbound" in block.text or "Inbound(app" in block.text:
        return {
            "app": web.Application() if "inbound.aiohttp" in block.text else Starlette(),
            "os": os,
            "Admission": Admission,
            "Inbound": Inbound,
        }
    if block.page == "docs/tutorial.md":
        return {"Call": Call, "Identity": Identity, "hookimpl": hookimpl}
    if block.page == "docs/reference/api.md":
        return {**vars(hermes_hints.dispatcher), **{name: getattr(hermes_hints, name) for name in hermes_hints.__all__}}
    return {}


@of("python")
def test_python_runs(block, upstream):
    run_python(block, upstream.base_url)

    asked = upstream.log.calls()
    assert bool(asked) == (".create(" in block.text)
    assert all("request_id" in call.record for call in asked)


@of("yaml")
def test_yaml_is_taken_by_what_reads_it(block, tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HINTS_SIGNING_KEY", "at least sixteen bytes")
    settings_blocks.take(block, tmp_path)


SH = [(block, command) for block in ALL if block.language == "sh" for command in commands.split(block.text)]


@pytest.mark.parametrize(("block", "command"), SH, ids=[f"{block} {command}" for block, command in SH])
def test_every_command_is_run(block, command, tmp_path):
    commands.check(block.page, command, tmp_path)


@of("json")
def test_json_is_compared_with_what_is_written(block):
    json.loads(block.text)
    assert Path(block.page).name in text_of(JSON[block.page])


@of("console")
def test_consoles_are_played(block):
    assert 'block.language == "console"' in text_of("tests/cli/test_consoles.py")
    assert block.text.startswith("$ hermes-hints ")


INLINE = [(page, command) for page in pages() for command in commands.inline(prose(text_of(page)))]


@pytest.mark.parametrize(("page", "command"), INLINE, ids=[f"{page} {command}" for page, command in INLINE])
def test_a_command_in_a_sentence_is_one(page, command, capsys):
    commands.understood(command)


BROKEN = {
    "a name that is not there": "```python\nfrom hermes_hints import identfy\n```\n",
    "an argument that is not there": "```python\nfrom hermes_hints import identify\nidentify(user='x')\n```\n",
    "no Python": "```python\ndef f(\n```\n",
    "a misspelt setting": "```yaml\nendpoint: []\n```\n",
    "a profile that is not there": "```yaml\nendpoints:\n  - {match: x.example, profile: nobody}\n```\n",
    "settings in Hermes": "```yaml\nplugins: {entries: {hermes-hints: {settings: {budget: 5}}}}\n```\n",
    "a setting of a hint plugin": "```yaml\nplugins: {entries: {hermes-hints: {settings: {plugins: {local-first: {longest: 5}}}}}}\n```\n",
    "a rule for no field": "```yaml\nrules:\n  - {match: {user: x}, model: y}\n```\n",
    "LiteLLM's configuration": "```yaml\nlitellm_settings: {callback: [hermes_hints]}\n```\n",
    "a command that nothing runs": "```sh\nhermes-hints undo\n```\n",
    "a dispatcher that does not start": "```sh\npython -m hermes_hints.dispatcher --prot 8300\n```\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_noticed(text, upstream, tmp_path):
    (block,) = blocks_in("docs/dispatcher.md", text)
    run = {
        "python": lambda: run_python(block, upstream.base_url),
        "yaml": lambda: settings_blocks.take(block, tmp_path),
        "sh": lambda: commands.check(block.page, block.text.strip(), tmp_path),
    }
    with pytest.raises((AssertionError, ConfigError, ImportError, SyntaxError, ValidationError)):
        run[block.language]()
