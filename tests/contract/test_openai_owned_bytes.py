"""Every byte of ours is accounted for: each profile, each privacy, each kind of endpoint, and nothing beside."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import quote

import openai
import pytest
from clients import Network, ask, result
from upstream import Answer, refusal

from hermes_hints import Identity, calling, hint, hookimpl, register, unregister, wrap
from hermes_hints.profiles import BUILTIN

KEY = "a key of the operator's own"
WHO = {
    "user_id": "alice@corp.example",
    "user_id_alt": "+49 151 2345678",
    "user_name": "Alice Archer",
    "platform": "matrix",
    "chat_id": "!ops-room",
    "chat_name": "Ops with Alice",
    "chat_type": "group",
    "thread_id": "thread-9",
    "message_id": "message-1",
    "session_id": "session-2",
    "conversation_id": "conversation-1",
    "session_key": "matrix:!ops-room:alice",
    "parent_session_id": "session-0",
    "agent": "hermes-agent/0.19.0",
    "profile": "default",
}
CALL = {"request_id": "request-1", "turn_id": "turn-1", "task_id": "task-1", "call": 2, "purpose": "main"}
HINTS = {
    "user_intent": "force-cloud",
    "command_origin": "/hint",
    "requested_model": "large",
    "priority": "high",
    "experiment_arm": "arm-b",
    "cost_center": "centre-7",
    "labels": ["label-x", "label-y"],
    "ext": {"acme.region": "eu-west"},
}
RECORD: Mapping[str, Any] = {**WHO, **CALL, **HINTS}

NAMES = {"user_name", "chat_name"}
WHO_AND_WHERE = {
    *("user_id", "user_id_alt", "user_name", "platform", "chat_id", "chat_name", "chat_type"),
    *("thread_id", "message_id", "session_key"),
}
IDS = {
    *("user_id", "user_id_alt", "chat_id", "thread_id", "message_id", "session_key"),
    *("session_id", "conversation_id", "parent_session_id", "request_id", "turn_id", "task_id"),
}
PERSONAL = [WHO[field] for field in WHO if field in (IDS | NAMES) & WHO_AND_WHERE]
LEFT_OUT = {"raw": set[str](), "pseudonymous": NAMES, "none": WHO_AND_WHERE}

RANKED = (
    *("user_id", "conversation_id", "chat_id", "user_intent", "purpose", "platform", "session_id"),
    *("requested_model", "priority", "cost_center", "experiment_arm", "request_id", "turn_id", "thread_id"),
    *("user_name", "chat_name", "chat_type", "command_origin", "labels", "parent_session_id", "task_id", "call"),
    *("message_id", "session_key", "agent", "profile", "user_id_alt"),
)
HEADERS = {
    "x-hermes-user-id": "user_id",
    "x-hermes-session-id": "conversation_id",
    "x-hermes-chat-id": "chat_id",
    "x-hermes-user-intent": "user_intent",
    "x-hermes-purpose": "purpose",
    "x-hermes-platform": "platform",
    "x-hermes-request-id": "request_id",
    "x-hermes-thread-id": "thread_id",
    "x-hermes-requested-model": "requested_model",
    "x-hermes-priority": "priority",
    "x-hermes-cost-center": "cost_center",
    "x-hermes-experiment-arm": "experiment_arm",
    "x-hermes-command-origin": "command_origin",
    "x-hermes-user-name": "user_name",
    "x-hermes-chat-type": "chat_type",
    "x-hermes-chat-name": "chat_name",
}


class Allowed(NamedTuple):
    """What a profile may add, and of which field."""

    headers: Mapping[str, str] = {}
    body: Mapping[str, str] = {}
    """By path."""
    metadata: bool = False
    """As many of the ranked fields as OpenAI takes."""
    objects: Mapping[str, Mapping[str, str]] = {}
    """Headers that are JSON objects, in their order."""
    baggage: Mapping[str, str] = {}
    """Members of the header ``baggage``, in their order."""


PLACE = ("chat_id", "chat_type", "thread_id", "platform")
OF_CALL = ("purpose", "turn_id", "request_id", "agent", "profile")
OF_HINTS = ("user_intent", "command_origin", "requested_model", "priority", "experiment_arm", "cost_center")
IN_LITELLM = {
    "litellm_metadata.trace_user_id": "user_id",
    "litellm_metadata.generation_name": "purpose",
    **{
        f"litellm_metadata.spend_logs_metadata.{field}": field
        for field in (
            *("user_id", "conversation_id", "session_id", *PLACE, *OF_CALL, *OF_HINTS),
            *("user_name", "chat_name"),
        )
    },
}
TRACED = (
    *("chat_id", "chat_type", "thread_id", "platform", "turn_id", "request_id", "purpose", "agent", "profile"),
    *OF_HINTS,
)
ALLOWED = {
    "dispatcher": Allowed(HEADERS, {f"hermes.{field}": field for field in RECORD}, metadata=True),
    "headers": Allowed(HEADERS),
    "openai": Allowed(body={"safety_identifier": "user_id", "prompt_cache_key": "conversation_id"}),
    "litellm": Allowed({**HEADERS, "x-litellm-end-user-id": "user_id"}, IN_LITELLM),
    "langfuse": Allowed(
        {"x-litellm-end-user-id": "user_id"},
        {
            **IN_LITELLM,
            "litellm_metadata.session_id": "conversation_id",
            "litellm_metadata.trace_id": "turn_id",
            "litellm_metadata.trace_name": "turn_id",
            **{
                f"litellm_metadata.trace_metadata.{field}": field
                for field in (*PLACE, *OF_CALL, *OF_HINTS, "user_name", "chat_name")
            },
        },
    ),
    "portkey": Allowed(
        {"x-portkey-trace-id": "conversation_id"},
        objects={
            "x-portkey-metadata": {
                "_user": "user_id",
                **{
                    field: field for field in ("conversation_id", *PLACE, *OF_CALL, *OF_HINTS, "user_name", "chat_name")
                },
            }
        },
    ),
    "helicone": Allowed(
        {
            "helicone-user-id": "user_id",
            "helicone-session-id": "conversation_id",
            "helicone-session-path": "purpose",
            "helicone-session-name": "chat_name",
            **{f"helicone-property-{field.replace('_', '-')}": field for field in (*PLACE, *OF_CALL, *OF_HINTS)},
        }
    ),
    "bifrost": Allowed(
        {
            **HEADERS,
            "x-bf-session-id": "conversation_id",
            "x-bf-dim-platform": "platform",
            "x-bf-dim-purpose": "purpose",
            "x-bf-dim-cost-center": "cost_center",
        }
    ),
    "vllm-router": Allowed({**HEADERS, "x-session-id": "conversation_id"}),
    "sglang-gateway": Allowed({**HEADERS, "x-smg-routing-key": "conversation_id"}),
    "envoy": Allowed({**HEADERS, "agent-session-id": "conversation_id"}),
    "openrouter": Allowed(
        body={
            "user": "user_id",
            "session_id": "conversation_id",
            "trace.trace_id": "turn_id",
            "trace.generation_name": "purpose",
        },
        metadata=True,
    ),
    "hermes": Allowed(
        {
            f"x-hermes-{field.replace('_', '-')}": field
            for field in (
                *("user_id", "user_name", "chat_id", "chat_name", "chat_type", "thread_id"),
                *("session_key", "conversation_id"),
            )
        }
    ),
    "otel": Allowed(
        baggage={
            "user.id": "user_id",
            "session.id": "conversation_id",
            "gen_ai.conversation.id": "conversation_id",
            **{f"hermes.{field}": field for field in TRACED},
        }
    ),
    "anthropic": Allowed(),
    "bedrock": Allowed(),
    "off": Allowed(),
}
"""In a chat completion that is not stored."""
HASHED = {"safety_identifier", "user"}

NAMED = "llm.example.org"
CHOSEN = {
    "as it is written": "http://llm.example.org/v1",
    "upper case": "HTTP://LLM.Example.ORG/v1",
    "a trailing dot": "http://llm.example.org./v1",
    "a port": "http://llm.example.org:8443/v1",
}
NOT_CHOSEN = {
    "another host": "http://api.example.com/v1",
    "a longer name": "http://llm.example.org.example.com/v1",
    "a sibling": "http://evil-llm.example.org/v1",
    "a child": "http://a.llm.example.org/v1",
    "userinfo that looks like it": "http://llm.example.org@example.com/v1",
    "a path that looks like it": "http://example.com/llm.example.org/v1",
    "a public address": "http://8.8.8.8/v1",
    "an address in IPv6": "http://[2001:db8::1]:8080/v1",
    "a private address written into a public name": "http://10.0.0.1.example.com/v1",
    "a letter that only looks like one": "http://llm.ex\u0430mple.org/v1",
    "the same in IDNA": "http://llm.xn--exmple-4nf.org/v1",
}
PRIVATE = {
    "loopback": "http://127.0.0.1:4000/v1",
    "loopback in IPv6": "http://[::1]:4000/v1",
    "a private network": "http://10.1.2.3/v1",
    "a private network in IPv6": "http://[fd00::1]:8000/v1",
    "a name of one label": "http://litellm:4000/v1",
    "a name of the house": "http://GPU.internal./v1",
}


@pytest.fixture
def arrived(clients):
    """What arrives of a call at an endpoint, and of the same call of a bare client."""

    def arrived(base_url, settings, call=ask):
        network = Network()

        async def main():
            client = clients.make(base_url=base_url, http_client=network.http_client(clients.kind))
            await call(client)
            with calling(**CALL), hint(**HINTS):
                await call(wrap(client, identity=Identity(**WHO), settings={"pseudonym_key": KEY, **settings}))

        clients.run(main())
        asked = [request for request in network.received if request.method == "GET"]
        bare, stamped = (request for request in network.received if request not in asked)
        assert all(request.bare and request.path.endswith("/capabilities") for request in asked)
        return added(stamped, bare), stamped

    return arrived


def added(stamped, bare) -> tuple[dict[str, str], dict[str, Any]]:
    """The headers and the paths of the body by which two requests differ; what both have must be the same."""
    before = {name.lower(): value for name, value in bare.pairs if name.lower() != "content-length"}
    after = {name.lower(): value for name, value in stamped.pairs if name.lower() != "content-length"}
    assert {name: after[name] for name in before} == before
    assert {key: stamped.json[key] for key in bare.json} == bare.json
    lines = {name: after[name] for name in after.keys() - before.keys()}
    return lines, dict(paths({key: stamped.json[key] for key in stamped.json.keys() - bare.json.keys()}))


def paths(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and path != "hermes.ext":
        for key, inner in value.items():
            yield from paths(inner, f"{path}.{key}".removeprefix("."))
    else:
        yield path, value


def pseudonym(value: str) -> str:
    return hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest()


def as_seen(field: str, privacy: str, place: str) -> object:
    value = RECORD[field]
    if privacy == "pseudonymous" and field in IDS:
        value = pseudonym(value)
    if place == "litellm_metadata.trace_name":
        return "hermes turn"
    if place == "litellm_metadata.trace_id":
        return hashlib.sha256(str(value).encode()).hexdigest()[:32]
    if place == "helicone-session-path":
        return f"/{value}"
    return pseudonym(value) if place in HASHED else value


def expected(profile: str, privacy: str) -> tuple[dict[str, str], dict[str, Any]]:
    allowed, gone = ALLOWED[profile], LEFT_OUT[privacy]
    lines = {name: as_seen(field, privacy, name) for name, field in allowed.headers.items() if field not in gone}
    body = {path: as_seen(field, privacy, path) for path, field in allowed.body.items() if field not in gone}
    if body and profile == "dispatcher":
        body["hermes.v"] = 1
    if allowed.metadata:
        fields = [field for field in RANKED if field not in gone][:16]
        texts = {field: as_seen(field, privacy, "metadata") for field in fields}
        body.update({f"metadata.hermes_{field}": text_of(text) for field, text in texts.items()})
    for header, names in allowed.objects.items():
        entries = {name: as_seen(field, privacy, name) for name, field in names.items() if field not in gone}
        lines[header] = json.dumps(entries, separators=(",", ":"))
    members = {name: str(as_seen(field, privacy, name)) for name, field in allowed.baggage.items() if field not in gone}
    if members:
        lines["baggage"] = ",".join(f"{name}={quote(value, safe='!/@:')}" for name, value in members.items())
    return lines, body


def text_of(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def test_every_profile_has_its_line():
    assert ALLOWED.keys() == BUILTIN.keys()


@pytest.mark.parametrize("privacy", LEFT_OUT)
@pytest.mark.parametrize("profile", ALLOWED)
def test_a_host_that_was_chosen_gets_its_profile_and_nothing_else(profile, privacy, arrived):
    settings = {"endpoints": [{"match": NAMED, "profile": profile, "privacy": privacy}]}

    for url in CHOSEN.values():
        (lines, body), _ = arrived(url, settings)
        assert (lines, body) == expected(profile, privacy)


@pytest.mark.parametrize("profile", ALLOWED)
@pytest.mark.parametrize("base_url", NOT_CHOSEN.values(), ids=NOT_CHOSEN)
def test_a_public_host_that_was_not_chosen_gets_nothing_whatever_others_get(base_url, profile, arrived):
    rules = [{"match": NAMED, "profile": profile}, {"match": "10.0.0.0/8", "profile": profile}]

    change, _ = arrived(base_url, {"endpoints": rules})

    assert change == ({}, {})


@pytest.mark.parametrize("privacy", LEFT_OUT)
@pytest.mark.parametrize("base_url", PRIVATE.values(), ids=PRIVATE)
def test_your_own_networks_get_all_carriers(base_url, privacy, arrived):
    change, _ = arrived(base_url, {"privacy": privacy})

    assert change == expected("dispatcher", privacy)


@pytest.mark.parametrize("profile", ALLOWED)
@pytest.mark.parametrize("privacy", ["pseudonymous", "none"])
def test_nothing_that_says_who_or_where_is_in_any_byte(profile, privacy, arrived, caplog):
    settings = {"endpoints": [{"match": NAMED, "profile": profile, "privacy": privacy}]}

    _, request = arrived(CHOSEN["as it is written"], settings)

    sent = (request.head + request.body).decode("latin-1").lower()
    assert [value for value in (*PERSONAL, "alice", "archer", "2345678", "ops") if value.lower() in sent] == []
    assert [value for value in PERSONAL if value in caplog.text] == []


async def embeddings(client):
    await result(client.embeddings.create(model="m", input="Hi"))


async def models(client):
    await result(client.get("/models", cast_to=object))


@pytest.mark.parametrize("profile", ALLOWED)
def test_what_is_no_llm_call_carries_nothing(profile, clients):
    network = Network()

    async def main():
        client = clients.make(base_url=CHOSEN["as it is written"], http_client=network.http_client(clients.kind))
        await models(wrap(client, identity=Identity(**WHO), profile=profile, settings={"pseudonym_key": KEY}))

    clients.run(main())
    assert network.received[0].lines == {}
    assert network.received[0].body == b""


@pytest.mark.parametrize(("profile", "gets"), [("openai", False), ("dispatcher", True), ("headers", True)])
def test_embeddings_take_no_field_that_openai_does_not_know_there(profile, gets, arrived):
    settings = {"endpoints": [{"match": NAMED, "profile": profile}]}

    change, _ = arrived(CHOSEN["as it is written"], settings, embeddings)

    assert change == (expected(profile, "raw") if gets else ({}, {}))


@contextmanager
def plugin(found):
    register(found, "Indiscreet")
    try:
        yield
    finally:
        unregister("Indiscreet")


class Indiscreet:
    @hookimpl
    def contribute_hints(self, call, identity):
        msg = f"cannot serve {identity.user_id} in {identity.chat_name}"
        raise LookupError(msg)


def test_no_log_line_above_debug_says_who_or_where(clients, upstream, caplog):
    """A plugin that fails, hints that are junk, an endpoint that refuses, a redirect, a public host."""
    upstream.queue.extend(
        [
            refusal(400, f"Unknown parameter: 'hermes', {WHO['user_id']}."),
            Answer(),
            Answer(307, b"", {"location": f"/v1/elsewhere?{WHO['user_name']}".replace(" ", "%20")}),
        ]
    )

    async def main():
        client = clients.make()
        with calling(**CALL), hint(**HINTS), plugin(Indiscreet()):
            for _ in range(3):
                with suppress(openai.APIError):
                    await ask(wrap(client.copy(), identity=Identity(**WHO)))
            away = clients.make(base_url=CHOSEN["a port"], http_client=Network().http_client(clients.kind))
            await ask(wrap(away, identity=Identity(**WHO)), extra_body={"hermes": {"user_id": [WHO["user_id"]]}})

    with caplog.at_level(logging.INFO):
        clients.run(main())

    said = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records if "hermes" in record.name)
    assert "Indiscreet" in said
    assert "llm.example.org" in said
    assert [value for value in (*PERSONAL, "alice", "Archer", "2345678") if value in said] == []
