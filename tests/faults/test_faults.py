"""When the connection fails, the wrapped client raises exactly what the bare one does, after as many requests."""

from __future__ import annotations

import gzip
import socket

import openai
import pytest
from broken_server import ANSWER, EVENTS, BrokenServer, head
from clients import PLAIN, Clients, ask, each, entered, result

from hermes_hints import wrap

WHO = {"user_id": "alice", "session_id": "conversation-1"}
JSON = {"content_type": "application/json"}
STREAM = {"content_type": "text/event-stream"}


async def plain(client):
    return (await ask(client)).choices[0].message.content


async def streamed(client):
    chunks = await each(await ask(client, stream=True))
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


async def stream_helper(client):
    async with entered(client.chat.completions.stream(model="m", messages=[])) as stream:
        await each(stream)
        return (await result(stream.get_final_completion())).choices[0].message.content


async def streaming_response(client):
    async with entered(client.chat.completions.with_streaming_response.create(model="m", messages=[])) as raw:
        return (await result(raw.parse())).choices[0].message.content


async def raw_response(client):
    raw = await result(client.chat.completions.with_raw_response.create(model="m", messages=[]))
    return raw.parse().choices[0].message.content


WAYS = (plain, streamed, stream_helper, streaming_response, raw_response)


def reset_before_headers(to):
    to.reset()


def close_before_headers(to):
    pass


def half_a_status_line(to):
    to.send(b"HTTP/1.1 2")


def half_the_headers(to):
    to.send(head(**JSON)[:-20])


def reset_within_headers(to):
    to.send(head(**JSON)[:-20])
    to.reset()


def garbage(to):
    to.send(bytes(range(256)) * 4)


def another_protocol(to):
    to.send(b"SSH-2.0-OpenSSH_9.6\r\n")


def a_status_that_is_none(to):
    to.send(b"HTTP/1.1 twohundred OK\r\n\r\n")


def endless_headers(to):
    to.send(head(**{f"x-{number}": "x" * 1000 for number in range(300)}))


def only_an_interim_answer(to):
    to.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def half_a_body(to):
    to.send(head(content_length=len(ANSWER), **JSON) + ANSWER[:100])


def half_a_chunk(to):
    to.send(head(transfer_encoding="chunked", **JSON) + b"fff\r\n" + ANSWER[:100])


def a_chunk_of_no_size(to):
    to.send(head(transfer_encoding="chunked", **JSON) + b"xyz\r\n" + ANSWER)


def a_body_that_ends_early_with_the_connection(to):
    to.send(head(connection="close", **JSON) + ANSWER[:100])


def a_body_that_is_not_compressed_as_it_says(to):
    to.send(head(content_length=len(ANSWER), content_encoding="gzip", **JSON) + ANSWER)


def half_of_a_compressed_body(to):
    packed = gzip.compress(ANSWER, mtime=0)
    to.send(head(content_length=20, content_encoding="gzip", **JSON) + packed[:20])


def a_body_that_is_no_text(to):
    to.send(head(content_length=4, **JSON) + b"\xff\xfe\xfd\xfc")


def an_empty_body(to):
    to.send(head(content_length=0, **JSON))


def half_a_refusal(to):
    """Its status says that hints may be the reason, and the reason never comes."""
    to.send(head("400 Bad Request", content_length=500, **JSON) + b'{"error": {"message": "hermes')


def half_a_refusal_then_reset(to):
    to.send(head("400 Bad Request", content_length=500, **JSON) + b'{"error": {"message": "hermes')
    to.reset()


def half_a_stream(to):
    to.send(head(connection="close", **STREAM) + EVENTS[0] + EVENTS[1][:40])


def half_a_stream_in_chunks(to):
    data = EVENTS[0] + EVENTS[1][:40]
    to.send(head(transfer_encoding="chunked", **STREAM) + f"{len(data):x}\r\n".encode() + data + b"\r\n")


def reset_within_a_stream(to):
    data = EVENTS[0] + EVENTS[1]
    to.send(head(transfer_encoding="chunked", **STREAM) + f"{len(data):x}\r\n".encode() + data + b"\r\n")
    to.reset()


def garbage_within_a_stream(to):
    to.send(head(connection="close", **STREAM) + EVENTS[0] + b"data: {\x00\n\n" + EVENTS[1])


def an_error_within_a_stream(to):
    told = b'data: {"error": {"message": "hermes and metadata are not welcome", "code": 400, "param": "hermes"}}\n\n'
    to.send(head(connection="close", **STREAM) + EVENTS[0] + told)


FAULTS = [
    *(reset_before_headers, close_before_headers, half_a_status_line, half_the_headers, reset_within_headers),
    *(garbage, another_protocol, a_status_that_is_none, endless_headers, only_an_interim_answer),
    *(half_a_body, half_a_chunk, a_chunk_of_no_size, a_body_that_ends_early_with_the_connection),
    *(a_body_that_is_not_compressed_as_it_says, half_of_a_compressed_body, a_body_that_is_no_text, an_empty_body),
    *(half_a_refusal, half_a_refusal_then_reset),
]
FAULTS_OF_STREAMS = [
    *(half_a_stream, half_a_stream_in_chunks, reset_within_a_stream, garbage_within_a_stream, an_error_within_a_stream)
]


def told(error):
    """Everything that a caller can tell an error by."""
    parts = ("status_code", "code", "param", "type", "body", "message")
    return {
        "raised": (type(error), str(error)),
        "parts": {part: getattr(error, part, None) for part in parts},
        "from": (type(error.__cause__), str(error.__cause__)),
        "during": type(error.__context__),
    }


def seen(kind, way, fault, *, reads=None, **options):
    """What the bare client and the wrapped one make of a fault, and how many requests the server had of each."""
    found = []
    for wrapped in (False, True):
        with BrokenServer(fault, reads=reads) as server:
            clients = Clients(kind, server)
            client = clients.make(**options)
            if wrapped:
                wrap(client, identity=WHO)

            async def call(client=client):
                try:
                    return await way(client)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
                    return told(error)

            found.append((clients.run(call()), server.requests))
            assert (b"x-hermes-" in server.received.lower()) == (wrapped and server.requests > 0)
    return found


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize(
    ("fault", "way"),
    [
        *((fault, way) for fault in FAULTS for way in WAYS),
        *((fault, way) for fault in FAULTS_OF_STREAMS for way in (streamed, stream_helper)),
    ],
)
def test_the_caller_sees_what_it_would_see_without_hints(fault, way, kind):
    bare, ours = seen(kind, way, fault)
    assert ours == bare
    assert bare[1] == 1


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("fault", [reset_before_headers, half_a_body, garbage, half_a_refusal])
def test_the_client_tries_again_as_often_as_ever(fault, kind, monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.001)
    bare, ours = seen(kind, plain, fault, max_retries=2)
    assert ours == bare
    assert bare[1] == 3
    assert bare[0]["raised"][0] is openai.APIConnectionError


def stall_before_headers(to):
    to.stall()


def stall_within_a_body(to):
    to.send(head(content_length=len(ANSWER), **JSON) + ANSWER[:100])
    to.stall()


def stall_within_a_refusal(to):
    to.send(head("400 Bad Request", content_length=500, **JSON) + b'{"error": {"message": "hermes')
    to.stall()


def stall_within_a_stream(to):
    data = EVENTS[0]
    to.send(head(transfer_encoding="chunked", **STREAM) + f"{len(data):x}\r\n".encode() + data + b"\r\n")
    to.stall()


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize(
    ("fault", "way"),
    [
        *((stall_before_headers, plain), (stall_before_headers, streamed), (stall_within_a_body, plain)),
        *((stall_within_a_refusal, plain), (stall_within_a_stream, streamed)),
    ],
)
def test_a_stall_ends_with_the_callers_own_timeout(fault, way, kind):
    bare, ours = seen(kind, way, fault, timeout=0.3)
    assert ours == bare
    assert bare[1] == 1
    assert "Timeout" in bare[0]["raised"][0].__name__


@pytest.mark.parametrize("kind", PLAIN)
def test_a_reset_while_the_request_is_still_being_sent(kind):
    async def call(client):
        return await ask(client, messages=[{"role": "user", "content": "x" * 20_000_000}])

    bare, ours = seen(kind, call, reset_before_headers, reads=1000)
    assert ours[0]["raised"] == bare[0]["raised"]
    assert ours[1] == bare[1] == 1
    assert bare[0]["raised"][0] is openai.APIConnectionError


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", PLAIN)
def test_a_port_where_nobody_listens(way, kind):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        bare, ours = seen(kind, way, garbage, base_url=base_url)
    assert ours == bare
    assert bare[0]["raised"][0] is openai.APIConnectionError
    assert bare[1] == 0
