"""What was decided for one place stays out of others: of clients that are led elsewhere, and of what is asked on the way."""

from __future__ import annotations

import httpx
import openai
import pytest
from clients import KINDS, Network, ask, result

from hermes_hints import ConfigError, identify, install, wrap

WHO = {"user_id": "alice", "user_name": "Alice A.", "chat_id": "room", "conversation_id": "conversation-1"}
HOME = "http://127.0.0.1:1/v1"
PUBLIC = "http://llm.example.org/v1"

everywhere = pytest.mark.parametrize("kind", KINDS, indirect=True)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def at(clients, network):
    """A client of any host there is."""

    def make(base_url, **options):
        return clients.make(base_url=base_url, http_client=network.http_client(clients.kind), **options)

    return make


@pytest.fixture(params=["wrap", "install"])
def door(request):
    """Have a client stamped, by either door."""

    def stamp(client, **more):
        if request.param == "wrap":
            return wrap(client, identity=WHO, **more)
        install(identity=WHO, **more)
        return client

    return stamp


def hosts(network):
    return [request.header("host") for request in network.received]


def leading(client, *places, status=500):
    """At each of its first answers, an error, lead the client to the next of these places."""
    left = [*places]

    def rule(_):
        if not left:
            return None
        client.base_url = left.pop(0)
        said = {"error": {"message": "Unsupported parameter: 'hermes'"}}
        return httpx.Response(status, json=said, headers={"retry-after-ms": "1"})

    return rule


OWN = [{}, {"metadata": {"mine": "1"}}, {"extra_body": {"hermes": {"user_intent": "mine"}}}]


@everywhere
@pytest.mark.parametrize("own", OWN)
def test_a_client_that_is_led_elsewhere_between_its_tries(own, door, at, clients, network):
    client = door(at(HOME, max_retries=2))
    network.rules.append(leading(client, PUBLIC, HOME))
    clients.run(ask(client, **own))
    first, away, home = network.received
    assert hosts(network) == ["127.0.0.1:1", "llm.example.org", "127.0.0.1:1"]
    assert (
        first.hermes["user_id"] == home.hermes["user_id"] == first.lines["user-id"] == home.lines["user-id"] == "alice"
    )
    assert first.lines["request-id"] == home.lines["request-id"]
    assert not away.lines
    assert {key: away.json.get(key) for key in ("metadata", "hermes")} == {
        "metadata": own.get("metadata"),
        "hermes": own.get("extra_body", {}).get("hermes"),
    }


@everywhere
def test_a_client_that_is_led_elsewhere_down_the_ladder(door, at, clients, network):
    client = door(at(HOME))
    network.rules.append(leading(client, PUBLIC, status=422))
    clients.run(ask(client))
    assert hosts(network) == ["127.0.0.1:1", "llm.example.org"]
    assert network.received[1].bare


def test_a_refusal_by_the_place_that_a_client_was_led_to_is_its_callers(door, at, clients, network):
    client = door(at(HOME, max_retries=1))
    network.rules += [
        leading(client, PUBLIC),
        lambda request: (
            httpx.Response(400, json={"error": {"message": "no"}}) if "example" in request.url.host else None
        ),
    ]
    with pytest.raises(openai.BadRequestError):
        clients.run(ask(client))
    assert hosts(network) == ["127.0.0.1:1", "llm.example.org"]


def test_a_client_that_is_led_elsewhere_as_it_is_given_its_key(door, at, clients, network):
    """As by an exchange of tokens that also tells the endpoint."""

    def key():
        client.base_url = PUBLIC
        return "token"

    async def key_async():
        return key()

    client = door(at(HOME, api_key=key_async if clients.asynchronous else key))
    clients.run(ask(client))
    assert hosts(network) == ["llm.example.org"]
    assert network.received[0].bare


@everywhere
@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/other"])
@pytest.mark.parametrize("own", OWN)
def test_a_client_that_leads_its_own_requests_elsewhere(own, path, door, at, clients, network, monkeypatch):
    class Leading(clients.type):
        def _prepare_options(self, options):
            options.url = PUBLIC + path
            return super()._prepare_options(options)

    monkeypatch.setattr(type(clients), "type", Leading)
    client = door(at(HOME))
    clients.run(ask(client, **own))
    (request,) = network.received
    assert request.header("host") == "llm.example.org"
    assert not request.lines
    assert request.json.get("hermes") == own.get("extra_body", {}).get("hermes")
    assert request.json.get("metadata") == own.get("metadata")


def test_a_redirect_of_where_it_was_led_is_followed_as_ever(door, at, clients, network):
    client = door(at(HOME, max_retries=1))

    def moved(request):
        leads = "example" in request.url.host and request.url.path.startswith("/v1")
        return httpx.Response(307, headers={"location": "/v2/chat/completions"}) if leads else None

    client._client.follow_redirects = True
    network.rules += [leading(client, PUBLIC), moved]
    clients.run(ask(client))
    assert [request.path for request in network.received] == ["/v1/chat/completions"] * 2 + ["/v2/chat/completions"]
    assert network.received[2].bare


@pytest.mark.parametrize(
    "rule", [{"match": "http://10.0.0.1/a", "profile": "headers"}, {"match": "http://10.0.0.1/a", "privacy": "none"}]
)
def test_another_path_that_the_operator_has_chosen_otherwise(rule, door, at, clients, network):
    client = door(at("http://10.0.0.1/b", max_retries=1), settings={"endpoints": [rule]})
    network.rules.append(leading(client, "http://10.0.0.1/a"))
    clients.run(ask(client))
    assert network.received[0].hermes["user_id"] == "alice"
    assert network.received[1].bare


@pytest.fixture
def on_the_way(clients):
    """Options of a client that asks something else whenever it is given its key, but not on the way of that again."""

    def make(asking):
        busy = []

        async def key_async():
            if not busy:
                busy.append(1)
                await asking()
                busy.clear()
            return "token"

        def key():
            if not busy:
                busy.append(1)
                with pytest.raises(StopIteration):
                    asking().send(None)
                busy.clear()
            return "token"

        return {"api_key": key_async if clients.asynchronous else key}

    return make


def test_another_client_asks_a_public_host_on_the_way(at, clients, network, on_the_way):
    """As a guardrail does; every client of the process is stamped."""
    guard = at(PUBLIC)

    async def asking():
        await result(guard.models.list())
        await result(guard.moderations.create(input="x"))
        await ask(guard)
        await result(guard.post("/chat/completions", body={"model": "m"}, cast_to=object))

    client = at(HOME, **on_the_way(asking))
    install(identity=WHO)
    clients.run(ask(client))
    *others, own = network.received
    assert [request.bare for request in others] == [True] * 4
    assert own.hermes["user_id"] == own.lines["user-id"] == "alice"


def test_the_same_client_asks_for_somebody_else_on_the_way(door, at, clients, network, on_the_way):
    async def asking():
        with identify(user_id="bob"):
            await result(client.models.list())
            await result(client.moderations.create(input="x"))
            await ask(client, model="other")

    client = door(at(HOME, **on_the_way(asking)))
    clients.run(ask(client))
    listed, moderated, other, own = network.received
    assert listed.bare
    assert moderated.bare
    assert other.hermes["user_id"] == other.lines["user-id"] == "bob"
    assert own.hermes["user_id"] == own.lines["user-id"] == "alice"
    assert other.lines["request-id"] != own.lines["request-id"]


def test_a_url_that_only_looks_like_a_local_one(door, at, clients, network):
    """To the HTTP client it is a path."""
    client = door(at(PUBLIC))
    clients.run(result(client.post(" http://127.0.0.1/v1/chat/completions", body={"model": "m"}, cast_to=object)))
    assert hosts(network) == ["llm.example.org"]
    assert network.received[0].bare


def test_a_profile_for_a_client_whose_base_url_has_no_host(at):
    with pytest.raises(ConfigError, match=r"base_url: '/v1/' has no host .* give the client a whole URL"):
        wrap(at("/v1"), identity=WHO, profile="dispatcher")


def test_a_named_profile_holds_for_no_port_that_there_is_not(at, clients, network):
    client = wrap(at(HOME), identity=WHO, profile="dispatcher")
    clients.run(ask(client.copy(base_url="http://llm.example.org:99999/v1")))
    assert network.received[0].bare


@pytest.mark.parametrize("profile", [None, "dispatcher"])
def test_another_path_with_a_stricter_privacy(profile, at, clients, network):
    rule = {"match": "http://10.0.0.1/a", "profile": "dispatcher", "privacy": "none"}
    client = wrap(at("http://10.0.0.1/b", max_retries=1), identity=WHO, profile=profile, settings={"endpoints": [rule]})
    network.rules.append(leading(client, "http://10.0.0.1/a"))
    clients.run(ask(client))
    assert network.received[0].hermes["user_id"] == "alice"
    assert network.received[1].bare


@pytest.mark.parametrize("kind", ["azure", "async-azure"], indirect=True)
@pytest.mark.parametrize("own", OWN)
def test_a_model_of_azure_with_a_slash_in_its_name(own, door, at, clients, network):
    client = door(at("http://127.0.0.1:1/openai"))
    clients.run(ask(client, model="meta/llama", **own))
    (request,) = network.received
    assert request.hermes["user_id"] == request.lines["user-id"] == request.metadata["hermes_user_id"] == "alice"


def test_what_a_client_builds_for_itself_is_its_own(door, at, clients, network, monkeypatch):
    """It is not given hints, and says nothing of where the call goes."""
    built = []

    class Fetching(clients.type):
        def _prepare_request(self, request):
            options = type(self)._options.construct(method="get", url=PUBLIC + "/token", follow_redirects=False)
            built.append((options, self._build_request(options)))
            return super()._prepare_request(request)

    Fetching._options = openai._models.FinalRequestOptions
    monkeypatch.setattr(type(clients), "type", Fetching)
    client = door(at(HOME))
    network.rules.append(
        lambda request: (
            httpx.Response(400, json={"error": {"message": "Unknown parameter: 'hermes'."}})
            if b'"hermes"' in request.content
            else None
        )
    )
    clients.run(ask(client))
    assert [request.lines["user-id"] for request in network.received] == ["alice", "alice"]
    assert [options.follow_redirects for options, _ in built] == [False, False]
    assert not any(name.lower().startswith("x-hermes") for _, request in built for name in request.headers)


def test_a_client_that_writes_into_its_options(at, clients, network, monkeypatch):
    """Each try is made of what its caller gave."""

    class Prefixing(clients.type):
        def request(self, cast_to, options, **rest):
            options.url = "/tenant" + options.url
            return super().request(cast_to, options, **rest)

    monkeypatch.setattr(type(clients), "type", Prefixing)
    client = wrap(at(HOME), identity=WHO)
    network.rules.append(lambda request: httpx.Response(400, content=b"no") if b'"hermes"' in request.content else None)
    clients.run(ask(client))
    assert [request.path for request in network.received] == ["/v1/tenant/chat/completions"] * 2
