"""Profiles that hint plugins declare."""

from __future__ import annotations

import logging

import pytest
from upstream import Upstream

from hermes_hints import hookimpl, identify, loaded_plugins, register, unregister, wrap
from hermes_hints.profiles import BUILTIN, Native, Profile

openai = pytest.importorskip("openai")


def plugin(declared, configured=None):
    """A plugin that declares what it is given, or what it is configured with."""

    class Declaring:
        def __init__(self):
            self.declared = declared

        @hookimpl
        def configure(self, settings):
            if configured is not None:
                self.declared = configured(settings)

        @hookimpl
        def hint_profiles(self):
            if isinstance(self.declared, BaseException):
                raise self.declared
            return self.declared

    return Declaring()


@pytest.fixture
def arrived():
    """What arrives at an endpoint whose profile a plugin declares."""
    with Upstream() as upstream:

        def arrived(ruled, settings=None, **options):
            rule = {"match": "127.0.0.1", "profile": ruled}
            client = openai.OpenAI(base_url=upstream.base_url, api_key="k")
            wrap(client, settings={"endpoints": [rule], **(settings or {})}, **options)
            with client, identify(user_id="alice", chat_id="ops"):
                client.chat.completions.create(model="m", messages=[])
            return upstream.take()[-1]

        yield arrived


GATEWAY = {"native_headers": {"X-Gateway-User": "user_id"}}


def test_a_mapping(arrived):
    register(plugin({"acme.gateway": GATEWAY}), name="acme")
    assert arrived("acme.gateway").header("X-Gateway-User") == "alice"
    assert arrived("acme.gateway").hermes is None


def test_profile_objects(arrived):
    profile = Profile("acme.gateway", "Ours.", native_headers={"X-Gateway-User": Native("user_id", prefix="u-")})
    register(plugin([profile]), name="acme")
    assert arrived("acme.gateway").header("X-Gateway-User") == "u-alice"


def test_named_by_the_program(arrived):
    register(plugin({"acme.gateway": GATEWAY}), name="acme")
    assert arrived("off", profile="acme.gateway").header("X-Gateway-User") == "alice"


def test_one_that_starts_from_another_of_the_same_plugin(arrived):
    more = {"like": "acme.gateway", "native_headers": {"X-Gateway-Room": "chat_id"}}
    register(plugin({"acme.gateway": GATEWAY, "acme.more": more}), name="acme")
    request = arrived("acme.more")
    assert (request.header("X-Gateway-User"), request.header("X-Gateway-Room")) == ("alice", "ops")


def test_declared_with_the_plugin_s_settings(arrived):
    def configured(settings):
        return {"acme.gateway": {"native_headers": {settings.get("header", "X-Unset"): "user_id"}}}

    register(plugin(None, configured), name="acme")
    settings = {"plugins": {"acme": {"header": "X-Set"}}}
    assert arrived("acme.gateway").header("X-Unset") == "alice"
    assert arrived("acme.gateway", settings).header("X-Set") == "alice"


def test_until_it_is_registered_its_endpoint_gets_nothing_which_is_said_once(arrived, caplog):
    with caplog.at_level(logging.ERROR):
        assert arrived("acme.gateway").bare
        assert arrived("acme.gateway").bare
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "127.0.0.1 has the profile acme.gateway, which no loaded hint plugin declares" in said[0]
    register(plugin({"acme.gateway": GATEWAY}), name="acme")
    assert arrived("acme.gateway").header("X-Gateway-User") == "alice"


def test_a_client_that_is_there_already_follows_what_plugins_declare():
    with Upstream() as upstream:
        rule = {"match": "127.0.0.1", "profile": "acme.gateway"}
        client = openai.OpenAI(base_url=upstream.base_url, api_key="k")
        wrap(client, settings={"endpoints": [rule]}, identity={"user_id": "alice"})
        for change in (lambda: None, lambda: register(plugin({"acme.gateway": GATEWAY}), name="acme")):
            change()
            client.chat.completions.create(model="m", messages=[])
        unregister("acme")
        client.chat.completions.create(model="m", messages=[])
        client.close()
    assert [request.header("X-Gateway-User") for request in upstream.received] == [None, "alice", None]


WRONG = {
    "no dot": ({"gateway": GATEWAY}, "gateway: a plugin's profile has a dot in its name, as in acme.gateway"),
    "a built-in one's name": ({"litellm": GATEWAY}, "there is a profile 'litellm' already"),
    "a mistake": ({"acme.x": {"haeders": True}}, "hint_profiles of acme: acme.x: a profile has no field 'haeders'"),
    "a bad field": ({"acme.x": {"span": {"a": "usr_id"}}}, "acme.x.span.a: there is no field 'usr_id'"),
    "a name that is none": ({5: GATEWAY}, "5: must be a Profile, or under its name in a mapping"),
    "no profile in a list": ([GATEWAY], "must be a Profile"),
    "text": ("acme.x", "TypeError: returned str"),
    "a number": (5, "TypeError: returned int, not a mapping of names to declarations or a list of Profile"),
    "one profile alone": (Profile("acme.x", "Ours."), "TypeError: returned Profile"),
    "a profile that was not checked": (
        [Profile("acme.x", "Ours.", native_body={"model": Native("user_id")})],
        "model decides what is answered",
    ),
    "an exception": (ValueError("no licence"), "hint_profiles raised ValueError: no licence"),
    "an exit": (SystemExit(3), "hint_profiles raised SystemExit"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_used_is_told_and_costs_nothing_else(what, arrived, caplog):
    declared, told = WRONG[what]
    listed = register(plugin(declared), name="acme")
    assert listed.state == "loaded"
    assert told in listed.error
    assert told in caplog.text
    assert arrived("dispatcher").hermes["user_id"] == "alice"


def test_the_good_ones_beside_a_wrong_one_count(arrived):
    register(plugin({"acme.x": {"haeders": True}, "acme.gateway": GATEWAY}), name="acme")
    assert arrived("acme.gateway").header("X-Gateway-User") == "alice"


def test_of_two_plugins_with_one_name_the_first_has_it(arrived):
    register(plugin({"acme.gateway": GATEWAY}), name="acme")
    second = register(plugin({"acme.gateway": {"native_headers": {"X-Other": "user_id"}}}), name="other")
    assert "there is a profile 'acme.gateway' already" in second.error
    assert arrived("acme.gateway").header("X-Other") is None


def test_nothing_of_it_is_left_in_the_built_in_ones():
    before = dict(BUILTIN)
    register(plugin({"acme.gateway": GATEWAY}), name="acme")
    unregister("acme")
    assert before == BUILTIN


def test_it_is_listed_as_a_hook():
    register(plugin({"acme.gateway": GATEWAY}), name="acme")
    assert "hint_profiles" in loaded_plugins()[0].hooks
