"""Starting and stopping: on loopback only, on a port that is free, and saying so."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest
from openai import OpenAI

from hermes_hints.dispatcher import Reply, create_app, running
from hermes_hints.dispatcher.__main__ import main
from hermes_hints.errors import ConfigError
from hermes_hints.rules import parse_rules

RULES = parse_rules("default: small\n")
SAID = [{"role": "user", "content": "hi"}]
COMMAND = [sys.executable, "-m", "hermes_hints.dispatcher"]


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.4", "8.8.8.8", "example.org", "", "127.0.0.1.example.org"]
)
def test_other_hosts_than_loopback_are_refused(host):
    with (
        pytest.raises(ConfigError, match=r"host is '.*', which is not a loopback address; use 127\.0\.0\.1\..*LiteLLM"),
        running(RULES, host=host),
    ):
        pass


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")]
)
def test_loopback_by_any_name(host, shown):
    with running(RULES, host=host) as base_url:
        assert urlsplit(base_url).hostname == shown
        with OpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
            assert client.models.list().data[0].id == "small"


def test_port_that_is_taken_or_is_none():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"port is {port}, which cannot be had on 127\.0\.0\.1 \(Address already"
        ):
            running(RULES, port=port).__enter__()
    with pytest.raises(ConfigError, match="port is 70000, which cannot be had"):
        running(RULES, port=70000).__enter__()


def test_several_run_side_by_side_and_stop_for_good():
    with running(RULES) as first, running(parse_rules("default: other\n")) as second:
        for base_url, model in ((first, "small"), (second, "other")):
            with OpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
                assert client.chat.completions.create(model="m", messages=SAID).model == model
    for base_url in (first, second):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(base_url).port), timeout=5)
    assert not [thread for thread in threading.enumerate() if thread.name == "hermes-hints-dispatcher"]


def test_stops_when_the_block_fails():
    def fail(base_url):
        raise KeyError(base_url)

    with pytest.raises(KeyError) as caught, running(create_app(RULES, respond=lambda _: Reply("hi"))) as base_url:
        fail(base_url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(caught.value.args[0]).port), timeout=5)


@pytest.fixture
def start():
    started = []

    def run(*arguments):
        process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def post(base_url, body):
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=10)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_program_says_in_one_line_where_it_is_and_what_it_is_for(start):
    process = start("--port", "0")
    line = process.stdout.readline()
    base_url = line.split()[2]
    assert line.startswith("Ready at http://127.0.0.1:")
    assert "for trying, testing and inspecting" in line
    assert "For production use LiteLLM" in line
    answer = post(base_url, {"model": "m", "messages": SAID, "hermes": {"user_intent": "force-cloud"}})
    assert answer["model"] == "cloud-large"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_program_with_rules_and_log(start, tmp_path):
    rules, log = tmp_path / "rules.yaml", tmp_path / "calls.jsonl"
    rules.write_text("default: a\nrules:\n  - {name: bob's, match: {user_id: bob}, model: b}\n")
    process = start("--port", "0", "--rules", str(rules), "--log", str(log))
    base_url = process.stdout.readline().split()[2]
    assert post(base_url, {"model": "m", "messages": SAID, "hermes": {"user_id": "bob"}})["model"] == "b"
    assert json.loads(log.read_text())["rule"] == "bob's"
    process.terminate()
    process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "host is '0.0.0.0', which is not a loopback address"),
        (["--rules", "{tmp}/none.yaml"], "none.yaml' cannot be read"),
        (["--rules", "{tmp}/bad.yaml"], "bad.yaml, line 2: the rule file has no field 'ruels'; did you mean 'rules'?"),
        (["--log", "{tmp}/none/calls"], "which cannot be written"),
        (["--port", "99999"], "port is 99999, which cannot be had"),
    ],
)
def test_program_names_the_mistake_and_stops(capsys, tmp_path, arguments, said):
    (tmp_path / "bad.yaml").write_text("default: a\nruels: []\n")
    assert main([argument.format(tmp=tmp_path) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "yaml"])
def test_missing_extra_is_named(missing):
    script = f"import sys; sys.modules[{missing!r}] = None; import hermes_hints.dispatcher"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert f"needs {missing}: pip install 'hermes-hints[dispatcher]'" in ran.stderr


def test_command_reads_the_key_for_signatures_from_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("HERMES_HINTS_SIGNING_KEY", "too short")

    assert main(["--port", "0"]) == 2

    told = capsys.readouterr().err
    assert "key: is 9 bytes long; give at least 16" in told
    assert "too short" not in told
