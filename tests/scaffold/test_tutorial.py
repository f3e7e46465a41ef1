"""docs/tutorial.md is the way from nothing to a hint seen at the dispatcher: every command and block of it, in order."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

import hermes_hints
from hermes_hints import plugins
from hermes_hints.hermes.configuration import admission, load_settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tutorial.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOOK = re.compile(r"^@hookimpl\n.*?(?=^\n\n)", re.MULTILINE | re.DOTALL)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def blocks():
    """The blocks of each language, with a port that is free."""
    page = PAGE.replace("8300", str(free_port()))
    found = BLOCK.findall(page)
    return {kind: [text for known, text in found if known == kind] for kind, _ in found}


@pytest.fixture
def shell(tmp_path):
    """Run commands as they stand, where the package and pytest are installed already."""
    programs = tmp_path / "bin"
    programs.mkdir()
    fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[2]).read().decode())"
    shims = {
        "python3": 'mkdir -p "$3/bin" && : > "$3/bin/activate"\n',
        "python": f'[ "$2" = pip ] && exit\nexec {sys.executable} "$@"\n',
        "hermes-hints": f'exec {sys.executable} -m hermes_hints.cli "$@"\n',
        "curl": f'exec {sys.executable} -c "{fetch}" "$@"\n',
    }
    for name, script in shims.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}", "utf-8")
        (programs / name).chmod(0o755)
    here = tmp_path / "here"
    here.mkdir()
    told = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HERMES_HOME": str(tmp_path / "home"),
        "PYTEST_PLUGINS": "hermes_hints.testing.pytest_plugin",
        "PYTHONUNBUFFERED": "1",
    }

    def shell(script):
        return subprocess.Popen(
            ["sh", "-ec", script],
            cwd=here,
            env={**os.environ, **told},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    shell.here = here
    shell.home = tmp_path / "home"
    return shell


def ran(started):
    output, _ = started.communicate(timeout=300)
    assert started.returncode == 0, output
    return output


def test_the_tutorial(shell, blocks):
    commands, code, settings = blocks["sh"], blocks["python"], blocks["yaml"]
    install_and_write, serve, ask, test, move = commands
    hook, client, tests = code
    rules, configuration = settings

    assert ran(shell(install_and_write)) == blocks["text"][0]

    module = shell.here / "hints" / "ops-first" / "__init__.py"
    changed, count = HOOK.subn(lambda _: hook, module.read_text("utf-8"))
    assert count == 1
    module.write_text(changed, "utf-8")
    (shell.here / "rules.yaml").write_text(rules, "utf-8")
    (shell.here / "ask.py").write_text(client, "utf-8")
    dispatcher = shell(f"exec {serve}")
    watchdog = threading.Timer(120, dispatcher.kill)
    watchdog.start()
    try:
        assert dispatcher.stdout.readline().startswith("Ready at")
        (call,) = json.loads(ran(shell(ask)))["calls"]
    finally:
        watchdog.cancel()
        dispatcher.terminate()
        dispatcher.communicate(timeout=60)
    shown = json.loads(blocks["json"][0])
    shown["record"]["request_id"] = call["record"]["request_id"]
    assert {key: call[key] for key in shown} == shown

    (module.parent / "tests" / "test_ops_first.py").write_text(tests, "utf-8")
    own, conformance = map(int, re.findall(r"(\d+) passed", ran(shell(test))))
    assert (own, conformance > 40) == (2, True)

    ran(shell(move))
    config = yaml.safe_load(configuration)
    settings = load_settings(config).model_copy(update={"hints_directory": shell.home / "hints"})
    plugins.registry.load(settings, admission(config))
    assert [(plugin.name, plugin.state) for plugin in hermes_hints.loaded_plugins()] == [("ops-first", "loaded")]


def test_it_takes_ten_lines_of_your_own(blocks):
    hook, client, _ = blocks["python"]
    own = [line for line in (hook + client).splitlines() if line.strip()]

    assert len(own) <= 10
