"""The Anthropic SDK's clients get doors once the host has imported it, and lose them with the rest."""

from __future__ import annotations

import pytest
from openai import OpenAI
from openai._models import FinalRequestOptions

from hermes_hints import uninstall
from hermes_hints.hermes.homes import stand_at_anthropic

from host_in_process import ALICE, Place  # isort: skip

NAMES = (
    "Anthropic",
    "AsyncAnthropic",
    "AnthropicBedrock",
    "AsyncAnthropicBedrock",
    "AnthropicVertex",
    "AsyncAnthropicVertex",
)


@pytest.fixture
def hermes(host):
    """Nothing here depends on the host's version."""
    hermes = host()
    hermes.load()
    return hermes


class Base:
    """What the SDK's clients have in common with OpenAI's: each request passes here, before it is tried."""

    def __init__(self, base_url):
        self.base_url = base_url
        self.sent = []

    def request(self, cast_to, options, *, stream=False, stream_cls=None):
        self.sent.append(options)
        return "answer"


def kinds():
    return {name: type(name, (Base,), {}) for name in NAMES}


def ask(client, **more):
    body = {"model": "claude", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]}
    options = FinalRequestOptions(method="post", url="/v1/messages", json_data=body, **more)
    assert client.request(object, options) == "answer"
    return client.sent.pop()


@pytest.fixture
def sdk(hermes):
    found = kinds()
    hermes.module("anthropic", **found)
    return found


def test_before_the_host_has_imported_it_there_is_nothing_to_stand_at(hermes):
    hermes.without("anthropic")

    assert stand_at_anthropic() is False


def test_every_client_that_the_sdk_has_gets_a_door_once(sdk):
    assert stand_at_anthropic() is True
    standing = {name: vars(kind)["request"] for name, kind in sdk.items()}
    stand_at_anthropic()

    assert {name: vars(kind)["request"] for name, kind in sdk.items()} == standing
    uninstall()
    assert [name for name, kind in sdk.items() if "request" in vars(kind)] == []


def test_of_a_version_that_has_fewer_those_get_one(hermes):
    kind = type("Anthropic", (Base,), {})
    hermes.module("anthropic", Anthropic=kind, AsyncAnthropic="something else")

    assert stand_at_anthropic() is True
    assert "request" in vars(kind)


def test_where_nothing_is_installed_no_door_is_built(sdk):
    uninstall()

    stand_at_anthropic()

    assert [name for name, kind in sdk.items() if "request" in vars(kind)] == []


def test_a_main_turn_is_stamped_where_it_leaves_with_what_the_api_has_a_place_for(hermes, sdk):
    client = sdk["Anthropic"](hermes.upstream.origin)

    def turn():
        request = hermes.requested("s", "hello", turn_id="t1", api_mode="anthropic_messages")
        return ask(client, headers=request["extra_headers"])

    options = hermes.started(Place(ALICE), turn, message_id="$1")

    assert options.headers["X-Hermes-User-Id"] == ALICE
    assert options.headers["X-Hermes-Request-Id"] == "t1:api:1"
    assert options.extra_json == {"metadata": {"user_id": ALICE}}


def test_a_public_host_that_nobody_named_gets_no_ticket_either(hermes, sdk):
    client = sdk["Anthropic"]("https://api.anthropic.example")

    def turn():
        request = hermes.requested("s", "hello", turn_id="t1", api_mode="anthropic_messages")
        return ask(client, headers=request["extra_headers"])

    options = hermes.started(Place(ALICE), turn, message_id="$1")

    assert options.headers == {}
    assert options.extra_json is None


def test_the_newer_hosts_hook_before_auxiliary_calls_puts_the_doors_there(host):
    hermes = host(newer=True)
    hermes.load()
    found = kinds()
    hermes.module("anthropic", **found)

    hermes.hook("pre_auxiliary_call", aux_task="title_generation", session_id="s")

    assert "request" in vars(found["Anthropic"])
    assert "request" in vars(OpenAI)
