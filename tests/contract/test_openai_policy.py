"""Who gets what: nothing of ours reaches a host that its operator did not choose."""

from __future__ import annotations

import logging

import httpx
import openai
import pytest
from clients import KINDS, Network, ask, each, result
from upstream import Answer

from hermes_hints import install, wrap

WHO = {"user_id": "alice", "user_name": "Alice A.", "chat_id": "room", "session_id": "conversation-1"}
PUBLIC = "http://llm.example.org/v1"

everywhere = pytest.mark.parametrize("kind", KINDS, indirect=True)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def at(clients, network):
    """A client of any host there is."""

    def make(base_url):
        return clients.make(base_url=base_url, http_client=network.http_client(clients.kind))

    return make


def carried(request):
    names = {"headers": bool(request.lines), "hermes": "hermes" in request.json, "metadata": "metadata" in request.json}
    return {name for name, there in names.items() if there}


ALL = {"headers", "hermes", "metadata"}


@everywhere
@pytest.mark.parametrize("door", ["wrap", "install"])
def test_a_public_host_gets_nothing_which_is_said_once(door, at, clients, network, caplog):
    async def main():
        client = at(PUBLIC)
        if door == "wrap":
            wrap(client, identity=WHO)
        else:
            install(identity=WHO)
        for _ in range(3):
            await ask(client)
        await ask(client.copy(base_url=PUBLIC))
        another = at(PUBLIC)
        await ask(wrap(another, identity=WHO) if door == "wrap" else another)

    with caplog.at_level(logging.INFO, "hermes_hints"):
        clients.run(main())
    assert len(network.received) == 5
    assert all(request.bare for request in network.received)
    said = [record for record in caplog.records if record.name == "hermes_hints"]
    assert [record.levelname for record in said] == ["WARNING"]
    assert "llm.example.org" in said[0].getMessage()
    assert "endpoints" in said[0].getMessage()
    assert "alice" not in said[0].getMessage().lower()


@pytest.mark.parametrize(
    "base_url",
    [
        *("http://localhost:4000/v1", "http://127.0.0.1/v1", "http://[::1]:8080", "http://gpu.localhost/v1"),
        *("http://10.1.2.3/v1", "http://172.16.0.9:1/v1", "http://192.168.1.1", "http://[fd00::1]/v1"),
        *("http://litellm:4000", "http://gpu.local/v1", "https://llm.corp.internal/v1"),
    ],
)
def test_your_own_networks_get_everything(base_url, at, clients, network):
    clients.run(ask(wrap(at(base_url), identity=WHO)))
    assert carried(network.received[0]) == ALL


@pytest.mark.parametrize(
    "base_url",
    [
        *("https://api.openai.com/v1", "http://8.8.8.8/v1", "http://172.32.0.1/v1", "http://[2001:db8::1]/v1"),
        *("http://localhost.example.org", "http://127.0.0.1.example.org", "http://internal.example.org"),
        *("http://alice@llm.example.org/v1", "http://localhost:80@llm.example.org/v1"),
    ],
)
def test_public_hosts_get_nothing(base_url, at, clients, network):
    clients.run(ask(wrap(at(base_url), identity=WHO)))
    request = network.received[0]
    assert not request.lines
    assert carried(request) == set()
    assert b"room" not in request.head + request.body


@pytest.mark.parametrize(
    ("profile", "expected"), [("dispatcher", ALL), ("headers", {"headers"}), ("off", set()), ("openai", set())]
)
def test_a_named_profile_holds_for_the_clients_own_origin(profile, expected, at, clients, network):
    clients.run(ask(wrap(at(PUBLIC), identity=WHO, profile=profile)))
    assert carried(network.received[0]) == expected


@pytest.mark.parametrize("way", ["with_options", "copy", "copy of a copy", "assignment", "absolute URL"])
def test_a_named_profile_holds_for_no_other_origin(way, at, clients, network):
    other = "http://other.example.org/v1"

    async def main():
        client = wrap(at("http://127.0.0.1:1/v1"), identity=WHO, profile="dispatcher")
        if way == "with_options":
            await ask(client.with_options(base_url=other))
        elif way == "copy":
            await ask(client.copy(base_url=other))
        elif way == "copy of a copy":
            await ask(client.copy(timeout=9).copy(base_url=other).with_options(max_retries=0))
        elif way == "assignment":
            client.base_url = other
            await ask(client)
        else:
            await result(client.post(other + "/chat/completions", body={"model": "m"}, cast_to=object))

    clients.run(main())
    assert network.received[0].header("host") == "other.example.org"
    assert network.received[0].bare


@pytest.mark.parametrize("kind", ["azure", "async-azure"], indirect=True)
@pytest.mark.parametrize("path", ["/responses", "/chat/completions"])
def test_an_azure_client_that_was_given_another_base_url(path, clients, network):
    """Its SDK still asks the endpoint that it was made for."""
    made_for = "https://corp.example.com"

    async def main():
        client = clients.make(
            azure_endpoint=made_for, azure_deployment="d", http_client=network.http_client(clients.kind)
        )
        wrap(client, identity=WHO)
        client.base_url = "http://127.0.0.1:1/v1"
        await result(client.post(path, body={"model": "m"}, cast_to=object))

    clients.run(main())
    assert network.received[0].header("host") == "corp.example.com"
    assert network.received[0].bare


@pytest.mark.parametrize("kind", ["azure", "async-azure"], indirect=True)
def test_an_azure_client_of_ones_own_network(clients, network):
    async def main():
        own = {"azure_endpoint": "http://azure.internal", "azure_deployment": "d"}
        await ask(wrap(clients.make(**own, http_client=network.http_client(clients.kind)), identity=WHO))

    clients.run(main())
    assert carried(network.received[0]) == ALL


def test_a_copy_that_comes_home_is_stamped_again(at, clients, network):
    async def main():
        away = wrap(at("http://127.0.0.1:1/v1"), identity=WHO).with_options(base_url=PUBLIC)
        await ask(away)
        await ask(away.with_options(base_url="http://127.0.0.1:1/v1"))

    clients.run(main())
    away, home = network.received
    assert away.bare
    assert carried(home) == ALL


@pytest.mark.parametrize("door", ["wrap", "install"])
def test_the_operators_endpoints_come_first(door, at, clients, network):
    settings = {
        "endpoints": [
            {"match": "llm.example.org", "profile": "headers"},
            {"match": "*.example.org", "profile": "dispatcher", "privacy": "none"},
            {"match": "127.0.0.0/8", "profile": "off"},
        ]
    }

    async def main():
        hosts = [at(PUBLIC), at("http://gpu.example.org/v1"), at("http://127.0.0.1/v1"), at("http://other.example.com")]
        if door == "install":
            install(identity=WHO, settings=settings)
        for client in hosts:
            if door == "wrap":
                wrap(client, identity=WHO, settings=settings)
            await ask(client)

    clients.run(main())
    headers, private, off, public = network.received
    assert carried(headers) == {"headers"}
    assert carried(private) == ALL
    assert private.hermes.keys() == {"v", "request_id", "session_id", "conversation_id"}
    assert off.bare
    assert public.bare


def redirected(status):
    """Lead chat completions of this endpoint to another origin."""

    def rule_to(target):
        return lambda request: Answer(status, b"", {"location": target + request.target})

    return rule_to


STATUSES = (301, 302, 303, 307, 308)


@everywhere
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("profile", ["dispatcher", "headers"])
def test_a_redirect_takes_nothing_along(status, profile, clients, upstream, elsewhere):
    settings = {"endpoints": [{"match": "127.0.0.1", "profile": profile}]}

    async def main():
        client = clients.make()
        expected = await ask(client)
        wrap(client, identity=WHO, settings=settings)
        for _ in range(2):
            assert await ask(client) == expected

    upstream.rules.append(redirected(status)(elsewhere.origin))
    clients.run(main())
    bare, *ours = elsewhere.received
    assert len(ours) == 2
    for request in ours:
        assert request.bare
        assert (request.head, request.body) == (bare.head, bare.body)
    if status in (307, 308):
        # The first time it is asked again, from then on it is known; what it was sent itself is what it may have.
        assert [bool(request.lines) for request in upstream.received] == [False, True, False, False]
    else:
        # It has made the call; only what came of it is elsewhere.
        assert [bool(request.lines) for request in upstream.received] == [False, True, True]


@pytest.mark.parametrize("status", [303, 307])
def test_an_http_client_that_follows_no_redirects(status, clients, upstream, elsewhere):
    upstream.rules.append(redirected(status)(elsewhere.origin))
    http_client = httpx.AsyncClient if clients.asynchronous else httpx.Client
    client = clients.make(http_client=http_client(follow_redirects=False))
    with pytest.raises(openai.APIStatusError):
        clients.run(ask(wrap(client, identity=WHO)))
    assert len(upstream.received) == 1
    assert not elsewhere.received


@pytest.mark.parametrize("where", ["elsewhere", "here"])
def test_a_redirect_takes_no_credential_elsewhere(where, clients, upstream, elsewhere):
    """Of an HTTP client that puts one into each request, but for one that a redirect leads to another origin."""
    http_client = httpx.AsyncClient if clients.asynchronous else httpx.Client
    client = clients.make(http_client=http_client(follow_redirects=True, auth=("proxy", "secret")))
    wrap(client, identity=WHO)
    place = elsewhere.origin if where == "elsewhere" else upstream.origin
    moved = Answer(303, b"", {"location": place + "/v1/models"})
    upstream.rules.append(lambda request: moved if request.method == "POST" else None)
    if where == "elsewhere":
        with pytest.raises(openai.APIStatusError):
            clients.run(ask(client))
        assert len(upstream.received) == 1
        assert not elsewhere.received
    else:
        clients.run(ask(client))
        assert [request.method for request in upstream.received] == ["POST", "GET"]
        assert upstream.last.bare


def test_what_is_fetched_after_a_redirect_is_tried_again_as_ever(clients, upstream, elsewhere):
    """The call itself is made once."""
    upstream.rules.append(redirected(303)(elsewhere.origin))
    elsewhere.queue.append(Answer(503, b"", {"retry-after-ms": "1"}))
    answer = clients.run(ask(wrap(clients.make(max_retries=1), identity=WHO)))
    assert answer.choices[0].message.content == '{"answer": 42}'
    assert upstream.only.hermes["user_id"] == "alice"
    assert [request.bare for request in elsewhere.received] == [True, True]


def test_a_redirect_of_a_stream(clients, upstream, elsewhere):
    async def main():
        return await each(await ask(wrap(clients.make(), identity=WHO), stream=True))

    upstream.rules.append(redirected(307)(elsewhere.origin))
    chunks = clients.run(main())
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == '{"answer": 42}'
    assert elsewhere.only.bare


@pytest.mark.parametrize("status", [303, 307])
@pytest.mark.parametrize("follow", [True, None, False])
def test_a_redirect_that_the_caller_decided_on(follow, status, clients, upstream, elsewhere):
    """As with the bare client: it is followed, or its answer is the caller's; and it takes nothing along."""

    async def main():
        client = wrap(clients.make(), identity=WHO)
        options = {"follow_redirects": follow}
        return await result(client.post("/chat/completions", body={"model": "m"}, cast_to=object, options=options))

    upstream.rules.append(redirected(status)(elsewhere.origin))
    if follow is False:
        with pytest.raises(openai.APIStatusError) as raised:
            clients.run(main())
        assert raised.value.status_code == status
        assert not elsewhere.received
        assert len(upstream.received) == 1
    else:
        assert clients.run(main())["object"] == "chat.completion"
        assert elsewhere.only.bare


def test_a_redirect_of_what_is_no_llm_call_is_followed_as_ever(clients, upstream, elsewhere):
    async def main():
        client = wrap(clients.make(), identity=WHO)
        await each(client.models.list())
        await result(client.moderations.create(input="Hi"))

    upstream.rules.append(redirected(307)(elsewhere.origin))
    clients.run(main())
    assert len(upstream.received) == len(elsewhere.received) == 2
    assert all(request.bare for request in (*upstream.received, *elsewhere.received))
