"""What is no LLM call, or has a body that is not ours to extend, leaves byte for byte as it was."""

from __future__ import annotations

import re

import pytest
from clients import each, result

from hermes_hints import wrap

WHO = {"user_id": "alice", "chat_id": "room", "session_id": "conversation-1"}


def by_post(path, **options):
    async def call(client):
        return await result(client.post(path, cast_to=object, **options))

    return call


NOT_LLM_CALLS = {
    "models.list": lambda c: each(c.models.list()),
    "models.retrieve": lambda c: result(c.models.retrieve("m")),
    "models.delete": lambda c: result(c.models.delete("m")),
    "files.create": lambda c: result(c.files.create(file=("a.jsonl", b"{}"), purpose="batch")),
    "images.edit": lambda c: result(c.images.edit(image=("a.png", b"png"), prompt="more", model="m")),
    "audio.transcriptions": lambda c: result(c.audio.transcriptions.create(file=("a.wav", b"wav"), model="m")),
    "audio.speech": lambda c: result(c.audio.speech.create(input="Hi", model="m", voice="alloy")),
    "moderations": lambda c: result(c.moderations.create(input="Hi")),
    "batches": lambda c: result(
        c.batches.create(input_file_id="f", endpoint="/v1/responses", completion_window="24h", metadata={"a": "b"})
    ),
    "chat.completions.retrieve": lambda c: result(c.chat.completions.retrieve("chatcmpl-1")),
    "chat.completions.update": lambda c: result(c.chat.completions.update("chatcmpl-1", metadata={"a": "b"})),
    "responses.retrieve": lambda c: result(c.responses.retrieve("resp_1")),
    "responses.cancel": lambda c: result(c.responses.cancel("resp_1")),
    "responses.input_tokens": lambda c: result(c.responses.input_tokens.count(input="Hi", model="m")),
    "conversations": lambda c: result(c.conversations.create(metadata={"a": "b"})),
    "a message of a thread": by_post("/threads/t/messages", body={"role": "user", "content": "Hi"}),
    "a list to elsewhere": by_post("/things", body=[{"a": 1}]),
    "bytes to elsewhere": by_post("/things", content=b"\x00\xff"),
    "a name that only ends alike": by_post("/my-embeddings", body={"model": "m"}),
    "put to chat completions": lambda c: result(c.put("/chat/completions", body={"model": "m"}, cast_to=object)),
}


def normal(request):
    """The request with a fixed multipart boundary: the SDK draws a new one each time."""
    found = re.search(rb"boundary=([0-9a-f]+)", request.head)
    if found is None:
        return request.head, request.body
    return request.head.replace(found[1], b"-"), request.body.replace(found[1], b"-")


@pytest.mark.parametrize("call", NOT_LLM_CALLS.values(), ids=NOT_LLM_CALLS)
def test_not_an_llm_call(call, clients, upstream):
    async def main():
        client = clients.make()
        expected = await call(client)
        wrap(client, identity=WHO)
        assert type(await call(client)) is type(expected)

    clients.run(main())
    before, after = upstream.received
    assert normal(after) == normal(before)
    assert after.bare


BODIES = {
    "a list": {"body": [{"role": "user", "content": "Hi"}]},
    "bytes": {"content": b'{ "model" : "m" }'},
    "files": {
        "body": {"model": "m"},
        "files": {"file": ("a.txt", b"text")},
        "options": {"headers": {"Content-Type": "multipart/form-data"}},
    },
}


@pytest.mark.parametrize("options", BODIES.values(), ids=BODIES)
def test_an_llm_call_whose_body_is_no_object(options, clients, upstream):
    call = by_post("/chat/completions", **options)

    async def main():
        client = clients.make()
        await call(client)
        wrap(client, identity=WHO)
        await call(client)

    clients.run(main())
    before, after = upstream.received
    assert normal(after)[1] == normal(before)[1]


def test_a_body_of_bytes_still_has_headers(clients, upstream):
    async def main():
        await by_post("/chat/completions", content=b"{}")(wrap(clients.make(), identity=WHO))

    clients.run(main())
    assert upstream.only.body == b"{}"
    assert upstream.only.lines["user-id"] == "alice"
