"""``setup`` proposes settings for an endpoint, and writes them without touching anything else in the file."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
import yaml
from upstream import Answer

PUBLIC = ("--base-url", "https://llm.example.org/v1")
HOST = """\
# my hermes
model:
    provider: custom   # four blanks here
    base_url: 'https://llm.example.org/v1'
    api_key: sk-own
plugins:
    enabled:
    - hermes-hints   # mine
"""


@pytest.fixture
def _writable():
    pytest.importorskip("ruamel.yaml")


def answered(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_block_is_proposed_and_nothing_is_written(operator):
    operator.file.write_text(HOST)

    told = operator.run("setup", *PUBLIC)

    assert told.status == 0
    block = told.output.partition("\n\n")[2].partition("\n\n")[0]
    assert yaml.safe_load(block) == {
        "plugins": {
            "entries": {
                "hermes-hints": {
                    "settings": {
                        "endpoints": [{"match": "llm.example.org", "profile": "dispatcher", "privacy": "pseudonymous"}]
                    }
                }
            }
        }
    }
    assert operator.file.read_text() == HOST
    assert [path.name for path in operator.home.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("url", "match", "profile", "privacy"),
    [
        ("https://api.openai.com/v1", "api.openai.com", "openai", "pseudonymous"),
        ("https://api.anthropic.com", "api.anthropic.com", "anthropic", "pseudonymous"),
        ("http://10.0.0.5:8000/v1", "10.0.0.5:8000", "dispatcher", "raw"),
        ("https://LLM.Example.org:443/v1", "llm.example.org", "dispatcher", "pseudonymous"),
        ("http://[fd00::1]:8080/v1", "[fd00::1]:8080", "dispatcher", "raw"),
        ("http://me:secret@box.local/v1", "box.local", "dispatcher", "raw"),
    ],
)
def test_what_is_proposed_depends_on_the_endpoint(operator, url, match, profile, privacy):
    operator.configure()

    told = operator.run("setup", "--json", "--no-probe", "--base-url", url)

    rule = yaml.safe_load(told.json["block"])["plugins"]["entries"]["hermes-hints"]["settings"]["endpoints"][0]
    assert rule == {"match": match, "profile": profile} | ({} if privacy == "raw" else {"privacy": privacy})
    assert "secret" not in told.output


def test_an_endpoint_of_ones_own_is_asked_what_it_is(operator, upstream):
    upstream.rules.append(lambda request: Answer(content="I'm alive!") if "liveliness" in request.path else Answer(401))
    operator.configure()

    told = operator.run("setup", "--json", "--base-url", upstream.base_url)

    assert told.json["recognised"] == "LiteLLM"
    assert told.json["profile"] != "dispatcher"


def test_a_warning_comes_with_a_choice_that_does_not_fit(operator, upstream):
    upstream.rules.append(lambda _: Answer(content={"data": [{"owned_by": "hermes"}]}))
    operator.configure()

    told = operator.run("setup", "--base-url", upstream.base_url, "--endpoint-profile", "dispatcher")

    assert "mind: it would load the stored session" in told.output


def test_without_an_url_it_is_asked_and_the_main_model_s_is_the_default(operator, monkeypatch):
    operator.file.write_text(HOST)
    answered(monkeypatch, "\n")
    default = operator.run("setup")
    answered(monkeypatch, "http://127.0.0.1:9/v1\n")
    chosen = operator.run("setup", "--no-probe", "--json")

    assert default.output.startswith("Base URL of the model endpoint [https://llm.example.org:443/v1]: ")
    assert "match: llm.example.org," in default.output
    assert chosen.json["url"] == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("said", ["", "nonsense\n", "ftp://llm.example.org\n", "http://\n"])
def test_without_a_usable_url_it_is_an_error(operator, monkeypatch, said):
    answered(monkeypatch, said)

    told = operator.run("setup")

    assert told.status == 2
    assert "is no URL of an endpoint" in told.errors


def test_what_the_settings_say_already_is_not_proposed_again(operator):
    operator.configure({"endpoints": [{"match": "*.example.org", "profile": "headers"}]})

    told = operator.run("setup", "--write", *PUBLIC, "--endpoint-profile", "headers", "--privacy", "raw")

    assert told.status == 0
    assert "the settings say so already" in told.output
    assert [path.name for path in operator.home.iterdir()] == ["config.yaml"]


@pytest.mark.usefixtures("_writable")
def test_what_is_written_is_one_entry_and_every_other_byte_stays(operator):
    operator.file.write_text(HOST)

    told = operator.run("setup", "--write", "--json", *PUBLIC)

    assert told.status == 0
    after = operator.file.read_text()
    assert after == HOST.replace(
        "plugins:\n",
        "plugins:\n"
        "    entries:\n"
        "      hermes-hints:\n"
        "        settings:\n"
        "          endpoints:\n"
        "            - {match: llm.example.org, profile: dispatcher, privacy: pseudonymous}\n",
    )
    assert told.json["written"] == str(operator.file)
    (copy,) = [path for path in operator.home.iterdir() if path != operator.file]
    assert (str(copy), copy.read_text()) == (told.json["copy"], HOST)
    assert operator.run("doctor", "--json", "--no-probe").json["endpoints"][0]["profile"] == "dispatcher"


@pytest.mark.usefixtures("_writable")
def test_an_entry_goes_before_those_that_are_there(operator):
    operator.configure({"endpoints": [{"match": "*.example.org", "profile": "off"}]})

    assert operator.run("setup", "--write", *PUBLIC, "--endpoint-profile", "headers", "--privacy", "none").status == 0

    settings = operator.configuration()["plugins"]["entries"]["hermes-hints"]["settings"]
    assert settings["endpoints"] == [
        {"match": "llm.example.org", "profile": "headers", "privacy": "none"},
        {"match": "*.example.org", "profile": "off"},
    ]


@pytest.mark.usefixtures("_writable")
def test_off_is_written_so_that_yaml_reads_it_as_text(operator):
    operator.configure()

    assert operator.run("setup", "--write", *PUBLIC, "--endpoint-profile", "off").status == 0

    assert operator.run("doctor", "--json").json["settings"] == "loaded"


@pytest.mark.usefixtures("_writable")
@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_mode_and_link_stay_as_they_are_and_the_copy_is_as_private_as_the_file(operator, tmp_path):
    real = tmp_path / "dotfiles.yaml"
    real.write_text(HOST)
    real.chmod(0o640)
    operator.file.symlink_to(real)

    told = operator.run("setup", "--write", "--json", *PUBLIC)

    assert operator.file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert Path(told.json["copy"]).stat().st_mode & 0o777 == 0o640
    assert "llm.example.org, profile" in real.read_text()


@pytest.mark.usefixtures("_writable")
def test_where_there_is_no_file_one_is_made_that_nobody_else_reads(operator):
    told = operator.run("setup", "--write", *PUBLIC)

    assert told.status == 0
    assert operator.file.stat().st_mode & 0o777 == 0o600
    assert "endpoints" in operator.configuration()["plugins"]["entries"]["hermes-hints"]["settings"]


@pytest.mark.usefixtures("_writable")
def test_what_is_written_in_braces_is_left_alone_and_the_block_is_shown(operator):
    operator.file.write_text('{"model": "m", "plugins": {"enabled": ["hermes-hints"]}}')

    told = operator.run("setup", "--write", *PUBLIC)

    assert told.status == 1
    assert "not written: " in told.output
    assert "no line can be put" in told.output
    assert "- {match: llm.example.org" in told.output
    assert [path.name for path in operator.home.iterdir()] == ["config.yaml"]


def test_without_the_library_it_is_not_written_and_the_block_is_shown(operator, monkeypatch):
    operator.file.write_text(HOST)
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)

    told = operator.run("setup", "--write", *PUBLIC)

    assert told.status == 1
    assert "writing needs ruamel.yaml" in told.output
    assert "- {match: llm.example.org" in told.output
    assert operator.file.read_text() == HOST


def test_a_directory_that_cannot_be_written_is_said(operator, monkeypatch, tmp_path):
    pytest.importorskip("ruamel.yaml")
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "absent"))

    told = operator.run("setup", "--write", "--json", *PUBLIC)

    assert told.status == 1
    assert "absent" in told.json["problem"]


def test_how_the_plugin_itself_is_enabled_is_said(operator):
    operator.write({"model": "m"})

    assert "then: hermes plugins enable hermes-hints" in operator.run("setup", *PUBLIC).output


def test_settings_of_their_own_are_not_written_into(operator, tmp_path):
    settings = tmp_path / "settings.json"
    settings.write_text("{}")

    told = operator.run("setup", "--write", "--settings", str(settings), *PUBLIC)

    assert told.status == 2
    assert "does not go with --settings" in told.errors
