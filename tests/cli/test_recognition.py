"""What answers at an endpoint is told by GETs that say nothing of anybody."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from upstream import Answer, Received, Upstream

from hermes_hints.cli.recognition import recognise, recognise_all
from hermes_hints.endpoints import parse_endpoint

NOT_FOUND = Answer(404, {"detail": "Not Found"})


def models(owner: str) -> Answer:
    return Answer(content={"object": "list", "data": [{"id": "m", "object": "model", "owned_by": owner}]})


# What each of them really answers: LiteLLM 1.106 run with and without a key; api_server of Hermes 0.19 and 0.22 by its
# source; vLLM, llama.cpp, Ollama and SGLang by their documentation and source.
PROGRAMS = {
    "LiteLLM": {"/v1/models": models("openai"), "/health/liveliness": Answer(content="I'm alive!")},
    "LiteLLM that wants a key": {"/v1/models": Answer(401, {}), "/health/liveliness": Answer(content="I'm alive!")},
    "Hermes": {"/v1/models": models("hermes")},
    "Hermes that wants a key": {
        "/v1/models": Answer(401, {"error": {"message": "Invalid API key"}}),
        "/v1/health": Answer(content={"status": "ok", "platform": "hermes-agent", "version": "0.19.0"}),
    },
    "vLLM": {"/v1/models": models("vllm")},
    "vLLM that wants a key": {"/v1/models": Answer(401, {}), "/version": Answer(content={"version": "0.11.0"})},
    "llama.cpp": {"/v1/models": models("llamacpp")},
    "llama.cpp that is loading": {"/v1/models": Answer(503, {"error": {}}, {"server": "llama.cpp"})},
    "Ollama": {"/v1/models": models("library")},
    "Ollama without models": {
        "/v1/models": Answer(content={"object": "list", "data": None}),
        "/api/version": Answer(content={"version": "0.12.3"}),
    },
    "SGLang": {"/v1/models": models("sglang")},
}


def playing(upstream: Upstream, answers: dict[str, Answer]) -> None:
    def answer(request: Received) -> Answer:
        assert request.path != "/health", "LiteLLM answers that by calling every model it has"
        return answers.get(request.path, NOT_FOUND)

    upstream.rules.append(answer)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_recognised_by_what_it_answers(upstream, program):
    playing(upstream, PROGRAMS[program])

    found = recognise(parse_endpoint(upstream.base_url))

    assert found.kind == program.split(" ")[0]
    assert not found.reads_hints


def test_a_receiver_that_reads_hints_says_so(upstream):
    playing(upstream, {"/v1/models": Answer(content={"data": []}, headers={"X-Hermes-Hints": "v=1"})})

    found = recognise(parse_endpoint(upstream.base_url))

    assert found.reads_hints
    assert found.kind is None
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/v1/models": models("somebody")},
        {"/v1/models": Answer(content=b"<html>not JSON"), "/version": Answer(content={"version": "1", "build": "x"})},
        {"/v1/models": Answer(content=[1, "two", None]), "/v1/health": Answer(content={"status": "ok"})},
        {"/v1/models": Answer(content={"data": ["text", {"owned_by": 5}, None]})},
        {"/v1/models": Answer(content=b"[" * 100_000)},
    ],
)
def test_anything_else_is_not_recognised(upstream, answers):
    playing(upstream, answers)

    found = recognise(parse_endpoint(upstream.base_url))

    assert found.kind is None
    assert "GET /v1/models" in found.detail


def test_the_questions_carry_nothing_of_ours_and_no_key(upstream):
    playing(upstream, {})

    recognise(parse_endpoint(upstream.base_url))

    assert len(upstream.received) == 5
    for request in upstream.received:
        assert request.method == "GET"
        assert request.body == b""
        assert {name.lower() for name, _ in request.pairs} == {"host", "accept-encoding"}
        assert b"hermes" not in request.head.lower()


def test_a_key_goes_with_the_list_of_models_alone(upstream):
    playing(upstream, {})

    recognise(parse_endpoint(upstream.base_url), "sk-own")

    assert [request.header("authorization") for request in upstream.received] == [
        "Bearer sk-own",
        None,
        None,
        None,
        None,
    ]


def test_a_key_that_no_header_can_hold_is_not_told(upstream):
    found = recognise(parse_endpoint(upstream.base_url), "sk-secret\r\nX-Evil: 1")

    assert found.kind is None
    assert "secret" not in found.detail
    assert upstream.received == []


def test_a_redirect_is_not_followed(upstream):
    upstream.rules.append(lambda _: Answer(307, b"", {"location": "http://llm.example.org/v1/models"}))

    assert recognise(parse_endpoint(upstream.base_url)).detail == "answered 307 to GET /v1/models"


def test_an_endpoint_below_a_path_is_asked_below_it(upstream):
    playing(upstream, {"/llm/health/liveliness": Answer(content="I'm alive!")})

    assert recognise(parse_endpoint(f"{upstream.origin}/llm/v1/")).kind == "LiteLLM"
    assert upstream.received[0].path == "/llm/v1/models"


def test_nothing_that_answers_is_said_with_its_cause():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    found = recognise(parse_endpoint(f"http://127.0.0.1:{port}/v1"))

    assert found.kind is None
    assert "refused" in found.detail


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/v1", "", "http:///v1", "not a url"])
def test_what_is_no_http_url_is_not_asked(url):
    assert recognise(parse_endpoint(url)).detail == "not asked: it is no http URL"


@pytest.mark.parametrize("path", ["/v1 with blanks", "/ümlaut", "/control\x01"])
def test_a_path_that_no_request_can_hold_is_no_answer(upstream, path):
    assert "does not answer" in recognise(parse_endpoint(upstream.origin + path)).detail


def test_endpoints_that_never_answer_are_waited_for_once_and_together():
    silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
    try:
        urls = [f"http://127.0.0.1:{listener.getsockname()[1]}/v1" for listener in silent]
        started = time.monotonic()

        found = recognise_all([(parse_endpoint(url), None) for url in urls])

        # One after the other they would take six times a second and a half.
        assert time.monotonic() - started < 6
        assert ["does not answer" in one.detail for one in found] == [True] * 6
    finally:
        for listener in silent:
            listener.close()


def test_an_endless_answer_is_left():
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not stop.wait(0.2):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        started = time.monotonic()
        found = recognise(parse_endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/v1"))
        stop.set()
        thread.join()

    assert found.kind is None
    assert time.monotonic() - started < 8
