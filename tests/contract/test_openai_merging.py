"""Who wins: plugins, under the ambient scope, under what the caller itself put into the request."""

from __future__ import annotations

import pytest
from clients import UNHURRIED, ask
from openai import Omit

from hermes_hints import hint, hookimpl, identify, install, register, wrap

WHO = {"user_id": "alice", "chat_id": "room", "session_id": "conversation-1", "platform": "matrix"}


class Plugin:
    """Contributes what it is given and counts how often it is asked."""

    def __init__(self, **hints):
        self.hints = hints
        self.calls = 0

    @hookimpl
    def contribute_hints(self):
        self.calls += 1
        return self.hints


def send(clients, upstream, client=None, **options):
    async def main():
        return await ask(client or wrap(clients.make(), identity=WHO, settings=UNHURRIED), **options)

    clients.run(main())
    return upstream.only


def test_plugins_under_the_scope_under_the_caller(clients, upstream):
    register(Plugin(user_intent="of the plugin", cost_center="of the plugin", priority="low"))
    with hint(user_intent="of the scope", cost_center="of the scope"):
        request = send(clients, upstream, extra_body={"hermes": {"user_intent": "of the caller"}})
    assert (request.hermes["user_intent"], request.lines["user-intent"]) == ("of the caller", "of the caller")
    assert request.metadata["hermes_user_intent"] == "of the caller"
    assert (request.hermes["cost_center"], request.lines["cost-center"]) == ("of the scope", "of the scope")
    assert (request.hermes["priority"], request.lines["priority"]) == ("low", "low")


def test_labels_and_ext_add_up(clients, upstream):
    register(Plugin(labels=["plugin"], ext={"acme.plugin": 1, "acme.both": "plugin"}))
    with hint(labels=["scope"], ext={"acme.scope": True, "acme.both": "scope"}):
        request = send(clients, upstream)
    assert request.hermes["labels"] == ["plugin", "scope"]
    assert request.hermes["ext"] == {"acme.plugin": 1, "acme.scope": True, "acme.both": "scope"}


def test_the_callers_object_is_completed_and_its_own_keys_stay(clients, upstream):
    given = {"user_intent": "local", "of_my_own": {"deep": [1]}, "v": 7, "platform": None}
    request = send(clients, upstream, extra_body={"hermes": given, "top": "level"})
    assert {**request.hermes, **given} == request.hermes
    assert request.hermes["chat_id"] == "room"
    assert request.json["top"] == "level"


@pytest.mark.parametrize("given", ["text", 3, ["list"], False])
def test_an_object_of_ours_that_is_no_object_stays(given, clients, upstream):
    request = send(clients, upstream, extra_body={"hermes": given})
    assert request.hermes == given
    assert request.lines["user-id"] == "alice"
    assert request.metadata["hermes_user_id"] == "alice"


def test_metadata_from_both_places(clients, upstream):
    request = send(
        clients,
        upstream,
        metadata={"team": "red", "both": "argument"},
        extra_body={"metadata": {"sprint": "7", "both": "extra_body"}},
    )
    own = {key: value for key, value in request.metadata.items() if not key.startswith("hermes_")}
    assert own == {"team": "red", "sprint": "7", "both": "extra_body"}
    assert request.metadata["hermes_user_id"] == "alice"


@pytest.mark.parametrize("where", ["argument", "extra_body"])
@pytest.mark.parametrize(("count", "room"), [(21, 0), (16, 0), (15, 1), (13, 3)])
def test_the_callers_pairs_are_never_dropped(where, count, room, clients, upstream):
    pairs = {f"key-{n}": str(n) for n in range(count)}
    options = {"metadata": pairs} if where == "argument" else {"extra_body": {"metadata": pairs}}
    request = send(clients, upstream, **options)
    most_telling = {"hermes_user_id": "alice", "hermes_conversation_id": "conversation-1", "hermes_chat_id": "room"}
    assert request.metadata == {**pairs, **dict(list(most_telling.items())[:room])}
    assert request.hermes["platform"] == "matrix"


def test_a_metadata_value_that_is_an_object_stays(clients, upstream):
    request = send(clients, upstream, metadata={"nested": {"a": 1}, "list": [1], "hermes_purpose": {"b": 2}})
    assert request.metadata["nested"] == {"a": 1}
    assert request.metadata["list"] == [1]
    assert request.metadata["hermes_purpose"] == {"b": 2}
    assert request.metadata["hermes_user_id"] == "alice"


@pytest.mark.parametrize("given", ["a string", ["a", "list"], 5])
@pytest.mark.parametrize("where", ["argument", "extra_body"])
def test_metadata_that_is_no_map_stays(given, where, clients, upstream):
    if where == "argument" and not isinstance(given, str):
        given = str(given)  # the SDK refuses to send anything else there
    options = {"metadata": given} if where == "argument" else {"extra_body": {"metadata": given}}
    request = send(clients, upstream, **options)
    assert request.metadata == given
    assert request.hermes["user_id"] == request.lines["user-id"] == "alice"


def test_a_pair_of_the_callers_under_our_name_counts_everywhere(clients, upstream):
    request = send(clients, upstream, metadata={"hermes_user_intent": "local"})
    assert request.metadata["hermes_user_intent"] == "local"
    assert request.hermes["user_intent"] == request.lines["user-intent"] == "local"


@pytest.mark.parametrize("name", ["X-Hermes-User-Id", "x-hermes-user-id", "X-HERMES-USER-ID"])
def test_a_header_of_the_callers_stays_and_counts_everywhere(name, clients, upstream):
    request = send(clients, upstream, extra_headers={name: "bob", "X-Other": "1"})
    assert request.header(name) == "bob"  # and only once
    assert request.header("X-Other") == "1"
    assert request.hermes["user_id"] == request.metadata["hermes_user_id"] == "bob"


@pytest.mark.parametrize("name", ["X-Hermes-User-Id", "x-hermes-user-id"])
def test_a_default_header_of_the_client_stays_and_counts_everywhere(name, clients, upstream):
    client = wrap(clients.make(default_headers={name: "bob"}), identity=WHO)
    request = send(clients, upstream, client)
    assert request.header(name) == "bob"  # and only once
    assert request.hermes["user_id"] == request.metadata["hermes_user_id"] == "bob"


def test_a_header_that_the_caller_removed_stays_removed(clients, upstream):
    request = send(clients, upstream, extra_headers={"x-hermes-user-id": Omit()})
    assert "user-id" not in request.lines
    assert request.lines["chat-id"] == "room"


def test_the_callers_user_and_safety_identifier_stay(clients, upstream):
    client = wrap(clients.make(), identity=WHO, profile="openai")
    request = send(clients, upstream, client, user="u", safety_identifier="s", prompt_cache_key="p")
    own = {"user": "u", "safety_identifier": "s", "prompt_cache_key": "p"}
    assert {**request.json, **own} == request.json


def test_naming_another_person_drops_what_was_said_of_the_first(clients, upstream):
    client = wrap(clients.make(), identity={**WHO, "user_name": "Alice"})
    with identify(user_id="bob"):
        request = send(clients, upstream, client)
    assert request.hermes["user_id"] == "bob"
    assert "user_name" not in request.hermes
    assert request.hermes["chat_id"] == "room"


def twice_wrapped(clients, options):
    return wrap(wrap(clients.make(), **options), **options)


def wrapped_and_installed(clients, options):
    install(**options)
    return wrap(clients.make(), **options)


def installed_after_wrapping(clients, options):
    client = wrap(clients.make(), **options)
    install(**options)
    return client


def installed_twice(clients, options):
    install(**options)
    install(**options)
    return clients.make()


def copy_wrapped_again(clients, options):
    return wrap(wrap(clients.make(), **options).with_options(timeout=600), **options)


def installed_and_copied(clients, options):
    install(**options)
    return wrap(clients.make(), **options).copy().with_options(timeout=600)


TWICE = [
    *(twice_wrapped, wrapped_and_installed, installed_after_wrapping),
    *(installed_twice, copy_wrapped_again, installed_and_copied),
]


@pytest.mark.parametrize("twice", TWICE)
@pytest.mark.parametrize("profile", ["dispatcher", "headers"])
def test_applying_twice_changes_nothing(twice, profile, clients, upstream):
    plugin = Plugin(user_intent="force-cloud")
    register(plugin)
    options = {"identity": WHO, "settings": {**UNHURRIED, "endpoints": [{"match": "127.0.0.1", "profile": profile}]}}

    async def main():
        await ask(wrap(clients.make(timeout=600), **options))
        await ask(twice(clients, options), timeout=600)

    clients.run(main())
    first, second = upstream.received
    assert plugin.calls == 2
    assert normal(second) == normal(first)
    assert second.lines["user-intent"] == "force-cloud"


def normal(request):
    """The request without what differs between any two calls."""
    token, length = request.lines["request-id"].encode(), request.header("content-length")
    assert length == str(len(request.body))
    return request.head.replace(token, b"-"), request.body.replace(token, b"-")
