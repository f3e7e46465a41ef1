"""Who gets what: the operator's rules first, then one's own networks everything and public hosts nothing."""

from __future__ import annotations

import logging

import pytest

from hermes_hints import ConfigError, Settings, hookimpl, register
from hermes_hints.endpoints import parse_endpoint
from hermes_hints.notices import once
from hermes_hints.pipeline import Pipeline
from hermes_hints.policy import Policy
from hermes_hints.profiles import BUILTIN, find_profile

PUBLIC = "https://api.example.com/v1"
PRIVATE = "http://gpu:8000/v1"
LOOPBACK = "http://127.0.0.1:4000/v1"


def decided(url, settings=None, privacy=None):
    decision = Policy(Settings.load(settings), privacy).decide(parse_endpoint(url))
    return decision.profile.name, decision.privacy


@pytest.mark.parametrize(
    ("url", "profile"),
    [
        (LOOPBACK, "dispatcher"),
        (PRIVATE, "dispatcher"),
        ("http://gpu.local", "dispatcher"),
        (PUBLIC, "off"),
        ("", "off"),
        ("junk", "off"),
    ],
)
def test_without_rules_ones_own_networks_get_everything_and_others_nothing(url, profile):
    assert decided(url) == (profile, "raw")


def test_the_first_rule_that_covers_an_endpoint_counts():
    settings = {
        "endpoints": [
            {"match": "api.example.com:8443", "profile": "headers"},
            {"match": "api.example.com", "profile": "openai", "privacy": "pseudonymous"},
            {"match": "*.example.com", "profile": "dispatcher"},
            {"match": "gpu", "profile": "off"},
            {"match": "*", "profile": "off"},
        ]
    }
    assert decided("https://api.example.com:8443/v1", settings) == ("headers", "raw")
    assert decided(PUBLIC, settings) == ("openai", "pseudonymous")
    assert decided("https://other.example.com", settings) == ("dispatcher", "raw")
    assert decided(PRIVATE, settings) == ("off", "raw")
    assert decided(LOOPBACK, settings) == ("off", "raw")


def test_a_public_host_that_is_named_gets_everything_unless_said_otherwise():
    assert decided(PUBLIC, {"endpoints": [{"match": "api.example.com"}]}) == ("dispatcher", "raw")


LEVELS = ("raw", "pseudonymous", "none")


@pytest.mark.parametrize("asked", [*LEVELS, None])
@pytest.mark.parametrize("general", LEVELS)
@pytest.mark.parametrize("rule", LEVELS)
def test_the_strictest_privacy_counts(rule, general, asked):
    settings = {"privacy": general, "endpoints": [{"match": "gpu", "privacy": rule}]}
    strictest = max(rule, general, asked or "raw", key=LEVELS.index)
    assert decided(PRIVATE, settings, asked)[1] == strictest
    assert decided(LOOPBACK, settings, asked)[1] == max(general, asked or "raw", key=LEVELS.index)
    named = Policy(Settings.load(settings), asked).named(parse_endpoint(PRIVATE), BUILTIN["headers"])
    assert (named.profile.name, named.privacy) == ("headers", strictest)


def test_a_public_host_is_said_once_with_the_remedy(caplog):
    policy = Policy(Settings())
    for url in (PUBLIC, PUBLIC, "https://api.example.com/other", LOOPBACK, PRIVATE):
        policy.decide(parse_endpoint(url))
    Policy(Settings()).decide(parse_endpoint(PUBLIC))
    lines = [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert len(lines) == 1
    assert lines[0].levelno == logging.WARNING
    assert "https://api.example.com:443 is a public host" in lines[0].getMessage()
    assert "{match: api.example.com, profile: …}" in lines[0].getMessage()


def test_credentials_in_a_base_url_are_not_said(caplog):
    caplog.set_level(logging.DEBUG)
    Policy(Settings()).decide(parse_endpoint("https://key:secret@api.example.com/v1?key=secret"))
    assert "api.example.com" in caplog.text
    assert "secret" not in caplog.text


def test_a_named_public_host_and_ones_own_are_not_worth_a_word(caplog):
    policy = Policy(Settings.load({"endpoints": [{"match": "api.example.com", "profile": "headers"}]}))
    for url in (PUBLIC, LOOPBACK, PRIVATE):
        policy.decide(parse_endpoint(url))
    assert caplog.records == []


def test_each_decision_says_by_what():
    policy = Policy(Settings.load({"endpoints": [{"match": "*.example.com", "profile": "off"}]}))
    reasons = [policy.decide(parse_endpoint(url)).reason for url in (PUBLIC, LOOPBACK, PRIVATE, "https://8.8.8.8")]
    assert reasons == [
        "endpoints: *.example.com",
        "a loopback address",
        "a private address",
        "a public host that nobody named",
    ]


def test_a_profile_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ConfigError) as refused:
        find_profile("dispatchr", key="endpoints.0.profile")
    assert "endpoints.0.profile: there is no profile 'dispatchr'" in str(refused.value)
    assert all(name in str(refused.value) for name in BUILTIN)


def test_only_off_is_silent():
    assert [name for name, profile in BUILTIN.items() if profile.silent] == ["off"]


def test_what_is_said_once_is_said_again_at_debug_only(caplog):
    for _ in range(3):
        once(logging.WARNING, ("test", "key"), "said %s", "thing")
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == ["said thing"]


def test_a_process_with_much_to_say_forgets_and_goes_on(caplog):
    for number in range(3000):
        once(logging.INFO, ("test", number), "said")
    once(logging.WARNING, ("test", 2999), "said")
    assert [record for record in caplog.records if record.levelno == logging.WARNING] == []


def test_what_was_decided_while_something_changed_does_not_stay():
    """One thread decides, another learns something and decides about another endpoint, and the first one ends."""
    pipeline = Pipeline(Settings())
    decide = pipeline.policy.decide
    url, decided = "http://127.0.0.1:4000/v1", []

    class Changed:
        @hookimpl
        def contribute_hints(self):
            return None

    class Slow:
        def decide(self, endpoint):
            decided.append(endpoint.port)
            found = decide(endpoint)
            if len(decided) == 1:
                register(Changed)
                pipeline.decide("http://127.0.0.1:5000/v1")
            return found

    pipeline.policy = Slow()
    for _ in range(3):
        pipeline.decide(url)
    assert decided == [4000, 5000, 4000]
