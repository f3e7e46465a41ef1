"""``doctor`` tells an operator what is sent to whom, and what to write where something is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from upstream import Answer

from hermes_hints.errors import ConfigError
from hermes_hints.hermes.configuration import HermesSettings
from hermes_hints.ladder import Rung
from hermes_hints.pipeline import Pipeline
from hermes_hints.settings import Settings

LITELLM = Answer(content="I'm alive!")


def model(base_url, **more):
    return {"provider": "custom", "base_url": base_url, "default": "m", **more}


def as_litellm(upstream):
    upstream.rules.append(lambda request: LITELLM if request.path == "/health/liveliness" else Answer(404))


def refused(settings, base_url, rung=Rung.BARE):
    """Another process has found out that an endpoint refuses hints."""
    pipeline = Pipeline(Settings.load(settings))
    pipeline.ladder.settle(pipeline.decide(base_url).endpoint.origin, "m", rung, named=True, status=400)


def test_where_nothing_is_configured_the_defaults_count_and_all_is_well(operator):
    told = operator.run("doctor")

    assert told.status == 0
    assert "none found, so the defaults count" in told.output
    assert told.output.endswith("nothing to mend\n")


def test_an_endpoint_of_ones_own_is_shown_with_all_that_it_gets(operator, upstream):
    operator.configure(model=model(upstream.base_url))

    told = operator.run("doctor", "--json")

    assert told.status == 0
    (endpoint,) = told.json["endpoints"]
    assert endpoint["url"] == upstream.base_url
    assert endpoint["places"] == ["model"]
    assert (endpoint["profile"], endpoint["privacy"]) == ("dispatcher", "raw")
    assert endpoint["reason"] == "a loopback address"
    assert endpoint["sends"][0].startswith("hermes (")
    assert endpoint["sends"][1:] == ["metadata (16 entries)", "16 headers"]
    assert told.json["problems"] == told.json["notes"] == []


def test_what_is_said_to_be_sent_is_named_never_quoted(operator, upstream):
    operator.configure({"privacy": "none"}, model=model(upstream.base_url))

    sends = operator.run("doctor", "--json").json["endpoints"][0]["sends"]

    assert len(sends) == 3
    assert "16 headers" not in sends  # who and where are not among them


def test_each_place_that_names_a_model_endpoint_is_found(operator, monkeypatch):
    monkeypatch.setenv("OWN_URL", "http://127.0.0.1:1/own")
    operator.configure(
        model={"provider": "custom:lab", "default": "m"},
        fallback_providers=[model("http://127.0.0.1:2/v1"), {"provider": "deep", "model": "d"}],
        custom_providers=[{"name": "lab", "base_url": "http://127.0.0.1:3/v1", "model": "m"}],
        providers={"deep": {"api": "http://127.0.0.1:4/v1"}, "own": {"url": "${OWN_URL}"}},
        auxiliary={"vision": model("http://127.0.0.1:3/v1"), "title": {"provider": "auto", "base_url": ""}},
        delegation={"base_url": "http://127.0.0.1:5/v1"},
    )

    endpoints = operator.run("doctor", "--json", "--no-probe").json["endpoints"]

    assert {endpoint["url"]: endpoint["places"] for endpoint in endpoints} == {
        "http://127.0.0.1:3/v1": ["model", "auxiliary.vision", "custom_providers.lab"],
        "http://127.0.0.1:2/v1": ["fallback_providers.0"],
        "http://127.0.0.1:4/v1": ["fallback_providers.1", "providers.deep"],
        "http://127.0.0.1:5/v1": ["delegation"],
        "http://127.0.0.1:1/own": ["providers.own"],
    }


@pytest.mark.parametrize(
    "odd",
    [
        {"model": "just-a-name"},
        {"model": {"provider": "somewhere", "default": "m"}},
        {"model": ["a"], "custom_providers": {"x": 1}, "auxiliary": [1], "providers": "x", "fallback_providers": 5},
        {"model": {"base_url": "http://[bad:hush@x"}},
        {"model": {"base_url": 5}, "custom_providers": [None, "x", {"name": 3}], "providers": {1: None}},
    ],
)
def test_an_odd_configuration_is_no_failure(operator, odd):
    operator.configure(**odd)

    assert operator.run("doctor", "--no-probe").status == 0


def test_where_a_provider_leads_that_only_hermes_knows_is_said_to_be_unknown(operator):
    operator.configure(model={"provider": "somewhere", "default": "m"})

    notes = operator.run("doctor", "--json").json["notes"]

    assert [note["what"] for note in notes] == ["model: provider somewhere, and where that leads is not known here"]


def test_a_public_host_that_nobody_named_is_not_asked_and_gets_nothing_until_the_line_is_written(operator):
    operator.configure(model=model("https://llm.example.org/v1"))

    told = operator.run("doctor", "--json")

    assert told.status == 0
    assert told.json["endpoints"][0]["sends"] == []
    assert told.json["endpoints"][0]["answer"] == "not asked"
    (note,) = told.json["notes"]
    assert "llm.example.org:443 gets no hints" in note["what"]
    operator.mend(note["remedy"])
    after = operator.run("doctor", "--json", "--no-probe").json
    assert after["notes"] == []
    assert after["endpoints"][0]["privacy"] == "pseudonymous"
    assert after["endpoints"][0]["sends"] != []


def test_only_the_asked_for_key_is_sent_and_only_where_it_is_asked_for(operator, upstream, monkeypatch):
    monkeypatch.setenv("LAB_KEY", "sk-of-the-lab")
    operator.configure(
        model=model(upstream.base_url, api_key="sk-main"),
        custom_providers=[{"name": "lab", "base_url": f"{upstream.origin}/lab", "key_env": "LAB_KEY"}],
    )

    operator.run("doctor")
    bare = upstream.take()
    operator.run("doctor", "--probe")
    keyed = upstream.take()
    operator.run("doctor", "--no-probe")

    assert [request.header("authorization") for request in bare] == [None] * len(bare)
    assert len(bare) > 1
    assert {
        (request.path, request.header("authorization")) for request in keyed if request.header("authorization")
    } == {
        ("/v1/models", "Bearer sk-main"),
        ("/lab/models", "Bearer sk-of-the-lab"),
    }
    assert upstream.received == []


def test_litellm_should_not_have_the_whole_object_and_the_line_mends_it(operator, upstream):
    as_litellm(upstream)
    operator.configure(model=model(upstream.base_url))

    told = operator.run("doctor", "--json")

    assert told.status == 1
    assert told.json["endpoints"][0]["recognised"] == "LiteLLM"
    (problem,) = told.json["problems"]
    operator.mend(problem["remedy"])
    after = operator.run("doctor", "--json")
    assert (after.status, after.json["problems"]) == (0, [])


def test_another_hermes_should_not_have_a_session_header_and_the_line_mends_it(operator, upstream):
    upstream.rules.append(lambda _: Answer(content={"data": [{"owned_by": "hermes"}]}))
    operator.configure(model=model(upstream.base_url))

    told = operator.run("doctor", "--json")

    assert told.status == 1
    operator.mend(told.json["problems"][0]["remedy"])
    assert operator.run("doctor").status == 0


def test_an_endpoint_that_the_settings_alone_name_is_asked_too(operator, upstream):
    as_litellm(upstream)
    operator.configure({"endpoints": [{"match": upstream.origin, "profile": "headers"}]})

    (endpoint,) = operator.run("doctor", "--json").json["endpoints"]

    assert endpoint["places"] == ["endpoints.0"]
    assert endpoint["recognised"] == "LiteLLM"


def test_each_rule_is_shown_with_what_it_covers_and_one_that_never_counts_is_named(operator):
    rules = [
        {"match": "10.0.0.0/8", "profile": "headers"},
        {"match": "10.1.1.1", "profile": "off"},
        {"match": "*.example.org", "profile": "openai"},
    ]
    operator.configure({"endpoints": rules}, model=model("http://10.2.2.2/v1"))

    told = operator.run("doctor", "--json", "--no-probe").json

    covers = {rule["match"]: rule["covers"] for rule in told["rules"]}
    assert covers["10.0.0.0/8"] == ["http://10.2.2.2:80/v1"]
    assert covers["*.example.org"] == []
    (note,) = told["notes"]
    assert "10.1.1.1 of endpoints never counts: 10.0.0.0/8 stands before it" in note["what"]


@pytest.mark.parametrize(("rung", "less"), [(Rung.BARE, []), (Rung.HEADERS, ["user", "16 headers"])])
def test_a_rung_that_another_process_found_out_is_shown_and_the_line_ends_it(operator, upstream, rung, less):
    operator.configure(model=model(upstream.base_url))
    refused({}, upstream.base_url, rung)

    told = operator.run("doctor", "--json")

    assert told.status == 1
    (endpoint,) = told.json["endpoints"]
    assert [(held["model"], held["rung"]) for held in endpoint["rungs"]] == [("m", rung.name.lower())]
    assert endpoint["sends"] == less
    (problem,) = told.json["problems"]
    assert "refused hints for m" in problem["what"]
    operator.mend(problem["remedy"])
    after = operator.run("doctor", "--json")
    assert after.status == 0
    assert after.json["endpoints"][0]["rungs"] == []


def test_a_rung_is_shown_to_people_with_its_time(operator, upstream):
    operator.configure(model=model(upstream.base_url))
    refused({}, upstream.base_url)

    assert "rung    bare for m until " in operator.run("doctor").output


WRONG = {
    "a misspelt key": {"endpoint": []},
    "a key that is none": {"qqq": 1},
    "a profile that is none": {"endpoints": [{"match": "llm.example.org", "profile": "dispatch"}]},
    "a misspelt privacy": {"endpoints": [{"match": "llm.example.org", "privacy": "pseudonymus"}]},
    "a misspelt key in a rule": {"endpoints": [{"match": "llm.example.org", "profil": "headers"}]},
    "a rule without match": {"endpoints": [{"profile": "headers"}]},
    "a rule that is only a host": {"endpoints": ["llm.example.org"]},
    "a match that is none": {"endpoints": [{"match": "http://user:pw@llm.example.org"}]},
    "everything for everybody": {"endpoints": [{"match": "*", "profile": "dispatcher"}]},
    "no list": {"endpoints": {"match": "llm.example.org"}},
    "a privacy that is none": {"privacy": "secret"},
    "no budget": {"budget_ms": 0},
    "a text for a number": {"budget_ms": "fast"},
    "plugins that are no mapping": {"plugins": ["a"]},
    "a directory that is a list": {"hints_directory": ["a"]},
    "names that are a number": {"disabled_plugins": 5},
    "a short form without hints": {"commands": {"cloud": {}}},
    "a key for pseudonyms that is too short": {"pseudonym_key": "abc"},
}


@pytest.mark.parametrize("mistake", WRONG)
def test_settings_that_do_not_load_are_told_exactly_and_the_line_mends_them(operator, mistake):
    operator.configure(WRONG[mistake])
    with pytest.raises(ConfigError) as raised:
        Pipeline(HermesSettings.load(WRONG[mistake], where="plugins.entries.hermes-hints.settings"))

    told = operator.run("doctor", "--json")

    assert told.status == 2
    (problem,) = told.json["problems"]
    assert problem["what"] == told.json["settings"] == str(raised.value)
    operator.mend(problem["remedy"])
    assert operator.run("doctor", "--json", "--no-probe").json["settings"] == "loaded"


def test_settings_that_do_not_load_are_told_to_people(operator):
    operator.configure({"endpoint": []})

    told = operator.run("doctor")

    assert told.status == 2
    assert "settings: WRONG, so no request is stamped" in told.output
    assert "did you mean 'endpoints'?" in told.output


def test_a_plugin_that_hermes_does_not_load_is_a_problem_and_the_line_mends_it(operator):
    operator.write({"model": "m", "plugins": {"enabled": ["other"]}})

    told = operator.run("doctor", "--json")

    assert told.status == 1
    operator.mend(told.json["problems"][0]["remedy"])
    assert operator.run("doctor").status == 0


def test_a_plugin_that_is_disabled_is_a_problem_and_the_line_mends_it(operator):
    operator.configure(plugins={"disabled": ["hermes-hints"]})

    told = operator.run("doctor", "--json")

    assert told.status == 1
    operator.mend(told.json["problems"][0]["remedy"])
    assert operator.run("doctor").status == 0


def test_isolation_from_the_process_that_calls_models_is_a_problem_and_the_line_mends_it(operator):
    operator.configure(plugins={"isolation": "host"})

    told = operator.run("doctor", "--json")

    assert told.status == 1
    operator.mend(told.json["problems"][0]["remedy"])
    assert operator.run("doctor").status == 0


def test_safe_mode_is_a_problem(operator, monkeypatch):
    operator.configure()
    monkeypatch.setenv("HERMES_SAFE_MODE", "1")

    told = operator.run("doctor")

    assert told.status == 1
    assert "run: unset HERMES_SAFE_MODE" in told.output


def test_a_hint_plugin_that_fails_is_a_problem_and_the_line_mends_it(operator):
    operator.plugin("broken", "1 / 0\n")
    operator.configure(plugins={"enabled": ["hermes-hints", "broken"]})

    told = operator.run("doctor", "--json")

    assert told.status == 1
    (problem,) = told.json["problems"]
    assert "hint plugin broken" in problem["what"]
    assert "ZeroDivisionError: division by zero" in problem["what"]
    assert told.errors == ""
    operator.mend(problem["remedy"])
    assert operator.run("doctor").status == 0


def test_a_hint_plugin_that_nobody_enabled_is_noted_with_the_line_that_loads_it(operator):
    operator.plugin("quiet", "@hookimpl\ndef contribute_hints(call):\n    return None\n")
    operator.configure()

    told = operator.run("doctor", "--json")

    assert told.status == 0
    operator.mend(told.json["notes"][0]["remedy"])
    (plugin,) = operator.run("doctor", "--json").json["plugins"]
    assert (plugin["name"], plugin["state"]) == ("quiet", "loaded")


def test_looking_at_pseudonyms_makes_no_key(operator, upstream, tmp_path):
    operator.configure({"privacy": "pseudonymous"}, model=model(upstream.base_url))

    told = operator.run("doctor", "--json")

    assert told.json["endpoints"][0]["sends"] != []
    assert not (tmp_path / "hermes-hints").exists()


def test_a_key_that_others_may_read_is_a_problem(operator, upstream, tmp_path):
    key = tmp_path / "hermes-hints" / "pseudonym.key"
    key.parent.mkdir()
    key.write_text("k" * 64)
    key.chmod(0o644)
    operator.configure({"privacy": "pseudonymous"}, model=model(upstream.base_url))

    told = operator.run("doctor", "--json")

    assert told.status == 1
    assert told.json["problems"][0]["remedy"] == {"place": "shell", "line": f"chmod 600 {key}"}
    key.chmod(0o600)
    assert operator.run("doctor").status == 0


def test_no_secret_of_the_configuration_is_printed(operator, upstream):
    secrets = [
        "sk-of-main",
        "sk-of-lab",
        "hush-hush",
        "the-own-key-of-pseudonyms",
        "s3cret-in-the-query",
        "deep-secret",
    ]
    operator.configure(
        {"pseudonym_key": secrets[3], "plugins": {"mine": {"token": secrets[5]}}, "privacy": "pseudonymous"},
        model=model(upstream.base_url, api_key=secrets[0]),
        custom_providers=[
            {
                "name": "lab",
                "base_url": f"https://me:{secrets[2]}@llm.example.org/v1?key={secrets[4]}",
                "api_key": secrets[1],
            }
        ],
    )

    for arguments in (("doctor",), ("doctor", "--json"), ("doctor", "--probe"), ("explain",), ("explain", "--json")):
        told = operator.run(*arguments)
        assert told.status == 0
        assert [secret for secret in secrets if secret in told.everything] == []


@pytest.mark.parametrize(
    "settings",
    [
        {"pseudonym_kye": "hush-hush-hush-hush"},
        {"pseudonym_key": "hush-hush"},
        {"pseudonym_key": ["hush-hush"]},
        {"plugin": {"a": "hush-hush"}},
        {"plugins": "hush-hush"},
    ],
)
def test_no_secret_of_wrong_settings_is_printed(operator, settings):
    operator.configure(settings)

    assert operator.run("doctor").status == 2
    for arguments in (
        ("doctor",),
        ("doctor", "--json"),
        ("list",),
        ("explain",),
        ("setup", "--base-url", "http://127.0.0.1:9/v1"),
    ):
        assert "hush" not in operator.run(*arguments).everything


@pytest.mark.parametrize("content", ["a: [1, 2\n", "- a\n- b\n", "a: b: c\n", b"\xff\xfe\x00"])
def test_a_configuration_that_is_no_mapping_of_yaml_is_an_error_that_names_the_file(operator, content):
    operator.file.write_bytes(content if isinstance(content, bytes) else content.encode())

    told = operator.run("doctor")

    assert told.status == 2
    assert str(operator.file) in told.errors


def test_a_file_that_is_named_and_not_there_is_an_error(operator, tmp_path):
    told = operator.run("doctor", "--config", str(tmp_path / "absent.yaml"))

    assert told.status == 2
    assert "absent.yaml" in told.errors


def test_another_configuration_and_settings_of_their_own_can_be_named(operator, upstream, tmp_path):
    config, settings = tmp_path / "other.yaml", tmp_path / "settings.json"
    config.write_text(
        f"model: {{provider: custom, base_url: '{upstream.base_url}'}}\nplugins: {{enabled: [hermes-hints]}}"
    )
    settings.write_text(json.dumps({"endpoints": [{"match": "127.0.0.1", "profile": "headers"}]}))

    told = operator.run("doctor", "--json", "--config", str(config), "--settings", str(settings))

    assert told.json["configuration"] == str(config)
    assert told.json["endpoints"][0]["profile"] == "headers"


def test_without_a_yaml_library_the_message_says_what_helps(operator, monkeypatch, tmp_path):
    operator.configure()
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)

    told = operator.run("doctor")

    assert told.status == 2
    assert "pip install pyyaml" in told.errors
    as_json = tmp_path / "config.json"
    as_json.write_text(json.dumps({"plugins": {"enabled": ["hermes-hints"]}}))
    assert operator.run("doctor", "--config", str(as_json)).status == 0


def test_in_a_plain_program_s_environment_there_is_no_host_to_check(operator, monkeypatch, tmp_path):
    monkeypatch.delenv("HERMES_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)

    told = operator.run("doctor", "--json")

    assert (told.status, told.json["host"], told.json["doors"]) == (0, None, {})
    assert told.json["configuration"] is None
