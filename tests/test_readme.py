"""What the blocks of the README and of two pages do; that every block is run is held by tests/docs/test_blocks.py."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import openai
import pytest
import yaml

import hermes_hints
from hermes_hints.dispatcher import CallLog, create_app, running
from hermes_hints.hermes.configuration import load_settings
from hermes_hints.rules import parse_rules

CHECKOUT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(file, language):
    return [text for kind, text in BLOCK.findall((CHECKOUT / file).read_text("utf-8")) if kind == language]


@pytest.fixture
def dispatcher():
    log = CallLog()
    with running(create_app(parse_rules("default: local"), log=log)) as base_url:
        yield SimpleNamespace(log=log, base_url=base_url)


def test_the_first_two_commands_are_make_demo_and_make_test_and_ci_runs_both():
    commands = [line.split("#")[0].strip() for line in blocks("README.md", "sh")[0].splitlines()]

    assert commands == ["make demo", "make test"]
    stages = (CHECKOUT / ".ci" / "run").read_text("utf-8")
    for command in commands:
        assert re.search(rf'^stage "[^"]*" {command}$', stages, re.MULTILINE), command


def test_installing_and_using_and_extending_are_as_short_as_promised():
    install = blocks("README.md", "sh")[1]
    client, plugin, *_ = blocks("README.md", "python")

    assert len(install.splitlines()) <= 5
    assert len([line for line in client.splitlines() if line and "import" not in line]) <= 5
    assert len(plugin.splitlines()) <= 10


def test_the_plain_client_reaches_a_dispatcher_attributed(dispatcher, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", dispatcher.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    namespace = {}

    exec(blocks("README.md", "python")[0], namespace)  # noqa: S102 - the block is what is tested

    namespace["client"].close()
    (call,) = dispatcher.log.calls()
    assert {**call.record, "request_id": "any"} == {
        "user_id": "@alice:example.org",
        "chat_id": "!ops",
        "session_id": "s-1",
        "conversation_id": "s-1",
        "request_id": "any",
    }


def test_the_hint_plugin_contributes_from_the_hints_directory(dispatcher, tmp_path):
    (tmp_path / "ops_first.py").write_text(blocks("README.md", "python")[1], "utf-8")
    with openai.OpenAI(base_url=dispatcher.base_url, api_key="none") as client:
        hermes_hints.wrap(client, settings={"hints_directory": tmp_path})
        for room in ("!ops", "!lab"):
            with hermes_hints.identify(chat_id=room):
                client.chat.completions.create(model="local", messages=[{"role": "user", "content": "hi"}])

    hints = [(call.record.get("priority"), call.record.get("ext")) for call in dispatcher.log.calls()]
    assert hints == [("high", {"acme.region": "eu"}), (None, None)]
    assert [(plugin.name, plugin.state) for plugin in hermes_hints.loaded_plugins()] == [("ops_first", "loaded")]


def test_the_other_side_reads_who_and_what(capsys):
    body = {"hermes": {"v": 1, "user_id": "@alice:example.org", "purpose": "main"}}
    namespace = {"headers": {"X-Hermes-User-Intent": "force-cloud"}, "body": body}

    exec(blocks("README.md", "python")[2], namespace)  # noqa: S102 - the block is what is tested

    assert capsys.readouterr().out == "@alice:example.org None main force-cloud\n"


def test_the_settings_are_taken_as_they_stand_in_the_readme():
    (configuration,) = (yaml.safe_load(text) for text in blocks("README.md", "yaml"))

    (endpoint,) = load_settings(configuration).endpoints
    assert (endpoint.match, endpoint.profile, endpoint.privacy) == ("llm.example.org", "dispatcher", "pseudonymous")


def test_the_settings_for_short_forms_are_taken():
    (configuration,) = (yaml.safe_load(text) for text in blocks("docs/hint-command.md", "yaml"))

    settings = load_settings(configuration)
    assert settings.confirm
    assert settings.commands == {"cloud": {"user_intent": "force-cloud"}, "urgent": {"priority": "high"}}


def test_the_dispatchers_rules_and_test_block_work(capsys):
    (rules,) = blocks("docs/dispatcher.md", "yaml")
    assert parse_rules(rules).models == ("local-small", "cloud-large", "local-tiny")

    exec(blocks("docs/dispatcher.md", "python")[0], {})  # noqa: S102 - the block is what is tested
    assert capsys.readouterr().out == "()\n"


@pytest.fixture(autouse=True)
def _no_plugin_modules_left():
    yield
    for module in [module for module in sys.modules if module.startswith("hermes_hints_plugins")]:
        del sys.modules[module]
