"""Exactly which fields each profile and each privacy puts on the wire."""

from __future__ import annotations

import re

import pytest
from clients import ask, result
from upstream import refusal

from hermes_hints import Identity, calling, hint, wrap

KEY = "a key of the operator's own"
WHO = Identity(
    user_id="alice",
    user_id_alt="a17",
    user_name="Alice",
    platform="matrix",
    chat_id="room",
    chat_name="Ops",
    chat_type="group",
    thread_id="topic-9",
    message_id="m-1",
    session_id="session-2",
    conversation_id="conversation-1",
    session_key="matrix:room:alice",
    parent_session_id="session-0",
    agent="hermes-agent/0.19.0",
    profile="default",
)
CALL = {"request_id": "request-1", "turn_id": "turn-1", "task_id": "task-1", "call": 2, "purpose": "main"}
HINTS = {
    "user_intent": "force-cloud",
    "command_origin": "/hint",
    "requested_model": "large",
    "priority": "high",
    "experiment_arm": "b",
    "cost_center": "7",
    "labels": ["x", "y"],
    "ext": {"acme.region": "eu", "acme.beta": True, "acme.load": 0.5},
}
EVERYTHING = {"v": 1, **WHO.fields(), **CALL, **HINTS}

LINES = {
    "user-id": "alice",
    "user-name": "Alice",
    "chat-id": "room",
    "chat-name": "Ops",
    "chat-type": "group",
    "thread-id": "topic-9",
    "session-id": "conversation-1",
    "request-id": "request-1",
    "platform": "matrix",
    "purpose": "main",
    "user-intent": "force-cloud",
    "command-origin": "/hint",
    "requested-model": "large",
    "priority": "high",
    "experiment-arm": "b",
    "cost-center": "7",
}
PAIRS = {
    "hermes_user_id": "alice",
    "hermes_conversation_id": "conversation-1",
    "hermes_chat_id": "room",
    "hermes_user_intent": "force-cloud",
    "hermes_purpose": "main",
    "hermes_platform": "matrix",
    "hermes_session_id": "session-2",
    "hermes_requested_model": "large",
    "hermes_priority": "high",
    "hermes_cost_center": "7",
    "hermes_experiment_arm": "b",
    "hermes_request_id": "request-1",
    "hermes_turn_id": "turn-1",
    "hermes_thread_id": "topic-9",
    "hermes_user_name": "Alice",
    "hermes_chat_name": "Ops",
}
ASKED = {"model", "messages"}


def send(clients, upstream, call=ask, *, identity=WHO, scoped=True, **options):
    options = {"settings": {"pseudonym_key": KEY}, **options}

    async def main():
        client = wrap(clients.make(), identity=identity, **options)
        if not scoped:
            return await call(client)
        with calling(**CALL), hint(**HINTS):
            return await call(client)

    clients.run(main())
    return upstream.only


def test_dispatcher(clients, upstream):
    request = send(clients, upstream)
    assert request.hermes == EVERYTHING
    assert request.metadata == PAIRS
    assert request.lines == LINES
    assert request.json.keys() == {*ASKED, "hermes", "metadata"}


def test_what_has_no_value_is_absent(clients, upstream):
    identity = {"user_id": "alice", "user_name": "", "chat_id": None}
    request = send(clients, upstream, identity=identity, scoped=False)
    assert request.hermes.keys() == {"v", "user_id", "request_id"}
    assert request.metadata.keys() == {"hermes_user_id", "hermes_request_id"}
    assert request.lines.keys() == {"user-id", "request-id"}


def test_ext_and_labels_in_metadata_where_there_is_room(clients, upstream):
    async def call(client):
        with hint(labels=["x", "y"], ext=HINTS["ext"]):
            await ask(client)

    request = send(clients, upstream, call, identity={"user_id": "alice"}, scoped=False)
    request_id = request.metadata.pop("hermes_request_id")
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert request.metadata == {
        "hermes_user_id": "alice",
        "hermes_labels": "x,y",
        "hermes_ext_acme.region": "eu",
        "hermes_ext_acme.beta": "true",
        "hermes_ext_acme.load": "0.5",
    }


def test_headers(clients, upstream):
    request = send(clients, upstream, profile="headers")
    assert request.json.keys() == ASKED
    assert request.lines == LINES


def test_off(clients, upstream):
    request = send(clients, upstream, profile="off")
    assert request.bare
    assert request.json.keys() == ASKED


@pytest.mark.parametrize("conversation", ["short", "a:b c", "long-" * 60, "日本語"])
def test_the_conversation_in_its_header_is_always_a_routing_token(conversation, clients, upstream):
    request = send(clients, upstream, identity={"session_id": conversation}, scoped=False)
    assert re.fullmatch("[A-Za-z0-9_-]{8,256}", request.lines["session-id"])
    assert request.hermes["conversation_id"] == conversation


async def stored_chat(client):
    return await ask(client, store=True)


async def stored_chat_in_extra_body(client):
    return await ask(client, extra_body={"store": True})


async def response(client):
    return await result(client.responses.create(model="m", input="Hi"))


async def stored_response(client):
    return await result(client.responses.create(model="m", input="Hi", store=True))


async def unstored_chat(client):
    return await ask(client, store=False)


async def unstored_response(client):
    return await result(client.responses.create(model="m", input="Hi", store=False))


async def unstored_response_in_extra_body(client):
    return await result(client.responses.create(model="m", input="Hi", extra_body={"store": False}))


STORED = (stored_chat, stored_chat_in_extra_body, response, stored_response)
UNSTORED = (ask, unstored_chat, unstored_response, unstored_response_in_extra_body)


@pytest.mark.parametrize("call", [*STORED, *UNSTORED])
def test_openai(call, clients, upstream):
    request = send(clients, upstream, call, profile="openai")
    assert not request.lines
    ours = request.json.keys() - {*ASKED, "input", "store"}
    assert ours == {"safety_identifier", "prompt_cache_key", *(["metadata"] if call in STORED else [])}
    assert re.fullmatch("[0-9a-f]{64}", request.json["safety_identifier"])
    assert request.json["prompt_cache_key"] == "conversation-1"
    if call in STORED:
        assert request.metadata == PAIRS


def test_openai_never_asks_to_store(clients, upstream):
    assert "store" not in send(clients, upstream, profile="openai").json


def test_openai_tells_people_apart_and_knows_them_again(clients, upstream):
    async def main():
        for user in ("alice", "bob", "alice"):
            client = clients.make()
            await ask(wrap(client, identity={"user_id": user}, profile="openai", settings={"pseudonym_key": KEY}))

    clients.run(main())
    alice, bob, again = (request.json["safety_identifier"] for request in upstream.received)
    assert alice == again
    assert alice != bob
    assert b"alice" not in b"".join(request.body for request in upstream.received)


def test_openai_with_a_long_conversation(clients, upstream):
    identity = {"user_id": "alice", "session_id": "long-" * 60}
    assert len(send(clients, upstream, identity=identity, profile="openai").json["prompt_cache_key"]) == 64


@pytest.mark.parametrize("path", ["/completions", "/embeddings", "/images/generations", "/responses/compact"])
def test_openai_where_the_api_has_no_such_fields(path, clients, upstream):
    async def call(client):
        await result(client.post(path, body={"model": "m"}, cast_to=object))

    request = send(clients, upstream, call, profile="openai")
    assert request.json == {"model": "m"}
    assert not request.lines


IDS = {
    *("user_id", "user_id_alt", "chat_id", "thread_id", "message_id", "session_id", "conversation_id"),
    *("session_key", "parent_session_id", "request_id", "turn_id", "task_id"),
}
NAMES = {"user_name", "chat_name"}


def test_pseudonymous(clients, upstream):
    request = send(clients, upstream, privacy="pseudonymous")
    assert request.hermes.keys() == EVERYTHING.keys() - NAMES
    for field, value in request.hermes.items():
        if field in IDS:
            assert re.fullmatch("[0-9a-f]{64}", value)
        else:
            assert value == EVERYTHING[field]
    assert len({request.hermes[field] for field in IDS}) == len(IDS)
    assert request.metadata["hermes_user_id"] == request.lines["user-id"] == request.hermes["user_id"]
    assert request.lines["session-id"] == request.hermes["conversation_id"]
    assert request.lines.keys() == LINES.keys() - {"user-name", "chat-name"}
    sent = request.head + request.body
    assert not [value for value in (b"alice", b"Alice", b"Ops", b"conversation-1", b"topic-9") if value in sent]


def test_pseudonyms_are_the_same_again_and_depend_on_the_key(clients, upstream, tmp_path, monkeypatch):
    async def main():
        for key in (KEY, KEY, "another key of the operator", None, None):
            settings = {"privacy": "pseudonymous", **({"pseudonym_key": key} if key else {})}
            await ask(wrap(clients.make(), identity={"user_id": "alice"}, settings=settings))

    monkeypatch.setenv("HERMES_HINTS_HOME", str(tmp_path / "state"))
    clients.run(main())
    first, second, other, made, kept = (request.hermes["user_id"] for request in upstream.received)
    assert first == second
    assert made == kept
    assert len({first, other, made}) == 3
    assert (tmp_path / "state" / "pseudonym.key").stat().st_mode & 0o777 == 0o600


def test_none(clients, upstream):
    request = send(clients, upstream, privacy="none")
    left = {"v", "session_id", "conversation_id", "parent_session_id", "agent", "profile", *CALL, *HINTS}
    assert request.hermes.keys() == left
    assert {field: EVERYTHING[field] for field in left} == request.hermes
    assert request.lines.keys() == {
        *("session-id", "request-id", "purpose", "user-intent", "command-origin"),
        *("requested-model", "priority", "experiment-arm", "cost-center"),
    }
    sent = request.head + request.body
    assert not [value for value in (b"alice", b"Alice", b"Ops", b"room", b"matrix", b"topic-9") if value in sent]


@pytest.mark.parametrize("privacy", ["pseudonymous", "none"])
def test_a_lower_rung_is_as_private(privacy, clients, upstream):
    async def call(client):
        upstream.queue.append(refusal(400, "Unknown parameter: 'hermes'."))
        await ask(client)

    async def main():
        with calling(**CALL), hint(**HINTS):
            await call(wrap(clients.make(), identity=WHO, privacy=privacy, settings={"pseudonym_key": KEY}))

    clients.run(main())
    request = upstream.last
    assert b"alice" not in (request.head + request.body).lower()
    assert ("user" in request.json) == (privacy == "pseudonymous")


@pytest.mark.parametrize(
    ("argument", "setting", "rule", "expected"),
    [
        ("raw", "none", None, "none"),
        ("none", "raw", None, "none"),
        (None, "pseudonymous", None, "pseudonymous"),
        ("raw", "raw", "none", "none"),
        ("none", "raw", "raw", "none"),
    ],
)
def test_the_strictest_privacy_counts(argument, setting, rule, expected, clients, upstream):
    settings = {"privacy": setting, "pseudonym_key": KEY}
    if rule is not None:
        settings["endpoints"] = [{"match": "127.0.0.1", "profile": "dispatcher", "privacy": rule}]
    request = send(clients, upstream, privacy=argument, settings=settings)
    assert ("user_id" in request.hermes) == (expected != "none")
    assert request.hermes.get("user_id") != "alice"
