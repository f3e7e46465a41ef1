"""Everything passes as it is: bytes, headers, statuses, streams as they come, and the going away of either side."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading

import httpx
import pytest
from passing_calls import ended, inspecting, wait_until
from raw_upstream import RawUpstream, connected, raw_upstream, read_all, read_head
from upstream import Answer, Upstream

CHAT = "/chat/completions"
HINTED = b'{"model":"m",  "messages":[],\n"hermes":{"v":1,"user_id":"ann"} ,"x":1e2}'


@pytest.fixture
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture
def inspector(upstream):
    with inspecting(upstream) as running:
        yield running


@pytest.fixture
def client(inspector):
    with httpx.Client(base_url=inspector.base_url, timeout=60) as running:
        yield running


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["/models", "/files/a%2Fb%20c?limit=1&x=%2B+", "/../x//y;z=1"])
def test_any_method_and_any_path(upstream, inspector, method, path):
    with connected(inspector.base_url) as connection:
        connection.sendall(f"{method} /v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        read_all(connection)
    assert upstream.only.head.split(b"\r\n")[0] == f"{method} /v1{path} HTTP/1.1".encode()


def test_the_body_arrives_byte_for_byte(client, upstream):
    client.post(CHAT, content=HINTED, headers={"content-type": "application/json"})
    assert upstream.only.body == HINTED
    assert upstream.only.header("content-length") == str(len(HINTED))
    assert upstream.only.header("transfer-encoding") is None


def test_a_body_in_chunks_stays_one(client, upstream):
    client.post(CHAT, content=iter([HINTED[:10], HINTED[10:]]))
    assert upstream.only.body == HINTED
    assert upstream.only.header("transfer-encoding") == "chunked"
    assert upstream.only.header("content-length") is None


def test_a_large_body_passes_and_is_not_kept(client, upstream, inspector):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 40_000_000}]}).encode()
    client.post(CHAT, content=body)
    assert hashlib.sha256(upstream.only.body).digest() == hashlib.sha256(body).digest()
    (call,) = ended(inspector, 1)
    assert call.arrived.bytes == len(body)
    assert call.arrived.model is None  # it is too long to be read


def test_headers_pass_both_ways_without_those_of_the_connection(client, upstream):
    upstream.queue.append(
        Answer(
            418,
            b"short",
            {"X-Two": "2", "set-cookie": "a=b", "Keep-Alive": "timeout=5", "Connection": "x-gone", "X-Gone": "1"},
        )
    )
    sent = {
        "authorization": "Bearer k", "cookie": "c=d", "x-hermes-user-id": "Jos%C3%A9", "te": "trailers", "upgrade": "h2c",
        "connection": "x-mine", "x-mine": "1", "proxy-authorization": "Basic eA==", "accept-encoding": "br",
    }  # fmt: skip
    answer = client.get("/models", headers=sent)
    arrived = {name.lower(): value for name, value in upstream.only.pairs}
    assert (
        arrived.items()
        >= {
            "authorization": "Bearer k",
            "cookie": "c=d",
            "x-hermes-user-id": "Jos%C3%A9",
            "accept-encoding": "br",
        }.items()
    )
    assert not arrived.keys() & {
        "te",
        "upgrade",
        "connection",
        "x-mine",
        "proxy-authorization",
        "x-forwarded-for",
        "via",
    }
    assert arrived["host"] == upstream.origin.removeprefix("http://")
    assert (answer.status_code, answer.content) == (418, b"short")
    assert answer.headers.items() >= {("x-two", "2"), ("set-cookie", "a=b"), ("x-request-id", "req_1")}
    assert not answer.headers.keys() & {"keep-alive", "connection", "x-gone", "server", "date"}


def test_a_compressed_answer_is_not_touched_and_its_model_is_read(upstream, inspector):
    packed = gzip.compress(b'{"model": "served", "usage": {"prompt_tokens": 7, "completion_tokens": 3}}')
    upstream.queue.append(Answer(200, packed, {"content-type": "application/json", "content-encoding": "gzip"}))
    with httpx.stream("POST", inspector.base_url + CHAT, content=HINTED) as answer:
        assert b"".join(answer.iter_raw()) == packed
    (call,) = ended(inspector, 1)
    assert (call.answered.model, call.answered.tokens_read, call.answered.tokens_written) == ("served", 7, 3)


def test_a_redirect_is_the_client_s_to_follow(client, upstream):
    upstream.queue.append(Answer(307, b"", {"location": "http://127.0.0.1:1/elsewhere"}))
    answer = client.post(CHAT, content=HINTED)
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:1/elsewhere")
    assert len(upstream.received) == 1


def test_an_error_is_the_endpoint_s_own(client, upstream, inspector):
    upstream.queue.append(Answer(429, {"error": {"message": "slowly"}}, {"retry-after": "3"}))
    answer = client.post(CHAT, content=HINTED)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (
        429,
        "3",
        {"error": {"message": "slowly"}},
    )
    (call,) = ended(inspector, 1)
    assert (call.answered.status, call.answered.state) == (429, "done")


def test_each_piece_of_a_stream_is_passed_on_before_the_next_one_comes():
    pieces = [
        b'data: {"model": "served"}\n\n',
        b": comment\n\n",
        b"data: half of ",
        b"an event\n\n",
        b"data: [DONE]\n\n",
    ]
    taken = threading.Semaphore(0)

    def talk(connection, _rest):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in pieces:
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            assert taken.acquire(timeout=30)  # held back here, it would never come
        connection.sendall(b"0\r\n\r\n")

    with raw_upstream(talk) as upstream, inspecting(upstream) as inspector:
        with httpx.stream("POST", inspector.base_url + CHAT, content=HINTED, timeout=30) as answer:
            arrived = []
            for piece in answer.iter_raw():
                arrived.append(piece)
                taken.release()
        assert arrived == pieces
        (call,) = ended(inspector, 1)
        assert (call.answered.model, call.answered.state, call.answered.bytes) == (
            "served",
            "done",
            sum(map(len, pieces)),
        )


def test_the_request_s_body_is_passed_on_as_it_comes():
    first_part_is_there = threading.Event()

    def talk(connection, rest):
        while b"one" not in rest:
            rest += connection.recv(100)
        first_part_is_there.set()
        while b"two" not in rest:
            rest += connection.recv(100)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with raw_upstream(talk) as upstream, inspecting(upstream) as inspector, connected(inspector.base_url) as client:
        client.sendall(b"POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\none")
        assert first_part_is_there.wait(30)
        client.sendall(b"two")
        assert read_head(client)[0].startswith(b"HTTP/1.1 204")


def test_when_the_client_goes_the_endpoint_is_hung_up_on():
    answering, hung_up = threading.Event(), threading.Event()

    def talk(connection, _rest):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n6\r\n: hi\n\n\r\n"
        )
        answering.set()
        read_all(connection)
        hung_up.set()

    with raw_upstream(talk) as upstream, inspecting(upstream) as inspector:
        with httpx.stream("POST", inspector.base_url + CHAT, content=HINTED, timeout=30) as answer:
            next(answer.iter_raw())
            assert answering.wait(30)
        assert hung_up.wait(30)
        (call,) = ended(inspector, 1)
        assert call.answered.state == "client gone"


def test_when_the_client_goes_before_it_has_said_all_nothing_is_answered():
    hung_up = threading.Event()

    def talk(connection, _rest):
        read_all(connection)
        hung_up.set()

    with raw_upstream(talk) as upstream, inspecting(upstream) as inspector:
        with connected(inspector.base_url) as client:
            client.sendall(
                b'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n{"model"'
            )
            wait_until(lambda: upstream.heads)
        assert hung_up.wait(30)
        (call,) = ended(inspector, 1)
        assert (call.answered.state, call.arrived.bytes) == ("client gone", 8)


def test_when_the_endpoint_breaks_off_so_does_the_answer():
    def talk(connection, _rest):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n6\r\n: hi\n\n\r\n"
        )

    with raw_upstream(talk) as upstream, inspecting(upstream) as inspector:
        with (
            pytest.raises(httpx.RemoteProtocolError),
            httpx.stream("POST", inspector.base_url + CHAT, content=HINTED) as answer,
        ):
            for _ in answer.iter_raw():
                pass
        (call,) = ended(inspector, 1)
        assert (call.answered.status, call.answered.state) == (200, "broken off")


def test_an_endpoint_that_is_not_there_is_a_502_that_says_so():
    with Upstream() as running:
        gone = RawUpstream(running.base_url)
    with inspecting(gone) as inspector:
        answer = httpx.post(inspector.base_url + CHAT, content=HINTED)
        assert answer.status_code == 502
        assert answer.json()["error"]["message"].startswith(
            f"hermes-hints inspect got no answer from {gone.base_url} (ConnectError"
        )
        (call,) = ended(inspector, 1)
        assert (call.answered.status, call.answered.state, call.arrived.record) == (
            502,
            "not reached",
            {"user_id": "ann"},
        )


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::1].evil.example", ""])
def test_another_name_than_this_machine_s_is_refused(upstream, inspector, host):
    """A web page whose name leads here would otherwise use the endpoint's trust in this machine."""
    answer = httpx.post(inspector.base_url + CHAT, content=HINTED, headers={"host": host})
    assert answer.status_code == 403
    assert upstream.received == []


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/v1/models", "*"])
def test_it_is_no_proxy_for_others(upstream, inspector, target):
    with connected(inspector.base_url) as client:
        client.sendall(f"OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert read_all(client).startswith(b"HTTP/1.1 400")
    assert upstream.received == []


def test_what_is_no_llm_call_passes_unnoted(client, upstream, inspector):
    for method, path in (("GET", "/chat/completions"), ("POST", "/files"), ("GET", "/models")):
        client.request(method, path)
    assert len(upstream.received) == 3
    assert inspector.calls.seen == 0
