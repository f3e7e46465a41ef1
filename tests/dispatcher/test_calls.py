"""What the dispatcher keeps of the calls it saw, where, and what it never keeps."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import logging
import stat
from urllib.parse import urlsplit

import pytest
from openai import OpenAI

from hermes_hints import wrap
from hermes_hints.dispatcher import CallLog, LoggedCall, create_app, running
from hermes_hints.errors import ConfigError
from hermes_hints.rules import parse_rules

RULES = parse_rules("default: small\nrules:\n  - {name: ours, match: {user_id: alice}, model: large}\n")
SAID = [{"role": "user", "content": "a private question"}]
ALICE = {"hermes": {"user_id": "alice", "labels": ["a", "b"], "call": 2, "ext": {"acme.beta": True}}}
EXPECTED = {
    "api": "chat.completions",
    "asked_model": "m",
    "chosen_model": "large",
    "rule": "ours",
    "reason": "user_id is 'alice'",
    "record": {"user_id": "alice", "call": 2, "labels": ["a", "b"], "ext": {"acme.beta": True}},
    "streamed": False,
    "status": 200,
    "signature": None,
}


def get(base_url, path, method="GET", body=None, **headers):
    """One bare request, so that every header is in the test's hands; the status and the text of the answer."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def a_call(number=0):
    return LoggedCall("responses", "m", f"model {number}", "default", "no rule matched", {}, streamed=False, status=200)


def test_call_is_kept_in_memory_in_the_file_and_shown(tmp_path):
    file = tmp_path / "calls.jsonl"
    log = CallLog(file)
    with (
        running(create_app(RULES, log=log)) as base_url,
        OpenAI(base_url=base_url, api_key="k", max_retries=0) as client,
    ):
        client.chat.completions.create(model="m", messages=SAID, extra_body=ALICE)
        list(client.responses.create(model="m", input="hi", stream=True))
        status, shown = get(base_url, "/calls")

    kept = [call.json() for call in log.calls()]
    assert status == 200
    assert json.loads(shown)["calls"] == kept
    assert [json.loads(line) for line in file.read_text().splitlines()] == kept
    when = dt.datetime.fromisoformat(kept[0].pop("time"))
    assert abs(dt.datetime.now(dt.UTC) - when) < dt.timedelta(minutes=1)
    assert kept[0] == EXPECTED
    assert (kept[1]["api"], kept[1]["rule"], kept[1]["streamed"]) == ("responses", "default", True)


def test_neither_keys_nor_messages_are_kept_or_logged(tmp_path, caplog):
    file = tmp_path / "calls.jsonl"
    caplog.set_level(logging.DEBUG)
    with running(create_app(RULES, log=CallLog(file))) as base_url:
        body = json.dumps({"model": "m", "messages": SAID, **ALICE})
        secrets = {"Authorization": "Bearer sk-very-secret", "api-key": "sk-very-secret", "Cookie": "sk-very-secret"}
        status, _ = get(base_url, "/v1/chat/completions?key=sk-very-secret", "POST", body, **secrets)
        shown = get(base_url, "/calls")[1]
    assert status == 200
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith(("hermes", "uvicorn")))
    for place in (shown, file.read_text(), ours):
        assert "very-secret" not in place
        assert "private question" not in place
    assert "alice" not in ours


def test_list_is_bounded_and_counts_on(tmp_path):
    log = CallLog(tmp_path / "all.jsonl", limit=3)
    for number in range(5):
        log.add(a_call(number))
    assert [call.chosen_model for call in log.calls()] == ["model 2", "model 3", "model 4"]
    assert log.seen == 5
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 5


def test_file_is_added_to_and_is_its_owners_alone(tmp_path):
    file = tmp_path / "calls.jsonl"
    CallLog(file).add(a_call())
    CallLog(file).add(a_call())
    assert len(file.read_text().splitlines()) == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_file_that_cannot_be_written_is_refused_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"log is '.*none/calls', which cannot be written \(No such file"):
        CallLog(tmp_path / "none" / "calls")
    with pytest.raises(ConfigError, match="limit is 0; the log keeps at least 1 call"):
        CallLog(limit=0)


def test_file_that_goes_bad_later_costs_one_warning_and_no_call(tmp_path, caplog):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = CallLog(folder / "calls.jsonl")
    (folder / "calls.jsonl").unlink()
    folder.rmdir()
    log.add(a_call())
    log.add(a_call())
    assert len(log.calls()) == 2
    assert len(caplog.records) == 1
    assert "can no longer be written (" in caplog.text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8300", 200),
        ("[::1]:8300", 200),
        ("evil.example.org", 403),
        ("127.0.0.1.evil.example.org", 403),
        ("192.168.1.1", 403),
    ],
)
def test_calls_are_shown_only_to_who_asks_this_machine_by_its_own_name(host, status):
    log = CallLog()
    log.add(a_call())
    with running(create_app(RULES, log=log)) as base_url:
        found, shown = get(base_url, "/calls", Host=host)
    assert found == status
    assert ("model 0" in shown) == (status == 200)


def test_requests_that_are_refused_are_kept_too():
    log = CallLog()
    with running(create_app(RULES, log=log)) as base_url:
        get(base_url, "/v1/chat/completions", "POST", "{", **{"X-Hermes-User-Id": "alice"})
    (call,) = log.calls()
    assert (call.status, call.chosen_model, call.rule, call.record) == (400, None, None, {"user_id": "alice"})


def test_a_call_stays_small_whatever_is_asked():
    log = CallLog()
    with running(create_app(RULES, log=log)) as base_url:
        body = {
            "model": "m" * 100_000,
            "messages": [],
            "hermes": {"user_id": "u" * 100_000, "user_intent": "x" * 100_000},
        }
        assert get(base_url, "/v1/chat/completions", "POST", json.dumps(body))[0] == 200
    assert len(json.dumps(log.calls()[0].json())) < 2_000


def test_front_page_says_what_this_is_and_what_the_rules_are():
    with running(RULES) as base_url:
        status, page = get(base_url, "/")
    assert status == 200
    assert "for trying, testing and inspecting" in page
    assert "For production use LiteLLM" in page
    assert base_url in page
    assert "ours: user_id is 'alice' -> large" in page
    assert "default -> small" in page


KEY = "a key that two programs share"


@pytest.mark.parametrize(
    ("signing_key", "model", "signature"),
    [(KEY, "large", "valid"), ("a key that somebody made up", "small", "forged"), (None, "small", "missing")],
)
def test_with_a_key_only_signed_hints_count(signing_key, model, signature):
    log = CallLog()
    settings = {"signing_key": signing_key} if signing_key else {}
    with (
        running(create_app(RULES, log=log, key=KEY)) as base_url,
        OpenAI(base_url=base_url, api_key="k", max_retries=0) as client,
    ):
        wrap(client, identity={"user_id": "alice"}, settings=settings).chat.completions.create(model="m", messages=SAID)

    (call,) = log.calls()
    assert (call.chosen_model, call.signature) == (model, signature)
    assert call.record.get("user_id") == ("alice" if signature == "valid" else None)
