"""``callback_settings: hermes_hints`` in LiteLLM's configuration."""

from __future__ import annotations

import pytest

from hermes_hints.errors import ConfigError
from hermes_hints.litellm.callback import Configuration, read_configuration

KEY = "sixteen bytes or more"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("HERMES_HINTS_SIGNING_KEY", raising=False)


def test_nothing_is_needed(tmp_path):
    assert read_configuration(None, tmp_path) == read_configuration({}, tmp_path) == Configuration()


def test_everything_that_can_be_given(tmp_path, monkeypatch):
    (tmp_path / "rules.yaml").write_text("rules:\n  - {match: {purpose: main}, model: large}\n")
    monkeypatch.setenv("THE_KEY", KEY)
    given = {"rules": "rules.yaml", "tags": ["platform", "labels"], "signing_key": "os.environ/THE_KEY"}
    read = read_configuration(given, tmp_path)
    assert read.rules is not None
    assert (read.rules.models, read.rules.default) == (("large",), None)
    assert (read.tags, read.signing_key) == (("platform", "labels"), KEY)
    assert read_configuration({**given, "rules": str(tmp_path / "rules.yaml")}, tmp_path / "elsewhere") == read


def test_the_key_may_come_from_the_environment_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HINTS_SIGNING_KEY", KEY)
    assert read_configuration({}, tmp_path).signing_key == KEY
    assert read_configuration({"signing_key": KEY[::-1]}, tmp_path).signing_key == KEY[::-1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["rules.yaml"], "callback_settings: hermes_hints is ['rules.yaml']; it must be a mapping of rules, tags"),
        ({"rule": "x"}, "callback_settings: hermes_hints has no field 'rule'; did you mean 'rules'?"),
        ({"rules": 5}, "hermes_hints: rules is no text; write one, or os.environ/NAME"),
        ({"rules": "nowhere.yaml"}, "nowhere.yaml' cannot be read (No such file or directory); name a YAML file"),
        ({"rules": "os.environ/NOWHERE"}, "rules names the environment variable 'NOWHERE', which is not set; set it"),
        ({"tags": "platform"}, "hermes_hints: tags is 'platform'; write a list of fields, such as [platform, purpose]"),
        ({"tags": ["platfrom"]}, "hermes_hints: tags has no field 'platfrom'; did you mean 'platform'?"),
        ({"tags": ["ext"]}, "hermes_hints: tags has no field 'ext'"),
        ({"signing_key": "short"}, "hermes_hints: signing_key: is 5 bytes long; give at least 16 random ones"),
        ({"signing_key": ["secret"]}, "hermes_hints: signing_key is no text; write one"),
    ],
)
def test_mistakes_name_the_key_the_value_and_the_remedy(tmp_path, given, said):
    with pytest.raises(ConfigError) as caught:
        read_configuration(given, tmp_path)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_mistake_in_the_rules_names_the_file_and_the_line(tmp_path):
    (tmp_path / "rules.yaml").write_text("rules:\n  - match: {purpose: main}\n    modle: large\n")
    with pytest.raises(ConfigError) as caught:
        read_configuration({"rules": "rules.yaml"}, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'rules.yaml'}, line 3: rule 1 has no field 'modle'")
