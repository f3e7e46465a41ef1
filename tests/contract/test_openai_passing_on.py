"""Requests that other wrappers make or pass on, to the same client or to another."""

from __future__ import annotations

import asyncio

import pytest
from clients import Network, ask
from upstream import Answer

from hermes_hints import install, wrap

WHO = {"user_id": "alice"}


def as_it_is(options):
    return options


def with_another_model(options):
    return options.model_copy(update={"json_data": {**options.json_data, "model": "backup"}})


def with_another_header(options):
    return options.model_copy(update={"headers": {**(options.headers or {}), "X-Fallback": "1"}})


def with_another_field(options):
    return options.model_copy(update={"extra_json": {**(options.extra_json or {}), "fallback": 1}})


@pytest.mark.parametrize("change", [as_it_is, with_another_model, with_another_header, with_another_field])
@pytest.mark.parametrize("profile", ["dispatcher", "headers"])
@pytest.mark.parametrize("host", ["llm.example.org", "10.1.2.3"])
@pytest.mark.parametrize("caller", [{}, {"extra_body": {"hermes": {"user_intent": "mine"}, "metadata": {"a": "b"}}}])
def test_a_fallback_below_to_a_client_of_another_endpoint(host, profile, change, caller, clients):
    """A wrapper under ours that sends the same request to another client: that one's endpoint decides anew."""
    network = Network()
    settings = {"endpoints": [{"match": "127.0.0.1", "profile": profile}]}
    first = clients.make()
    second = clients.make(base_url=f"http://{host}/v1", http_client=network.http_client(clients.kind))
    wrap(second, identity=WHO, settings=settings)
    first.request = lambda cast_to, options, **rest: second.request(cast_to, change(options), **rest)
    wrap(first, identity=WHO, settings=settings)
    clients.run(ask(first, **caller))
    (request,) = network.received
    changed = {
        "model": "backup" if change is with_another_model else "m",
        "fallback": 1 if change is with_another_field else None,
    }
    assert {key: request.json.get(key) for key in changed} == changed
    assert request.header("X-Fallback") == ("1" if change is with_another_header else None)
    if host == "10.1.2.3":
        assert request.hermes["user_id"] == request.lines["user-id"] == "alice"
        return
    assert not request.lines
    assert request.hermes == caller.get("extra_body", {}).get("hermes")
    assert request.metadata == caller.get("extra_body", {}).get("metadata")


def test_a_fallback_below_follows_redirects_as_ever(clients, elsewhere):
    moved = Answer(307, b"", {"location": "/v2/chat/completions"})
    elsewhere.rules.append(lambda request: moved if request.path.startswith("/v1") else None)
    settings = {"endpoints": [{"match": elsewhere.origin, "profile": "off"}]}
    second = wrap(clients.make(base_url=elsewhere.base_url), identity=WHO, settings=settings)
    first = clients.make()
    first.request = second.request
    answer = clients.run(ask(wrap(first, identity=WHO, settings=settings)))
    assert answer.choices[0].message.content == '{"answer": 42}'
    assert [request.bare for request in elsewhere.received] == [True, True]


@pytest.mark.parametrize("door", ["wrap", "install"])
def test_a_call_that_another_wrapper_makes_on_the_way(door, clients, upstream):
    """As a guardrail does, which asks a model of its own about each request: both calls are attributed."""
    if door == "install":
        install(identity=WHO)
    guard, client = clients.make(), clients.make()
    inner = client.request

    async def asking(*args, **kwargs):
        await ask(guard, model="guard")
        return await inner(*args, **kwargs)

    def asking_sync(*args, **kwargs):
        guard.chat.completions.create(model="guard", messages=[])
        return inner(*args, **kwargs)

    client.request = asking if clients.asynchronous else asking_sync
    if door == "wrap":
        wrap(guard, identity=WHO)
        wrap(client, identity=WHO)
    clients.run(ask(client))
    found = [(request.json["model"], request.hermes["user_id"]) for request in upstream.received]
    assert found == [("guard", "alice"), ("m", "alice")]
    assert len({request.hermes["request_id"] for request in upstream.received}) == 2


@pytest.mark.parametrize("kind", ["async"], indirect=True)
def test_a_task_that_a_call_leaves_behind(clients, upstream):
    """What it asks later is a call of its own, although it was started inside another one."""
    client, tasks, done = clients.make(), [], asyncio.Event()
    inner = client.request

    async def later():
        await done.wait()
        await ask(client, model="later")

    async def leaving(*args, **kwargs):
        if not tasks:
            tasks.append(asyncio.create_task(later()))
        return await inner(*args, **kwargs)

    async def main():
        client.request = leaving
        wrap(client, identity=WHO)
        await ask(client)
        done.set()
        await tasks[0]

    clients.run(main())
    assert [request.hermes["user_id"] for request in upstream.received] == ["alice", "alice"]
