"""What config.yaml says of hermes-hints: defaults, the host's own rule for plugins, and mistakes that name themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from hermes_hints.errors import ConfigError
from hermes_hints.hermes.configuration import admission, home, load_settings, section

PLACE = "plugins.entries.hermes-hints.settings"


def configured(settings):
    return {"plugins": {"entries": {"hermes-hints": {"settings": settings}}}}


@pytest.fixture(autouse=True)
def hermes_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "configuration",
    [{}, {"plugins": None}, {"plugins": {"entries": {}}}, configured(None), configured({})],
)
def test_without_settings_the_defaults_count_and_plugins_lie_in_the_home(configuration, hermes_home):
    (hermes_home / "hints").mkdir()
    settings = load_settings(configuration)

    assert (settings.commands, settings.confirm, settings.privacy) == ({}, False, "raw")
    assert settings.hints_directory == hermes_home / "hints"


def test_a_home_without_a_place_for_plugins_has_none(hermes_home):
    assert load_settings({}).hints_directory is None


def test_the_operators_own_directory_counts(tmp_path):
    assert load_settings(configured({"hints_directory": str(tmp_path / "mine")})).hints_directory == tmp_path / "mine"


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_hosts_variable_its_home_is_where_the_host_has_it(monkeypatch, value):
    monkeypatch.delenv("HERMES_HOME") if value is None else monkeypatch.setenv("HERMES_HOME", value)

    assert home() == Path.home() / ".hermes"


def test_reading_leaves_the_configuration_as_it_was():
    configuration = configured({})

    load_settings(configuration)

    assert configuration == configured({})


def test_a_hint_plugin_has_its_settings_under_its_own_name():
    entries = {
        "hermes-hints": {"settings": {"plugins": {"both": {"at": "hermes-hints"}, "there": {"at": "hermes-hints"}}}},
        "both": {"settings": {"at": "its own"}},
        "own": {"settings": {"at": "its own"}},
        "disabled": {"settings": {"at": "its own"}},
        "another kind": "of plugin",
        "yet another": {"settings": {1: "key"}, "config": {}},
        "and another": {"settings": None},
    }
    enabled = ["hermes-hints", "both", "own", "another kind", "yet another", "and another", "not there"]

    settings = load_settings({"plugins": {"enabled": enabled, "entries": entries}})

    assert settings.plugins == {
        "both": {"at": "hermes-hints"},
        "there": {"at": "hermes-hints"},
        "own": {"at": "its own"},
    }


@pytest.mark.parametrize("name", ["cloud", "c", "my-cloud", "gpt5", "c" * 32])
def test_a_short_form_that_the_host_can_take(name):
    commands = load_settings(configured({"commands": {name: {"user_intent": "x", "acme.region": "eu"}}})).commands

    assert commands == {name: {"user_intent": "x", "ext": {"acme.region": "eu"}}}


@pytest.mark.parametrize("name", ["hint", "Cloud", "my_cloud", "5g", "-x", "", "c" * 33, "a b", "/cloud", "cloud\n"])
def test_a_short_form_that_cannot_be_a_command_is_named(name):
    with pytest.raises(ConfigError) as raised:
        load_settings(configured({"commands": {name: {"user_intent": "x"}}}))

    assert str(raised.value).startswith(f"{PLACE}.commands: {name!r} cannot be a command; use lower-case letters")


@pytest.mark.parametrize(
    ("hints", "reason"),
    [
        ({}, "give it at least one hint, such as {user_intent: force-cloud}"),
        ({"user_intent": ""}, "give it at least one hint"),
        ({"priority": "urgent"}, "priority must be one of low, normal, high"),
        ({"user_intent": "x", "user_intention": "y"}, "did you mean 'user_intent'?"),
        ({"user_intent": "x", "user_id": "me"}, "only the host or the caller may set"),
    ],
)
def test_hints_of_a_short_form_that_are_none_are_told_with_the_reason(hints, reason):
    with pytest.raises(ConfigError) as raised:
        load_settings(configured({"commands": {"cloud": hints}}))

    assert str(raised.value).startswith(f"{PLACE}.commands: /cloud: ")
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"confrim": True}, "did you mean 'confirm'?"),
        ({"comands": {}}, "did you mean 'commands'?"),
        ({"confirm": "sometimes"}, f"{PLACE}.confirm"),
        ({"commands": ["cloud"]}, f"{PLACE}.commands"),
        ({"commands": {"cloud": "force-cloud"}}, f"{PLACE}.commands.cloud"),
        ({"privacy": "secret"}, "(it is 'secret')"),
    ],
)
def test_a_mistake_names_key_and_place(settings, told):
    with pytest.raises(ConfigError) as raised:
        load_settings(configured(settings))

    assert PLACE in str(raised.value)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("configuration", "where"),
    [
        ({"plugins": ["hermes-hints"]}, "plugins: must be a mapping, not list"),
        ({"plugins": {"entries": "x"}}, "plugins.entries: must be a mapping, not str"),
        ({"plugins": {"entries": {"hermes-hints": 5}}}, "plugins.entries.hermes-hints: must be a mapping, not int"),
        (configured([1]), f"{PLACE}: must be a mapping, not list"),
    ],
)
def test_what_is_no_mapping_on_the_way_is_named(configuration, where):
    with pytest.raises(ConfigError) as raised:
        load_settings(configuration)

    assert str(raised.value) == where


def test_a_section_is_what_stands_there():
    assert section({"a": {"b": {"c": 1}}}, "a.b") == {"c": 1}
    assert section({"a": {}}, "a.b.c") == {}


@pytest.mark.parametrize(
    ("plugins", "reason"),
    [
        ({"enabled": ["mine"]}, None),
        ({"enabled": ["mine"], "disabled": ["other"]}, None),
        ({"enabled": ["mine"], "disabled": ["mine"]}, "in plugins.disabled of config.yaml"),
        ({"disabled": ["mine"]}, "in plugins.disabled of config.yaml"),
        ({"enabled": ["other"]}, "not in plugins.enabled of config.yaml; add mine there"),
        ({"enabled": "mine"}, "not in plugins.enabled of config.yaml; add mine there"),
        ({}, "not in plugins.enabled of config.yaml; add mine there"),
        (None, "not in plugins.enabled of config.yaml; add mine there"),
    ],
)
def test_the_hosts_own_rule_says_which_plugins_may_be_loaded(plugins, reason):
    assert admission({"plugins": plugins})("mine") == reason


def test_names_that_yaml_reads_as_numbers_are_names_all_the_same():
    assert admission({"plugins": {"enabled": [42]}})("42") is None
