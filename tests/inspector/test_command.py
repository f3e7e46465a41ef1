"""The command: what it prints, what it stores, and what it refuses."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from passing_calls import ANN, KEY, MARK_UP, WEEK, answered, ask, wait_until
from upstream import Upstream

from hermes_hints.cli import main

COMMAND = [sys.executable, "-m", "hermes_hints.cli", "inspect"]
RECORD = {**ANN, **WEEK, "purpose": "main"}


@pytest.fixture
def upstream():
    with Upstream() as running:
        running.rules.append(answered)
        yield running


@pytest.fixture
def start(upstream, tmp_path):
    """Start the command; its process and the base URL that it says."""
    started = []

    def start(*arguments, **options):
        ports = ("--port", "0", "--page-port", "0")
        environment = {
            **os.environ,
            "HERMES_HOME": str(tmp_path),
            "TERM": "xterm-256color",
            "COLUMNS": "200",
            "LINES": "30",
        }
        process = subprocess.Popen(
            [*COMMAND, "--upstream", upstream.base_url, *ports, *arguments],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment, "text": True, **options},
        )
        started.append(process)
        if "stdout" in options:
            return process
        ready = process.stderr.readline()
        assert "ready: " in ready, ready
        return process, ready.split()[2]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_lines_for_people_where_the_output_is_no_terminal(start):
    process, base_url = start()
    ask(base_url, {**RECORD, "user_name": MARK_UP + "\x1b[2J"}, "local-small", {"asks": "read_file"})
    line = process.stdout.readline()
    assert "\x1b" not in line
    for part in (
        "<img src=x",
        "Ops",
        WEEK["session_id"],
        "main",
        "local-small",
        "local-small-2026-11",
        "200",
        "1200+84",
        "full",
    ):
        assert part in line
    process.terminate()
    assert process.wait(20) == 0


def test_json_for_programs_and_an_interrupt_is_no_failure(start):
    process, base_url = start("--json")
    ask(base_url, RECORD, "local-small", {})
    told = json.loads(process.stdout.readline())
    assert (told["number"], told["arrived"]["record"]["user_id"], told["answered"]["status"]) == (
        1,
        ANN["user_id"],
        200,
    )
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_table_in_a_terminal(start):
    ours, theirs = pty.openpty()
    shown = []
    reading = threading.Thread(target=lambda: shown.extend(iter(lambda: _read(ours), b"")), daemon=True)
    reading.start()
    process = start(stdout=theirs)
    os.close(theirs)
    wait_until(lambda: re.search(rb"(http\S+) passes on to", b"".join(shown)))
    base_url = re.search(rb"(http\S+) passes on to", b"".join(shown))[1].decode()
    ask(base_url, {**RECORD, "user_name": "[red]Ann[/red]\x1b[2J"}, "local-small", {})
    wait_until(lambda: b"local-smal" in b"".join(shown))
    process.terminate()
    assert process.wait(20) == 0
    reading.join(20)
    text = b"".join(shown).decode()
    for part in ("person", "served", "passes on to", "[red]Ann", "Ops", "full"):
        assert part in text
    assert "\x1b[2J" not in text
    assert "\x1b[?25h" in text[text.rindex("full") :]  # the cursor is back


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


def test_nothing_is_stored_unless_it_is_told_to(start, tmp_path):
    before = set(tmp_path.rglob("*"))
    process, base_url = start()
    ask(base_url, RECORD, "local-small", {})
    process.stdout.readline()
    process.terminate()
    process.wait(20)
    assert set(tmp_path.rglob("*")) == before


def test_a_record_of_calls_is_for_its_owner_and_holds_no_key_and_no_message(start, tmp_path):
    file = tmp_path / "calls.jsonl"
    process, base_url = start("--record", str(file))
    ask(base_url, {**RECORD, "user_id": KEY}, "local-small", {"asks": "read_file"})
    ask(base_url, {}, "local-small", {"carry": "nothing"})
    process.stdout.readline(), process.stdout.readline()
    text = file.read_text()
    assert [json.loads(line)["number"] for line in text.splitlines()] == [1, 2]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    process.terminate()
    out, errors = process.communicate(timeout=20)
    for secret in (KEY, "a secret message", "a caller's own value"):
        assert secret not in text + out + errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "host is '0.0.0.0', which is not a loopback address"),
        (["--host", "192.168.1.4"], "which is not a loopback address"),
        (["--port", "70000"], "--port is 70000, which cannot be had"),
        (["--port", "0", "--page-port", "70000"], "--page-port is 70000, which cannot be had"),
        (["--keep", "0"], "--keep: is 0; keep from 1 to 10000 calls"),
        (["--record", "{tmp}/none/calls"], "--record: {tmp}/none/calls cannot be written"),
        (["--record", "{tmp}/open"], "--record: {tmp}/open may be read by others, and will hold names; chmod 600"),
        (["--upstream", "https://ann:geheim@llm.example.org/v1"], "--upstream: holds credentials; leave it out"),
        (["--upstream", "https://llm.example.org/v1?key=geheim"], "--upstream: holds a query or fragment"),
        (["--upstream", "ftp://llm.example.org"], "--upstream: is no http or https URL"),
        (["--upstream", "llm.example.org"], "--upstream: is no http or https URL"),
    ],
)
def test_a_mistake_is_named_and_nothing_starts(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    (tmp_path / "open").touch(0o644)
    (tmp_path / "open").chmod(0o644)
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    assert main(["inspect", "--upstream", "http://127.0.0.1:9/v1", *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said.format(tmp=tmp_path) in err
    assert "geheim" not in err
    assert len(err.splitlines()) == 1


LESS = [
    ([], "https://llm.example.org/v1", "'off', privacy: raw}"),
    ([{"match": "llm.example.org", "profile": "openai", "privacy": "pseudonymous"}], "https://llm.example.org/v1", "openai, privacy: pseudonymous}"),
    ([{"match": "127.0.0.1:9", "profile": "headers"}], "http://127.0.0.1:9/v1", "headers, privacy: raw}"),
]  # fmt: skip


@pytest.mark.parametrize(("endpoints", "upstream_url", "said"), LESS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_does_not_stand_before_an_endpoint_that_may_have_less(
    capsys, tmp_path, monkeypatch, endpoints, upstream_url, said, host
):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    (tmp_path / "settings.json").write_text(json.dumps({"endpoints": endpoints}))
    asked = ["inspect", "--upstream", upstream_url, "--settings", str(tmp_path / "settings.json")]
    assert main([*asked, "--host", host, "--port", "8400"]) == 2
    out, err = capsys.readouterr()
    place = "127.0.0.1:8400" if host == "127.0.0.1" else "[::1]:8400"
    assert out == ""
    assert f'{{match: "{place}", profile: {said}' in err


def test_it_stands_there_where_clients_are_told_to_send_it_no_more(upstream, tmp_path, start):
    entry = {"match": "127.0.0.1", "profile": "headers"}
    (tmp_path / "settings.json").write_text(json.dumps({"endpoints": [entry]}))
    process, base_url = start("--settings", str(tmp_path / "settings.json"))
    ask(base_url, RECORD, "local-small", {})
    assert process.stdout.readline()


@pytest.mark.parametrize("missing", ["httpcore", "rich", "starlette", "uvicorn"])
def test_a_missing_extra_is_named_with_the_command(missing, tmp_path):
    script = f"import sys; sys.modules[{missing!r}] = None; from hermes_hints.cli import main; sys.exit(main(['inspect', '--upstream', 'http://127.0.0.1:9']))"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HERMES_HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"hermes-hints: the inspector needs {missing}: pip install 'hermes-hints[inspect]'\n"


def test_the_other_commands_bring_none_of_it_along(tmp_path):
    script = "import sys; from hermes_hints.cli import main; main(['list']); print(sorted({'httpcore', 'rich', 'starlette', 'uvicorn'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, "HERMES_HOME": str(tmp_path)})  # fmt: skip
    assert ran.stdout.splitlines()[-1] == "[]"
