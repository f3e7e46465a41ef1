"""What is kept of a request and of its answer, and what is not: pure functions."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import records

from hermes_hints.carriers import body_object, headers, metadata
from hermes_hints.inspector.answers import AnswerReader
from hermes_hints.inspector.arrived import carrier_names, read_request
from hermes_hints.inspector.cells import COLUMNS, printable
from hermes_hints.inspector.credentials import STANDS_FOR, Credentials
from hermes_hints.profiles import BUILTIN
from hermes_hints.signature import sign
from hermes_hints.wire import SIGNATURE

NAMED = {"user_id": "ann", "conversation_id": "conversation-1", "purpose": "main"}
PATH = "/v1/chat/completions"


def arrived(record=None, *, lines=(), path=PATH, query=b"", key=None, carry=("body", "metadata", "headers"), **body):
    record = NAMED if record is None else record
    given = list(lines)
    if "headers" in carry:
        given += [(name.encode(), value.encode()) for name, value in headers(record, ()).items()]
    if "metadata" in carry:
        body = {**body, "metadata": {**metadata(record, ()), **body.get("metadata", {})}}
    if "body" in carry:
        body = {"hermes": body_object(record), **body}
    return read_request(path, query, given, json.dumps(body).encode(), carrier_names(BUILTIN.values()), key)


@given(records)
def test_what_hermes_hints_sends_is_read_back_and_there_is_nothing_odd_about_it(record):
    told = arrived(record)
    needed = [field for field in NAMED if field not in record]
    assert json.loads(json.dumps(told.record)) == json.loads(json.dumps(record))
    assert len(told.remarks) == len(needed)
    assert told.rung == "full"


@pytest.mark.parametrize(
    ("carry", "rung", "said"),
    [
        (("body", "headers"), "full", ()),
        (("metadata",), "full", ()),
        (("headers",), "headers", ()),
        ((), "bare", ("no hints",)),
    ],
)
def test_the_rung_is_told_by_what_arrived(carry, rung, said):
    told = arrived(carry=carry)
    assert (told.rung, told.remarks) == (rung, said)


@pytest.mark.parametrize(
    ("record", "body", "lines", "said"),
    [
        ({"purpose": "main", "conversation_id": "c-12345678"}, {}, (), "nobody is named"),
        ({"user_id": "ann", "purpose": "main"}, {}, (), "no conversation"),
        ({"user_id": "ann", "conversation_id": "c-12345678"}, {}, (), "no purpose"),
        (None, {"hermes": {**NAMED, "mood": 1, "colour": 2}}, (), "unknown in hermes: mood, colour"),
        (None, {"hermes": {**NAMED, "call": "first", "v": 1}}, (), "unusable in hermes: call"),
        (None, {"metadata": {"hermes_mood": "x", "own": "y"}}, (), "unknown in metadata: hermes_mood"),
        (None, {}, [(b"X-Hermes-Mood", b"1")], "unknown headers: x-hermes-mood"),
        (None, {"metadata": {"hermes_user_id": "ben"}}, (), "metadata and hermes disagree: user_id"),
        (None, {}, [(b"X-Hermes-Purpose", b"other")], "headers and hermes disagree: purpose"),
        (
            {**NAMED, "ext": {"a.b": 1}},
            {"metadata": {"hermes_ext_a.b": "2"}},
            (),
            "metadata and hermes disagree: ext.a.b",
        ),
    ],
)
def test_what_is_odd_is_said(record, body, lines, said):
    assert said in arrived(record, lines=lines, **body).remarks


@pytest.mark.parametrize(
    ("signed_with", "verdict", "said"),
    [
        ("0123456789abcdef", "valid", None),
        ("another key, as long", "forged", "signature forged"),
        (None, "missing", "not signed"),
    ],
)
def test_with_a_key_it_is_said_whether_it_is_signed_and_the_signature_is_not_kept(signed_with, verdict, said):
    lines = [] if signed_with is None else [(SIGNATURE.encode(), sign(NAMED, signed_with.encode()).encode())]
    told = arrived(lines=lines, key="0123456789abcdef")
    assert told.signature == verdict
    assert told.remarks == (() if said is None else (said,))
    assert "v1=" not in json.dumps(asdict(told))
    assert arrived().signature is None


KEY = "sk-never-0123456789"
PLACES = [
    {"lines": [(b"Authorization", f"Bearer {KEY}".encode())]},
    {"lines": [(b"authorization", f"bearer  {KEY}".encode())]},
    {"lines": [(b"x-api-key", KEY.encode())]},
    {"lines": [(b"api-key", KEY.encode())]},
    {"lines": [(b"X-Goog-Api-Key", KEY.encode())]},
    {"lines": [(b"Helicone-Auth", f"Bearer {KEY}".encode())]},
    {"lines": [(b"cookie", f"a=b; session={KEY}".encode())]},
    {"lines": [(b"authorization", b"Basic YW5uOnNrLW5ldmVyLTAxMjM0NTY3ODk=")]},
    {"lines": [(b"proxy-authorization", f"Bearer {KEY}".encode())]},
    {"query": f"api-version=1&key={KEY}".encode()},
    {"query": f"access_token={KEY}".encode()},
    {"api_key": KEY},
]


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_a_key_is_kept_in_no_place_also_where_it_is_repeated(place):
    record = {**NAMED, "user_id": KEY, "user_name": f"with {KEY} inside", "ext": {"a.b": KEY}}
    told = arrived(record, path=f"/v1/{KEY}/chat/completions", model=f"m-{KEY}", metadata={KEY: KEY}, **place)
    assert KEY not in json.dumps(asdict(told))
    assert told.record["user_id"] == STANDS_FOR
    assert told.record["user_name"] == f"with {STANDS_FOR} inside"


def test_no_message_is_kept_and_no_value_of_what_is_no_hint():
    said = "what nobody else may read"
    told = arrived(
        model="m",
        messages=[{"role": "system", "content": said}, {"role": "user", "content": [{"type": "text", "text": said}]}],
        tools=[{"type": "function", "function": {"name": "look", "description": said}}],
        metadata={"own": said},
        user=said,
        lines=[(b"X-Own", said.encode()), (b"User-Agent", said.encode())],
    )
    assert said not in json.dumps(asdict(told))
    assert (told.messages, told.tools, told.other_metadata, told.other_headers) == (
        2,
        ("look",),
        ("own",),
        ("x-own", "user-agent"),
    )


def test_headers_that_profiles_write_hints_into_are_shown():
    told = arrived(
        lines=[
            (b"Helicone-User-Id", b"ann"),
            (b"x-smg-routing-key", b"conversation-1"),
            (b"x-litellm-session-id", b"c"),
        ]
    )
    assert told.headers["Helicone-User-Id"] == "ann"
    assert told.headers["x-smg-routing-key"] == "conversation-1"
    assert told.record["conversation_id"] == "conversation-1"


@pytest.mark.parametrize(
    ("messages", "results"),
    [
        ([], 0),
        ([{"role": "user"}, {"role": "tool"}, {"role": "tool"}], 2),
        ([{"role": "tool"}, {"role": "user"}, {"role": "tool"}], 1),
        ([{"role": "user"}, {"role": "user", "content": [{"type": "tool_result"}, {"type": "tool_result"}]}], 2),
        ([{"role": "user"}, {"type": "function_call"}, {"type": "function_call_output"}], 1),
    ],
)
def test_results_of_tools_are_counted(messages, results):
    assert arrived(messages=messages).tool_results == results


@given(st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["hermes", "metadata", "messages", "tools", "function", "name", "content", "model", "input", "api_key", "ext"]), inner), max_leaves=20).map(lambda value: json.dumps(value).encode()), st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=5), st.binary(max_size=30))  # fmt: skip
def test_nothing_that_a_client_sends_makes_it_raise(body, lines, query):
    told = read_request(PATH, query, lines, body, frozenset(), "0123456789abcdef")
    json.dumps(asdict(told))


@given(st.text(), st.text(min_size=6))
def test_a_credential_is_in_no_text_that_is_left(text, credential):
    credentials = Credentials([(b"x-api-key", credential.encode("utf-8").hex().encode())])
    assert credential.encode().hex() not in credentials.out_of({"a": [text + credential.encode().hex() + text]})["a"][0]


CHAT_STREAM = [
    {"model": "served", "choices": [{"delta": {"content": "hi"}}]},
    {"model": "served", "choices": [{"delta": {"tool_calls": [{"function": {"name": "look", "arguments": ""}}]}}]},
    {"model": "served", "choices": [{"delta": {"tool_calls": [{"function": {"arguments": "{}"}}]}}]},
    {"model": "served", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
]
CHAT = {"model": "served", "choices": [{"message": {"tool_calls": [{"function": {"name": "look"}}]}}], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}  # fmt: skip
CALLED = {"type": "function_call", "name": "look"}
USAGE = {"input_tokens": 7, "output_tokens": 3}
RESPONSE_STREAM = [
    {"type": "response.created", "response": {"model": "served"}},
    {"type": "response.output_item.added", "item": CALLED},
    {"type": "response.completed", "response": {"model": "served", "output": [CALLED], "usage": USAGE}},
]
MESSAGE_STREAM = [
    {
        "type": "message_start",
        "message": {"model": "served", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}},
    },
    {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "look"}},
    {"type": "message_delta", "usage": {"output_tokens": 3}},
]
MESSAGE = {"model": "served", "content": [{"type": "text"}, {"type": "tool_use", "name": "look"}], "usage": USAGE}


def events(told):
    return b"".join(b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in told) + b"data: [DONE]\n\n"


def read_answer(content, *, kind="text/event-stream; charset=utf-8", packed=None, size=7):
    lines = [(b"Content-Type", kind.encode()), *([(b"content-encoding", packed)] if packed else [])]
    reader = AnswerReader(lines)
    for start in range(0, len(content), size):
        reader.feed(content[start : start + size])
    reader.end()
    return reader.model, reader.read, reader.written, reader.tools


@pytest.mark.parametrize("told", [CHAT_STREAM, RESPONSE_STREAM, MESSAGE_STREAM], ids=["chat", "responses", "messages"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_stream_tells_its_model_tokens_and_tools(told, size):
    assert read_answer(events(told), size=size) == ("served", 7, 3, ["look"])


@pytest.mark.parametrize(
    "told",
    [CHAT, {"model": "served", "output": [CALLED], "usage": USAGE}, MESSAGE],
    ids=["chat", "responses", "messages"],
)
def test_a_whole_answer_tells_them_too(told):
    assert read_answer(json.dumps(told).encode(), kind="application/json") == ("served", 7, 3, ["look"])


@pytest.mark.parametrize(("packed", "bits"), [(b"gzip", 31), (b"deflate", 15)])
def test_also_where_it_is_compressed(packed, bits):
    deflater = zlib.compressobj(wbits=bits)
    content = deflater.compress(events(CHAT_STREAM)) + deflater.flush()
    assert read_answer(content, packed=packed) == ("served", 7, 3, ["look"])


@pytest.mark.parametrize(
    "options", [{"packed": b"br"}, {"kind": "audio/mpeg"}, {"kind": "application/json"}, {"packed": b"gzip"}]
)
def test_what_cannot_be_read_tells_nothing(options):
    assert read_answer(events(CHAT_STREAM), **options) == (None, None, None, [])


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from(["text/event-stream", "application/json"]), st.sampled_from([None, b"gzip", b"deflate"]))  # fmt: skip
def test_nothing_that_an_endpoint_answers_makes_it_raise(pieces, kind, packed):
    read_answer(b"data: ".join(pieces), kind=kind, packed=packed)


def test_an_answer_that_swells_when_it_is_unpacked_is_not_read():
    deflater = zlib.compressobj(wbits=31)
    content = deflater.compress(b" " * 100_000_000) + deflater.flush()
    assert read_answer(content, kind="application/json", packed=b"gzip", size=len(content)) == (None, None, None, [])


@given(st.text())
def test_a_name_cannot_move_the_cursor_or_turn_the_line(text):
    shown = printable("\x1b[2J\u202e" + text + "\n\r\x9b")
    assert shown.isprintable()
    assert 0 < len(shown) <= 40


def test_every_column_has_a_name():
    assert len(COLUMNS) == len(set(COLUMNS)) == 12
