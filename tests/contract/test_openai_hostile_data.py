"""Whatever who asks, hints, plugins and callers hold: what leaves is valid HTTP and JSON, within limits, and the caller's.

Each request is compared with the one that a bare client makes of the same call.
"""

from __future__ import annotations

import copy
import importlib
import json
import re
from contextlib import ExitStack

import h11
import model_answers
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import anything, calls, hints, identities, ids, json_values, vendor_keys, wild_text

from hermes_hints import calling, hint, hookimpl, identify, receive, register, wrap
from hermes_hints.profiles import BUILTIN
from hermes_hints.wire import HEADERS, METADATA, WIRE_FIELDS

http = importlib.import_module("httpx2" if openai.__version__.startswith("3.") else "httpx")

OURS = [name for _, name in HEADERS]
LISTS = {"baggage", *(name.lower() for profile in BUILTIN.values() for name in profile.json_headers)}
"""Headers of which the caller's entries stay and others are put beside them."""
NATIVE = sorted({name.split(".")[0] for profile in BUILTIN.values() for name in profile.native_body})
BODIES = {
    "/chat/completions": {"model": "m", "messages": [{"role": "user", "content": "Grüß Gott"}]},
    "/responses": {"model": "m", "input": "Grüß Gott"},
    "/completions": {"model": "m", "prompt": "Hi"},
    "/embeddings": {"model": "m", "input": ["a"]},
    "/messages": {"model": "m", "max_tokens": 9, "messages": []},
    "/images/generations": {"model": "m", "prompt": "A cat"},
}

words = st.one_of(
    st.sampled_from(["hermes", "metadata", "user", "store", "model", "stream_options", "ext", "labels", "v", *NATIVE]),
    st.sampled_from([*WIRE_FIELDS, *(key for _, key in METADATA), "hermes_ext_acme.region", "acme.region"]),
    wild_text,
)
objects = st.dictionaries(words, st.one_of(json_values, ids), max_size=20)
bodies = st.dictionaries(words, st.one_of(objects, json_values), max_size=6)
tokens = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,20}", fullmatch=True).filter(
    lambda name: name.lower() not in ("host", "content-length", "content-type", "connection", "te", "transfer-encoding")
)
lines = st.dictionaries(
    st.one_of(st.sampled_from([*OURS, *map(str.lower, OURS), *sorted(LISTS)]), tokens),
    st.one_of(
        st.from_regex(r"([!-~]([ -~]{0,40}[!-~])?)?", fullmatch=True), st.sampled_from(['{"a": "b"}', "a=b,c=d"])
    ),
    max_size=6,
)
returned = st.one_of(
    anything, hints, st.dictionaries(st.one_of(st.sampled_from(WIRE_FIELDS), vendor_keys), anything, max_size=6)
)


class Wire:
    """The calls that leave, in the order in which they do."""

    def __init__(self):
        self.requests = []

    def answer(self, request):
        if request.method == "POST":  # and not a question that a profile has first
            self.requests.append(request)
        content, _ = model_answers.to(request.method, request.url.path, b"{}")
        return http.Response(200, json=content)


class Plugin:
    told = None

    @hookimpl
    def contribute_hints(self):
        return self.told


@pytest.fixture(scope="module")
def wire():
    return Wire()


@pytest.fixture(scope="module")
def bare(wire):
    with http.Client(transport=http.MockTransport(wire.answer)) as inner:
        yield openai.OpenAI(api_key="k", max_retries=0, base_url="https://llm.example.org/v1", http_client=inner)


@pytest.fixture
def plugin():
    contributing = Plugin()
    register(contributing)
    return contributing


def sent(client, wire, path, options):
    """The one request that leaves, or the error where none does."""
    wire.requests.clear()
    try:
        client.post(path, cast_to=object, body=dict(BODIES[path]), options=dict(options))
    except Exception as error:  # noqa: BLE001 - the caller's own values, which a bare client refuses too
        assert wire.requests == []
        return error
    (request,) = wire.requests
    return request


def written(request):
    """The request as HTTP/1.1, by a library that refuses what is not; its headers, and the body it carries."""
    connection = h11.Connection(h11.CLIENT)
    head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
    data = connection.send(head) + connection.send(h11.Data(request.content)) + connection.send(h11.EndOfMessage())
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=2**20)
    server.receive_data(data)
    arrived = server.next_event()
    assert arrived.target == request.url.raw_path
    return [(name.decode(), value.decode("ascii")) for name, value in arrived.headers], request.content


def refuse(constant):
    message = f"{constant} is no JSON"
    raise AssertionError(message)


def check_kept(ours, theirs, where="the body"):
    """All of ``theirs`` is in ``ours``, as it was and where it was."""
    assert type(ours) is type(theirs), where
    if not isinstance(theirs, dict):
        assert json.dumps(ours) == json.dumps(theirs), where
        return
    for key, value in theirs.items():
        assert key in ours, f"{where}: {key!r} is gone"
        check_kept(ours[key], value, f"{where}: {key!r}")


def check_body(profile, content, before):
    ours, theirs = json.loads(content, parse_constant=refuse), json.loads(before)
    allowed = {"hermes", "metadata", *(name.split(".")[0] for name in profile.native_body)}
    # An object of ours that the caller set to null has no value, and is absent.
    theirs = {key: value for key, value in theirs.items() if value is not None or key not in allowed}
    check_kept(ours, theirs)
    assert ours.keys() - theirs.keys() <= allowed
    if isinstance(pairs := ours.get("metadata"), dict):
        own = theirs.get("metadata") or {}
        added = {key: value for key, value in pairs.items() if key not in own}
        assert len([key for key in added if key.startswith("hermes_")]) <= max(0, 16 - len(own))
        assert all(len(key) <= 64 for key in added if key.startswith("hermes_"))
        texts = [value for key, value in added.items() if key.startswith("hermes_")]
        assert all(isinstance(value, str) and 0 < len(value) <= 512 for value in texts)
    if isinstance(said := ours.get("hermes"), dict):
        own = theirs.get("hermes") or {}
        alone = receive.read(None, {"hermes": {key: value for key, value in said.items() if key not in own}})
        assert alone.fields().keys() == said.keys() - own.keys() - {"v"}, "a receiver would not take some of it"


def check_headers(arrived, before):
    theirs = [(name.lower(), value) for name, value in before if name.lower() != "content-length"]
    ours = [(name.lower(), value) for name, value in arrived if name.lower() != "content-length"]
    names, own = [name for name, _ in ours], [name for name, _ in theirs]
    assert all(names.count(name) == max(1, own.count(name)) for name in names), "a header is there twice"
    for name, value in theirs:
        if name in LISTS:
            assert (
                dict(ours)[name].startswith(value) or json.loads(value).items() <= json.loads(dict(ours)[name]).items()
            )
        else:
            assert (name, value) in ours
    added = [(name, value) for name, value in ours if name not in dict(theirs)]
    assert all(re.fullmatch(r"[!-~]([ -~]*[!-~])?", value) for _, value in added)
    lines = [(name, value) for name, value in added if name.startswith("x-hermes-")]
    assert all(len(value) <= 512 for _, value in lines)
    assert sum(len(f"{name}: {value}\r\n") for name, value in lines) <= 4096
    assert sum(len(f"{name}: {value}\r\n") for name, value in added) <= 32_768


@pytest.mark.parametrize("privacy", ["raw", "pseudonymous", "none"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    profile=st.sampled_from(sorted(BUILTIN)),
    path=st.sampled_from(sorted(BODIES)),
    who=identities,
    wishes=hints,
    call=calls,
    told=returned,
    extra=st.one_of(st.none(), bodies),
    metadata=st.one_of(st.none(), objects),
    headers=st.one_of(st.none(), lines),
    signed=st.booleans(),
)
def test_a_whole_request(
    privacy, bare, wire, plugin, profile, path, who, wishes, call, told, extra, metadata, headers, signed
):
    plugin.told = told
    body = {"metadata": metadata} if metadata is not None and path != "/images/generations" else {}
    options = {"extra_json": {**body, **(extra or {})} or None, "headers": headers}
    options = {key: value for key, value in options.items() if value is not None}
    kept = copy.deepcopy(options)
    before = sent(bare, wire, path, options)
    chosen = {"budget_ms": 1000, **({"signing_key": "a key of sixteen bytes or more"} if signed else {})}
    client = wrap(bare.copy(), profile=profile, privacy=privacy, settings=chosen)

    with ExitStack() as scopes:
        for scope in (identify(who), hint(wishes), calling(call)):
            scopes.enter_context(scope)
        request = sent(client, wire, path, options)

    assert repr(options) == repr(kept)
    if isinstance(before, Exception):
        assert type(request) is type(before)
        return
    arrived, content = written(request)
    theirs, plain = written(before)
    assert request.url == before.url
    check_headers(arrived, theirs)
    check_body(BUILTIN[profile], content, plain)
    receive.read(arrived, content)
