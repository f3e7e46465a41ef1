"""Settings: each mistake is named with its key, its value and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import anything, wild_text

from hermes_hints import ConfigError, Settings
from hermes_hints.profiles import BUILTIN
from hermes_hints.settings import state_directory

SECRET = "s3cr3t-k3y-0f-th3-0p3rat0r"
COMPLETE = {
    "endpoints": [
        {"match": "https://llm.example.org/v1", "profile": "headers", "privacy": "pseudonymous"},
        {"match": "gpu"},
    ],
    "privacy": "pseudonymous",
    "pseudonym_key": SECRET,
    "signing_key": SECRET[::-1],
    "hints_directory": "/etc/hermes-hints/plugins",
    "disabled_plugins": ["noisy"],
    "profiles": {"mine": {"like": "headers", "native_headers": {"X-Tenant": "cost_center"}}},
    "plugins": {"cost-center": {"default": "4711"}},
    "budget_ms": 5,
    "trust_plugins": False,
}


def test_everything_that_can_be_set():
    settings = Settings.load(COMPLETE)
    assert [(rule.match, rule.profile, rule.privacy) for rule in settings.endpoints] == [
        ("https://llm.example.org/v1", "headers", "pseudonymous"),
        ("gpu", "dispatcher", "raw"),
    ]
    assert (settings.privacy, settings.key_text(), settings.budget_ms) == ("pseudonymous", SECRET, 5.0)
    assert settings.signing_key_text() == SECRET[::-1]
    assert settings.hints_directory == Path("/etc/hermes-hints/plugins")
    assert settings.disabled_plugins == ("noisy",)
    assert settings.trust_plugins is False
    assert settings.plugins == {"cost-center": {"default": "4711"}}
    assert settings.profiles == COMPLETE["profiles"]
    assert set(settings.known_profiles()) == {*BUILTIN, "mine"}
    assert set(COMPLETE) == set(Settings.model_fields)


@pytest.mark.parametrize("empty", [None, {}])
def test_nothing_set_is_the_default(empty):
    assert Settings.load(empty) == Settings()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"privcy": "none"}, ["hints: ", "'privcy'", "did you mean 'privacy'?"]),
        ({"zzz": 1}, ["hints: ", "'zzz'", "known: ", "budget_ms, disabled_plugins, endpoints"]),
        ({5: 1}, ["hints: ", "known: "]),
        ({"privacy": "secret"}, ["hints.privacy: ", "'raw', 'pseudonymous' or 'none'", "(it is 'secret')"]),
        ({"privacy": None}, ["hints.privacy: ", "'raw', 'pseudonymous' or 'none'", "(it is None)"]),
        ({"budget_ms": 0}, ["hints.budget_ms: ", "greater than 0", "(it is 0)"]),
        ({"budget_ms": 5000}, ["hints.budget_ms: ", "less than or equal to 1000", "(it is 5000)"]),
        ({"budget_ms": "fast"}, ["hints.budget_ms: ", "valid number", "(it is 'fast')"]),
        ({"budget_ms": float("nan")}, ["hints.budget_ms: ", "(it is nan)"]),
        (
            {"hints_directory": "~nobody-of-that-name/x"},
            ["hints.hints_directory: ", "write the whole path", "(it is '~nobody"],
        ),
        ({"hints_directory": 5}, ["hints.hints_directory: ", "path", "(it is 5)"]),
        ({"disabled_plugins": "noisy"}, ["hints.disabled_plugins: ", "valid list", "(it is 'noisy')"]),
        ({"disabled_plugins": [5]}, ["hints.disabled_plugins.0: ", "valid string", "(it is 5)"]),
        ({"plugins": ["a"]}, ["hints.plugins: ", "valid dictionary"]),
        ({"plugins": {"a": 5}}, ["hints.plugins.a: ", "valid dictionary"]),
        ({"endpoints": {"match": "gpu"}}, ["hints.endpoints: ", "valid list"]),
        ({"endpoints": ["gpu"]}, ["hints.endpoints.0: ", "must be a mapping of settings, not str", "(it is 'gpu')"]),
        ({"endpoints": [{}]}, ["hints.endpoints.0.match: ", "required"]),
        ({"endpoints": [{"match": 5}]}, ["hints.endpoints.0.match: ", "valid string", "(it is 5)"]),
        (
            {"endpoints": [{"match": "gpu"}, {"match": "llm.example.org/v1"}]},
            ["hints.endpoints.1.match: ", "'llm.example.org/v1'", "write a host"],
        ),
        (
            {"endpoints": [{"match": "gpu", "profil": "off"}]},
            ["hints.endpoints.0: ", "'profil'", "did you mean 'profile'?"],
        ),
        (
            {"endpoints": [{"match": "gpu", "profile": "litelm"}]},
            ["hints.endpoints.0.profile: ", "no profile 'litelm'", "use one of ", "dispatcher", "off"],
        ),
        (
            {"endpoints": [{"match": "gpu", "privacy": "rwa"}]},
            ["hints.endpoints.0.privacy: ", "'raw', ", "(it is 'rwa')"],
        ),
        ({"privacy": "x", "budget_ms": 0, "zzz": 1}, ["'zzz'"]),
        ({"privacy": "x", "budget_ms": 0}, ["hints.privacy: ", "; 1 more"]),
    ],
    ids=range(25),
)
def test_a_mistake_is_named_with_key_value_and_remedy(wrong, told):
    with pytest.raises(ConfigError) as refused:
        Settings.load(wrong, where="hints")
    message = str(refused.value)
    assert [part for part in told if part not in message] == []
    assert "\n" not in message
    assert "pydantic" not in message


@pytest.mark.parametrize("match", ["*", " * ", "*:443", "https://*", "*.", "http://*:8080/v1", "0.0.0.0/0", "::/0"])
def test_what_covers_everybody_can_only_be_off(match):
    with pytest.raises(ConfigError) as refused:
        Settings.load({"endpoints": [{"match": match, "profile": "headers"}]})
    assert "settings.endpoints.0: " in str(refused.value)
    assert "covers hosts that nobody named; name each host" in str(refused.value)
    assert Settings.load({"endpoints": [{"match": match, "profile": "off"}]}).endpoints[0].profile == "off"


@pytest.mark.parametrize(
    "wrong",
    [
        {"pseudonym_key": [SECRET]},
        {"pseudonym_key": {"value": SECRET}},
        {"pseudonym_key": SECRET.encode() + b"\xff"},
        {"signing_key": [SECRET]},
        {"pseudonym_key": 5, "privacy": SECRET[:0] + "x"},
        {"pseudonym_keys": SECRET},
        {"pseudonym_key": SECRET, "privacy": "x"},
        {"plugins": SECRET},
        {"plugins": {"vault": SECRET}},
        f"pseudonym_key: {SECRET}",
        [SECRET],
    ],
    ids=range(11),
)
def test_no_mistake_shows_the_key_or_what_may_hold_one(wrong):
    with pytest.raises(ConfigError) as refused:
        Settings.load(wrong)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_the_key_is_in_no_representation():
    settings = Settings.load(COMPLETE)
    assert SECRET[::-1] not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings().privacy = "none"


@given(
    st.one_of(
        st.dictionaries(st.one_of(st.sampled_from(sorted(Settings.model_fields)), wild_text), anything, max_size=4),
        anything,
    )
)
def test_anything_is_taken_or_refused_in_one_sentence(given_settings):
    try:
        Settings.load(given_settings)
    except ConfigError as refused:
        message = str(refused)
    else:
        message = "taken"
    assert 0 < len(message) < 1000


def test_a_home_directory_is_meant_by_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.load({"hints_directory": "~/plugins"}).hints_directory == tmp_path / "plugins"


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"HERMES_HINTS_HOME": "/a", "HERMES_HOME": "/b", "XDG_STATE_HOME": "/c"}, "/a"),
        ({"HERMES_HOME": "/b", "XDG_STATE_HOME": "/c"}, "/b/hermes-hints"),
        ({"XDG_STATE_HOME": "/c"}, "/c/hermes-hints"),
        ({"HERMES_HINTS_HOME": "", "HERMES_HOME": "", "XDG_STATE_HOME": ""}, "/home/op/.local/state/hermes-hints"),
    ],
)
def test_where_state_is_kept(monkeypatch, environment, directory):
    for name in ("HERMES_HINTS_HOME", "HERMES_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/op", **environment}.items():
        monkeypatch.setenv(name, value)
    assert state_directory() == Path(directory)
    assert Settings().key_file() == Path(directory) / "pseudonym.key"


def test_an_unquoted_off_in_yaml_is_the_profile_off():
    settings = Settings.load({"endpoints": [{"match": "llm.example.org", "profile": False}]})

    assert settings.endpoints[0].profile == "off"
