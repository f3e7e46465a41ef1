"""Headers join a request where the client builds it, or are part of its options where it is built in another way."""

from __future__ import annotations

import openai
import pytest
from clients import KINDS, ask
from upstream import Answer

from hermes_hints import install, wrap

WHO = {"user_id": "alice"}
SETTINGS = {"endpoints": [{"match": "127.0.0.1", "profile": "headers"}]}


@pytest.fixture(params=["wrap", "install"])
def door(request):
    """Have a client stamped, by either door."""

    def stamp(client):
        if request.param == "wrap":
            return wrap(client, identity=WHO, settings=SETTINGS)
        install(identity=WHO, settings=SETTINGS)
        return client

    return stamp


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_a_client_that_is_built_upon_builds_in_its_own_way(door, clients, upstream, monkeypatch):
    """Its subclass answers for the requests itself: with nothing known of how, the options have all there is."""

    class Own(clients.type):
        def _build_request(self, options, **rest):
            options.headers = {**(options.headers or {}), "X-Own": "1"}
            return super()._build_request(options, **rest)

    monkeypatch.setattr(type(clients), "type", Own)
    clients.run(ask(door(clients.make())))
    assert upstream.only.lines["user-id"] == "alice"
    assert upstream.only.header("X-Own") == "1"


def test_another_wrapper_where_requests_are_built(door, clients, upstream):
    """It builds from the options alone, and passes nothing on to what stood there before."""
    client = door(clients.make())

    def building(options, **rest):
        options.headers = {**(options.headers or {}), "X-Own": "1"}
        return openai._base_client.BaseClient._build_request(client, options, **rest)

    client._build_request = building
    clients.run(ask(client))
    assert upstream.only.lines["user-id"] == "alice"
    assert upstream.only.header("X-Own") == "1"


def test_a_wrapper_below_that_changes_the_body(clients, upstream):
    client = clients.make()
    inner = client.request

    def changing(cast_to, options, **rest):
        body = {**options.json_data, "model": "another"}
        return inner(cast_to, options.model_copy(update={"json_data": body}), **rest)

    client.request = changing
    clients.run(ask(wrap(client, identity=WHO, settings=SETTINGS)))
    assert upstream.only.json["model"] == "another"
    assert upstream.only.lines["user-id"] == "alice"


def test_what_a_wrapper_below_has_the_client_ask_elsewhere_is_not_completed(clients, upstream, elsewhere):
    client = clients.make()
    inner = client.request
    asked = f"{elsewhere.base_url}/chat/completions"

    def asking(cast_to, options, **rest):
        inner(cast_to, options.model_copy(update={"url": asked}), **rest)
        return inner(cast_to, options, **rest)

    async def asking_async(cast_to, options, **rest):
        await inner(cast_to, options.model_copy(update={"url": asked}), **rest)
        return await inner(cast_to, options, **rest)

    client.request = asking_async if clients.asynchronous else asking
    clients.run(ask(wrap(client, identity=WHO, settings=SETTINGS)))
    assert not elsewhere.only.lines
    assert upstream.only.lines["user-id"] == "alice"


def test_each_header_arrives_once(door, clients, upstream):
    """The HTTP client has lines of its own, one of them of the same name, and one that is not ASCII."""
    client = clients.make()
    client._client.headers["x-hermes-user-id"] = "stale"
    client._client.headers["X-Motto"] = "grüß"
    clients.run(ask(door(client)))
    assert upstream.only.lines["user-id"] == "alice"
    assert upstream.only.header("X-Motto") is not None


def test_a_retry_is_completed_too(door, clients, upstream):
    upstream.queue.append(Answer(503))
    clients.run(ask(door(clients.make(max_retries=1))))
    assert [request.lines["user-id"] for request in upstream.received] == ["alice", "alice"]


def test_headers_of_another_kind(door, clients, upstream):
    """Its HTTP client keeps them in a way of its own."""
    client = clients.make()
    http = client._client
    kind = type(http.headers)
    build = http.build_request

    class Own(kind):
        """Known by its module to be none of the HTTP library's own."""

    def building(*args, **kwargs):
        request = build(*args, **kwargs)
        request.headers = Own(request.headers)
        request.headers["X-Hermes-User-Id"] = "stale"
        return request

    http.build_request = building
    clients.run(ask(door(client)))
    assert upstream.only.lines["user-id"] == "alice"
    assert upstream.only.header("Authorization") is not None
