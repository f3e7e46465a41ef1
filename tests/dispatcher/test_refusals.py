"""Requests that cannot be answered, in the shape that OpenAI's clients read."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import pytest

from hermes_hints.dispatcher import running
from hermes_hints.rules import parse_rules

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def netloc():
    with running(parse_rules("default: small\n")) as base_url:
        yield urlsplit(base_url).netloc


def ask(netloc, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(netloc, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "body", "param", "said"),
    [
        (CHAT, b"", None, "The body of the request is not JSON: Expecting value"),
        (CHAT, b"{", None, "is not JSON"),
        (CHAT, b"\xff\xfe\x00", None, "is not JSON"),
        (CHAT, b"[" * 100_000, None, "is not JSON: it is nested too deeply"),
        (CHAT, b"[]", None, "must be a JSON object, not list"),
        (CHAT, b'{"messages": []}', "model", "'model' must be a text, not NoneType"),
        (CHAT, b'{"model": 4, "messages": []}', "model", "'model' must be a text, not int"),
        (CHAT, b'{"model": "m"}', "messages", "'messages' must be a list of messages, not NoneType"),
        (CHAT, b'{"model": "m", "messages": "hi"}', "messages", "not str"),
        ("/v1/responses", b'{"model": "m"}', "input", "'input' must be a text or a list"),
        ("/v1/completions", b'{"model": "m", "prompt": 1}', "prompt", "'prompt' must be a text or a list, not int"),
        ("/v1/embeddings", b'{"model": "m", "input": null}', "input", "'input' must be a text or a list"),
    ],
)
def test_bad_requests(netloc, path, body, param, said):
    status, answer, headers = ask(netloc, "POST", path, body)
    assert status == 400
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == "invalid_request_error"
    assert answer["error"]["param"] == param
    assert said in answer["error"]["message"]
    assert headers["X-Hermes-Hints"] == "v=1"


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [None, 4, [], {"role": "user", "content": [{"text": 4}, None]}]},
        {"messages": [], "stream_options": "yes", "stream": "yes"},
        {"messages": [], "metadata": {"hermes_user_id": {"a": 1}}, "hermes": {"user_id": ["x"], "ext": 4}},
        {"messages": [], "response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}},
        {
            "messages": [],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"schema": {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}}},
            },
        },
        {"messages": [], "response_format": {"type": "json_schema", "json_schema": 4}},
    ],
)
def test_odd_but_harmless_requests_are_answered(netloc, body):
    status, answer, _ = ask(netloc, "POST", CHAT, json.dumps({"model": "m", **body}))
    assert status == 200
    assert answer["model"] == "small"


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("POST", "/v1/images/generations"), ("GET", "/v1")])
def test_unknown_path(netloc, method, path):
    status, answer, headers = ask(netloc, method, path)
    assert status == 404
    assert answer["error"]["type"] == "invalid_request_error"
    assert f"There is no {method} {path} here" in answer["error"]["message"]
    assert "LiteLLM" in answer["error"]["message"]
    assert headers["X-Hermes-Hints"] == "v=1"


def test_wrong_method(netloc):
    status, answer, headers = ask(netloc, "GET", CHAT)
    assert status == 405
    assert "this method is not allowed here" in answer["error"]["message"]
    assert headers["Allow"] == "POST"


def test_a_name_that_is_no_name_is_not_this_machine(netloc):
    assert ask(netloc, "GET", "/calls", headers={"Host": "[nonsense"})[0] == 403


def test_a_megabyte_of_hint_is_left_out_and_the_request_answered(netloc):
    body = {"model": "m", "messages": [], "hermes": {"user_intent": "x" * 1_000_000}}
    status, answer, _ = ask(netloc, "POST", CHAT, json.dumps(body))
    assert (status, answer["model"]) == (200, "small")


def test_a_rule_refuses_with_its_own_text():
    rules = "default: small\nrules:\n  - {match: {user_id: guest}, reject: Guests have no model here.}\n"
    with running(parse_rules(rules)) as base_url:
        where = urlsplit(base_url).netloc
        asked = b'{"model": "m", "messages": [], "hermes": {"user_id": "guest"}}'
        status, answer, _ = ask(where, "POST", CHAT, asked)
        assert (status, answer["error"]["message"]) == (403, "Guests have no model here.")
        assert answer["error"]["type"] == "permission_error"
        assert ask(where, "POST", CHAT, b'{"model": "m", "messages": []}')[0] == 200
