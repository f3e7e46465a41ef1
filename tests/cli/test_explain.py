"""``explain`` tells of one request what really would be sent, where each field comes from, and why one is left out."""

from __future__ import annotations

import json

import pytest
from openai import OpenAI

from hermes_hints import calling, hint, identify, wrap
from hermes_hints.ladder import Rung
from hermes_hints.pipeline import Pipeline
from hermes_hints.settings import Settings

ALICE = ("--user-id", "@alice:example.org", "--user-name", "Alice Müller", "--chat-id", "!ops", "--session-id", "s-1")
PUBLIC = ("--base-url", "https://llm.example.org/v1")
PLUGINS = {
    "arms": '@hookimpl\ndef contribute_hints(call):\n    return {"experiment_arm": "a", "acme.words": len(call.user_text())}\n',
    "zeal": '@hookimpl\ndef contribute_hints(identity):\n    return {"experiment_arm": "z", "labels": [identity.chat_id]}\n',
}


def explained(operator, *arguments):
    told = operator.run("explain", "--json", *arguments)
    assert told.status == 0, told.everything
    return told.json


def row(told, field):
    (found,) = [row for row in told["fields"] if row["field"] == field]
    return found


def with_plugins(operator, **more):
    for name, code in PLUGINS.items():
        operator.plugin(name, code)
    operator.configure(plugins={"enabled": ["hermes-hints", *PLUGINS]}, **more)


def test_it_is_what_a_real_request_carries(operator, upstream):
    with_plugins(operator)
    body = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "metadata": {"own": "1"}}
    request = operator.home / "request.json"
    request.write_text(json.dumps(body))
    words = ("--purpose", "report", "--hint", "priority=high", "--hint", "acme.deep=true", "--hint", "labels=a,b")

    told = explained(operator, "--base-url", upstream.base_url, *ALICE, *words, "--request", str(request))

    client = wrap(
        OpenAI(base_url=upstream.base_url, api_key="k"),
        settings={"hints_directory": operator.home / "hints", "budget_ms": 1000},
    )
    scope = identify(user_id="@alice:example.org", user_name="Alice Müller", chat_id="!ops", session_id="s-1")
    with client, scope, calling(purpose="report"), hint(priority="high", labels=["a", "b"], ext={"acme.deep": True}):
        client.chat.completions.create(**body)
    sent = upstream.only
    lines = {name.lower().removeprefix("x-hermes-"): value for name, value in told["headers"].items()}
    assert len(lines.pop("request-id")) == 32
    assert {name: value for name, value in sent.lines.items() if name != "request-id"} == lines
    for part in (told["body"]["hermes"], sent.hermes):
        assert len(part.pop("request_id")) == 32
    for part in (told["body"]["metadata"], sent.metadata):
        assert len(part.pop("hermes_request_id")) == 32
    assert told["body"]["hermes"] == sent.hermes
    assert told["body"]["metadata"] == sent.metadata
    assert len(upstream.received) == 1


def test_each_field_is_told_with_where_it_comes_from(operator, upstream):
    with_plugins(operator)

    told = explained(
        operator,
        "--base-url",
        upstream.base_url,
        *ALICE,
        "--message",
        "hello",
        "--hint",
        "labels=x",
        "--purpose",
        "main",
    )

    sources = {row["field"]: row["source"] for row in told["fields"]}
    assert sources == {
        "user_id": "--user-id",
        "user_name": "--user-name",
        "chat_id": "--chat-id",
        "session_id": "--session-id",
        "conversation_id": "session_id",
        "purpose": "--purpose",
        "request_id": "made for it",
        "experiment_arm": "plugin zeal",
        "labels": "--hint, plugin zeal",
        "ext.acme.words": "plugin arms",
    }
    assert row(told, "experiment_arm")["overridden"] == {"plugin arms": "a"}
    assert row(told, "labels")["value"] == "!ops,x"
    assert row(told, "ext.acme.words")["value"] == "5"


def test_what_the_request_itself_says_wins_and_is_told_so(operator, upstream):
    with_plugins(operator)
    request = operator.home / "request.json"
    request.write_text(json.dumps({"hermes": {"experiment_arm": "own", "labels": ["mine"], "ext": {"own.key": 1}}}))

    told = explained(
        operator,
        "--base-url",
        upstream.base_url,
        "--message",
        "hi",
        "--request",
        str(request),
        "--header",
        "X-Hermes-Purpose=p",
    )

    assert {row["field"]: row["source"] for row in told["fields"] if row["value"] is not None} == {
        "purpose": "the request itself",
        "request_id": "made for it",
        "experiment_arm": "the request itself",
        "labels": "the request itself",
        "ext.own.key": "the request itself",
    }
    assert row(told, "experiment_arm")["overridden"] == {"plugin zeal": "z", "plugin arms": "a"}
    assert "ext of its own" in row(told, "ext.acme.words")["dropped"]["everywhere"]
    assert row(told, "purpose")["dropped"]["headers"] == "the caller's own header stays"


def test_what_was_said_of_somebody_else_is_dropped_with_the_reason(operator, upstream):
    operator.configure()

    told = explained(operator, "--base-url", upstream.base_url, *ALICE, "--header", "X-Hermes-User-Id=@bob:example.org")

    assert row(told, "user_id")["source"] == "the request itself"
    assert row(told, "user_id")["overridden"] == {"--user-id": "@alice:example.org"}
    assert "names somebody or something else" in row(told, "user_name")["dropped"]["everywhere"]
    assert "Alice" not in json.dumps(told["headers"]) + json.dumps(told["body"])


def test_privacy_none_drops_who_and_where_and_says_so(operator, upstream):
    operator.configure()

    told = explained(operator, "--base-url", upstream.base_url, *ALICE, "--privacy", "none")

    dropped = {row["field"] for row in told["fields"] if row["dropped"].get("everywhere") == "privacy none drops it"}
    assert dropped == {"user_id", "user_name", "chat_id"}
    assert "alice" not in json.dumps([told["headers"], told["body"]]).lower()


def test_pseudonyms_are_marked_and_no_key_is_made_for_showing_them(operator, upstream, tmp_path):
    operator.configure()
    arguments = ("--base-url", upstream.base_url, *ALICE, "--privacy", "pseudonymous")

    told = explained(operator, *arguments)

    assert {row["field"] for row in told["fields"] if row["pseudonym"]} >= {"user_id", "chat_id", "session_id"}
    assert row(told, "user_name")["dropped"] == {"everywhere": "privacy pseudonymous drops it"}
    assert len(row(told, "user_id")["value"]) == 64
    assert not (tmp_path / "hermes-hints").exists()
    assert "yours is made on first use" in operator.run("explain", *arguments).output


def test_pseudonyms_under_the_operator_s_own_key_are_those_that_are_sent(operator, upstream, monkeypatch):
    monkeypatch.setenv("HERMES_HINTS_KEY", "0123456789abcdef")
    operator.configure({"privacy": "pseudonymous"})

    told = explained(operator, "--base-url", upstream.base_url, "--user-id", "@alice:example.org")

    client = wrap(OpenAI(base_url=upstream.base_url, api_key="k"), settings={"privacy": "pseudonymous"})
    with client, identify(user_id="@alice:example.org"):
        client.models.list()
        client.chat.completions.create(model="m", messages=[])
    assert told["headers"]["X-Hermes-User-Id"] == upstream.last.header("X-Hermes-User-Id")


def test_what_metadata_has_no_room_for_is_told(operator, upstream):
    operator.configure()
    request = operator.home / "request.json"
    request.write_text(json.dumps({"metadata": {f"own_{n}": "x" for n in range(13)} | {"hermes_purpose": "mine"}}))

    told = explained(operator, "--base-url", upstream.base_url, *ALICE, "--request", str(request))

    fates = {row["field"]: row["carried"].get("metadata") or row["dropped"].get("metadata") for row in told["fields"]}
    assert fates["user_id"] == "hermes_user_id"
    assert fates["conversation_id"] == "hermes_conversation_id"
    assert fates["purpose"] == "the caller's own pair stays"
    assert fates["chat_id"] == fates["user_name"] == "no room: 16 pairs at most"
    assert len(told["body"]["metadata"]) == 16


def test_what_the_headers_have_no_room_for_is_told(operator, upstream):
    operator.configure()
    long = "x" * 500
    hints = ("user_intent", "requested_model", "cost_center", "experiment_arm", "command_origin")
    many = [argument for key in hints for argument in ("--hint", f"{key}={long}")]
    who = ["--user-id", long, "--chat-id", long, "--thread-id", long, "--user-name", long, "--platform", long]

    told = explained(operator, "--base-url", upstream.base_url, *who, *many)

    fates = {row["field"]: row["carried"].get("headers") or row["dropped"].get("headers") for row in told["fields"]}
    assert fates["user_id"] == "X-Hermes-User-Id"
    assert fates["user_name"] == fates["command_origin"] == "no room: 4096 bytes at most"


def test_a_field_that_has_no_header_is_told(operator, upstream):
    operator.configure()

    told = explained(operator, "--base-url", upstream.base_url, "--message-id", "$1", "--hint", "acme.x=1")

    assert row(told, "message_id")["dropped"] == row(told, "ext.acme.x")["dropped"] == {"headers": "has no header"}


def test_native_fields_of_a_profile_are_told_under_their_own_names(operator):
    operator.configure()

    told = explained(operator, *PUBLIC, *ALICE, "--endpoint-profile", "openai", "--message", "hi")

    assert row(told, "user_id")["carried"] == {"body": "safety_identifier"}
    assert row(told, "conversation_id")["carried"]["body"] == "prompt_cache_key"
    assert "not stored" in " ".join(told["notes"])
    assert set(told["body"]) == {"safety_identifier", "prompt_cache_key"}


def test_metadata_that_is_stored_is_told(operator):
    operator.configure()

    told = explained(operator, *PUBLIC, *ALICE, "--profile", "openai", "--api", "responses")

    assert row(told, "user_id")["carried"]["metadata"] == "hermes_user_id"
    assert "not stored" not in " ".join(told["notes"])


def test_a_public_host_gets_nothing_and_the_line_is_told_that_changes_it(operator):
    operator.configure()

    told = operator.run("explain", *PUBLIC, *ALICE)

    assert told.status == 0
    assert "nothing is sent: its profile is off (a public host that nobody named)" in told.output
    assert "- {match: llm.example.org, profile: dispatcher, privacy: pseudonymous}" in told.output
    assert told.errors == ""


def test_an_api_that_takes_no_body_fields_is_told(operator, upstream):
    operator.configure()

    told = explained(operator, "--base-url", upstream.base_url, *ALICE, "--api", "images.generations")

    assert told["body"] == {}
    assert "images.generations takes no further fields" in told["notes"][0]


@pytest.mark.parametrize("rung", [Rung.HEADERS, Rung.BARE])
def test_a_rung_below_the_full_one_is_told(operator, upstream, rung):
    operator.configure(model={"provider": "custom", "base_url": upstream.base_url, "default": "m"})
    pipeline = Pipeline(Settings())
    pipeline.ladder.settle(upstream.origin, "m", rung, named=True, status=400)

    told = explained(operator, *ALICE)

    assert told["rung"] == rung.name.lower()
    if rung is Rung.BARE:
        assert told["nothing"] == "it refused hints for this model a short while ago"
    else:
        assert told["body"] == {"user": "@alice:example.org"}
        assert row(told, "user_id")["carried"]["body"] == "user"
        assert "headers only" in told["notes"][0]


def test_a_plugin_that_fails_costs_its_hints_and_is_named(operator, upstream):
    operator.plugin("broken", "@hookimpl\ndef contribute_hints(call):\n    raise RuntimeError('alice')\n")
    operator.configure(plugins={"enabled": ["hermes-hints", "broken"]})

    told = operator.run("explain", "--base-url", upstream.base_url, "--message", "hi")

    assert told.status == 0
    assert "plugin broken raised in contribute_hints" in told.output
    assert "alice" not in told.everything


def test_observers_are_not_called_because_nothing_is_sent(operator, upstream):
    seen = operator.home / "seen"
    code = f"@hookimpl\ndef request_stamped(record):\n    open({str(seen)!r}, 'w').close()\n"
    operator.plugin("watcher", code)
    operator.configure(plugins={"enabled": ["hermes-hints", "watcher"]})

    explained(operator, "--base-url", upstream.base_url, *ALICE)

    assert not seen.exists()
    assert upstream.received == []


def test_a_hint_plugin_is_asked_once(operator, upstream):
    code = "asked = []\n@hookimpl\ndef contribute_hints():\n    asked.append(1)\n    return {'acme.n': len(asked)}\n"
    operator.plugin("counter", code)
    operator.configure(plugins={"enabled": ["hermes-hints", "counter"]})

    assert row(explained(operator, "--base-url", upstream.base_url), "ext.acme.n")["value"] == "1"


def test_for_people_the_same_is_a_table(operator, upstream):
    with_plugins(operator)

    told = operator.run(
        "explain", "--base-url", upstream.base_url, *ALICE, "--message", "hello", "--hint", "priority=high"
    )

    lines = [" ".join(line.split()) for line in told.output.splitlines()]
    assert "field from as it is sent body metadata headers" in lines
    assert "priority --hint high hermes.priority hermes_priority X-Hermes-Priority" in lines
    assert "experiment_arm 'a' from plugin arms" in told.output
    assert "X-Hermes-User-Name: Alice M%C3%BCller" in lines
    assert told.errors == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--base-url: say which endpoint"),
        ((*PUBLIC, "--hint", "priority"), "--hint: 'priority' is not of the form KEY=VALUE"),
        ((*PUBLIC, "--hint", "prioritee=high"), "did you mean 'priority'?"),
        ((*PUBLIC, "--hint", "priority=urgent"), "--hint priority: must be one of low, normal, high"),
        ((*PUBLIC, "--hint", f"acme.{'x' * 60}=1"), "vendor.key"),
        ((*PUBLIC, "--header", "=x"), "--header: '=x' is not of the form KEY=VALUE"),
        ((*PUBLIC, "--endpoint-profile", "dispatch"), "--endpoint-profile: there is no profile 'dispatch'"),
        ((*PUBLIC, "--request", "/absent"), "--request: /absent"),
        ((*PUBLIC, "--request", __file__), "holds no JSON"),
    ],
)
def test_an_argument_that_cannot_be_is_an_error_that_says_what_can(operator, arguments, message):
    operator.configure()

    told = operator.run("explain", *arguments)

    assert told.status == 2
    assert message in told.errors
    assert told.output == ""


def test_anthropics_api_has_a_place_for_one_thing_in_the_body(operator):
    operator.configure(model={"provider": "custom", "base_url": "http://127.0.0.1:9/anthropic", "default": "claude"})

    told = explained(operator, *ALICE)

    assert told["body"] == {"metadata": {"user_id": "@alice:example.org"}}
    assert row(told, "user_id")["carried"] == {"body": "metadata.user_id", "headers": "X-Hermes-User-Id"}
    assert row(told, "chat_id")["dropped"] == {}
    assert told["notes"] == ["body: messages takes only what it has a place for"]


def test_bedrock_has_pairs_of_its_own_and_no_headers(operator):
    operator.configure(model={"provider": "bedrock", "base_url": "http://127.0.0.1:9", "default": "m"})

    told = explained(operator, *ALICE)

    assert told["headers"] == {}
    assert told["body"]["requestMetadata"]["hermes_user_id"] == "@alice:example.org"
    assert row(told, "user_id")["carried"] == {"metadata": "hermes_user_id"}
    assert row(told, "user_id")["dropped"] == {}
    assert "headers: Hermes can put none on converse" in told["notes"]


@pytest.mark.parametrize(("argument", "api"), [((), "responses"), (("--api", "chat.completions"), "chat.completions")])
def test_the_api_is_the_endpoints_own_unless_it_is_named(operator, upstream, argument, api):
    provider = {"name": "lab", "base_url": upstream.base_url, "api_mode": "codex_responses", "model": "m"}
    operator.plugin("apis", '@hookimpl\ndef contribute_hints(call):\n    return {"acme.api": call.api}\n')
    operator.configure(plugins={"enabled": ["hermes-hints", "apis"]}, custom_providers=[provider])

    told = explained(operator, "--base-url", upstream.base_url, *argument)

    assert told["body"]["hermes"]["ext"] == {"acme.api": api}
