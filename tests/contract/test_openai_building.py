"""What is stamped joins a request where the client builds it, or its options where it is built in another way."""

from __future__ import annotations

import functools
import hashlib
import json

import openai
import pytest
from clients import KINDS, ask
from upstream import Answer

from hermes_hints import install, wrap

WHO = {"user_id": "alice"}
SETTINGS = {"endpoints": [{"match": "127.0.0.1", "profile": "headers"}]}
EVERYWHERE = {"endpoints": [{"match": "127.0.0.1", "profile": "dispatcher"}]}


@pytest.fixture(params=["wrap", "install"])
def door(request):
    """Have a client stamped, by either door."""

    def stamp(client, settings=SETTINGS):
        if request.param == "wrap":
            return wrap(client, identity=WHO, settings=settings)
        install(identity=WHO, settings=settings)
        return client

    return stamp


async def again(client):
    """Calls of one conversation: what the first one has in common with the others is made ready for them."""
    for _ in range(3):
        await ask(client)


def everywhere(request):
    """Whether it has arrived with all three carriers, each once, and its caller's own parts as they were."""
    pairs = dict(request.json["metadata"])
    assert request.lines["user-id"] == request.json["hermes"]["user_id"] == pairs["hermes_user_id"] == "alice"
    assert request.lines["request-id"] == request.json["hermes"]["request_id"] == pairs["hermes_request_id"]
    assert request.body.count(b'"hermes":') == request.body.count(b'"metadata":') == 1
    return {name: value for name, value in request.json.items() if name not in ("hermes", "metadata")}


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


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("where", ["the HTTP client's class", "the HTTP client", "the client's class"])
def test_who_signs_what_is_built_signs_all_of_it(where, door, clients, upstream, monkeypatch):
    def signing(build, *args, **kwargs):
        request = build(*args, **kwargs)
        request.headers["X-Digest"] = digest(request.content)
        return request

    if where == "the client's class":

        class Signing(clients.type):
            def _build_request(self, *args, **kwargs):
                return signing(super()._build_request, *args, **kwargs)

        monkeypatch.setattr(type(clients), "type", Signing)
        client = clients.make()
    elif where == "the HTTP client":
        client = clients.make()
        client._client.build_request = functools.partial(signing, client._client.build_request)
    else:
        kind = openai.DefaultAsyncHttpxClient if clients.asynchronous else openai.DefaultHttpxClient

        class SigningHttp(kind):
            def build_request(self, *args, **kwargs):
                return signing(super().build_request, *args, **kwargs)

        client = clients.make(http_client=SigningHttp())
    clients.run(again(door(client, EVERYWHERE)))
    for request in upstream.received:
        everywhere(request)
        assert request.header("X-Digest") == digest(request.body)


def test_a_client_that_puts_metadata_of_its_own_into_what_is_there(door, clients, upstream, monkeypatch):
    class Tagging(clients.type):
        def _prepare_options(self, options):
            options.json_data["metadata"] = {"team": "blue"}
            return super()._prepare_options(options)

    monkeypatch.setattr(type(clients), "type", Tagging)
    clients.run(again(door(clients.make(), EVERYWHERE)))
    for request in upstream.received:
        everywhere(request)
        assert request.json["metadata"]["team"] == "blue"


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


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_a_receivers_own_header_that_the_client_has_too_arrives_once(door, clients, upstream):
    """With what the client says in it, and what is stamped."""
    client = clients.make(default_headers={"x-portkey-metadata": json.dumps({"team": "x"})})
    clients.run(ask(door(client, {"endpoints": [{"match": "127.0.0.1", "profile": "portkey"}]})))
    told = json.loads(upstream.only.header("x-portkey-metadata"))
    assert told["team"] == "x"
    assert "alice" in told.values()


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
        return request

    http.build_request = building
    http.headers["X-Hermes-User-Id"] = "stale"
    clients.run(ask(door(client)))
    assert upstream.only.lines["user-id"] == "alice"
    assert upstream.only.header("Authorization") is not None


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_the_body_is_the_callers_own_with_more_at_its_end(door, clients, upstream):
    async def main():
        await ask(clients.make())
        await again(door(clients.make(), EVERYWHERE))

    clients.run(main())
    bare, *others = upstream.received
    for request in others:
        assert everywhere(request) == bare.json
        assert request.body.startswith(bare.body[:-1] + b",")
    assert len({request.hermes["request_id"] for request in others}) == len(others)


def test_who_kept_the_body_keeps_it_as_it_was(door, clients, upstream, monkeypatch):
    client = clients.make()
    kind = type(client._client)
    build = kind.build_request
    kept = []

    @functools.wraps(build)
    def keeping(*args, **kwargs):
        request = build(*args, **kwargs)
        kept.append(request.content)
        return request

    monkeypatch.setattr(kind, "build_request", keeping)
    clients.run(ask(door(client, EVERYWHERE)))
    assert "hermes" not in json.loads(kept[0])
    assert everywhere(upstream.only) == json.loads(kept[0])


def test_a_retry_carries_the_same(door, clients, upstream):
    upstream.queue.append(Answer(503))
    clients.run(ask(door(clients.make(max_retries=1), EVERYWHERE)))
    first, second = upstream.received
    assert everywhere(first) == everywhere(second)
    assert first.body == second.body


def test_a_wrapper_below_that_uses_the_same_names(clients, upstream):
    """As it would be had the caller done so; what it says stays."""
    client = clients.make()
    inner = client.request

    def changing(cast_to, options, **rest):
        body = {**options.json_data, "metadata": {"team": "x"}, "hermes": {"user_intent": "local"}}
        return inner(cast_to, options.model_copy(update={"json_data": body}), **rest)

    client.request = changing
    clients.run(ask(wrap(client, identity=WHO, settings=EVERYWHERE)))
    everywhere(upstream.only)
    assert upstream.only.metadata["team"] == "x"
    assert upstream.only.hermes["user_intent"] == "local"


def rebuilt(request, content):
    """A request as an HTTP client of one's own might make it."""
    headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"content-length"]
    return type(request)(request.method, request.url, headers=headers, content=content, extensions=request.extensions)


def of_another_kind(request):
    class Own(type(request)):
        """Known by its module to be none of the HTTP library's own."""

    request.__class__ = Own
    return request


def read_as_it_is_sent(request):
    class Own(type(request.stream)):
        def __init__(self, content, told):
            super().__init__(content)
            self.told = told

    request.stream = Own(request.content, [])
    return request


@pytest.mark.parametrize(
    "changed",
    [
        of_another_kind,
        read_as_it_is_sent,
        lambda request: rebuilt(request, json.dumps(json.loads(request.content), indent=1).encode()),
        lambda request: rebuilt(request, b" " + request.content),
        lambda request: rebuilt(request, request.content + b"\n"),
    ],
    ids=["request", "stream", "indented", "after a blank", "before a line's end"],
)
def test_where_the_end_of_the_body_is_not_known_the_options_have_all_of_it(door, clients, upstream, changed):
    client = door(clients.make(), EVERYWHERE)
    build = client._client.build_request
    client._client.build_request = lambda *args, **kwargs: changed(build(*args, **kwargs))
    clients.run(again(client))
    assert len(upstream.received) == 3
    for request in upstream.received:
        assert everywhere(request).keys() == {"model", "messages"}


@pytest.mark.parametrize("body", [None, {}])
def test_a_body_with_nothing_in_it(door, clients, upstream, body):
    async def main():
        client = door(clients.make(), EVERYWHERE)
        answer = client.post("/chat/completions", body=body, cast_to=object)
        return await answer if clients.asynchronous else answer

    clients.run(main())
    assert everywhere(upstream.only) == {}
