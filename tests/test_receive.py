"""The other side: what was sent is what is read, and nothing that a client sends makes reading fail."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import (
    anything,
    as_header_text,
    calls,
    header_size,
    hints,
    identities,
    json_values,
    record_of,
    records,
    wild_text,
)

from hermes_hints import Call, Hints, Identity, Record
from hermes_hints.carriers import body_object, headers, metadata, routing_token, text_of
from hermes_hints.receive import read
from hermes_hints.wire import HEADERS, METADATA, WIRE_FIELDS

FULL = {
    "user_id": "@josé:example.org",
    "user_id_alt": "jose@work",
    "user_name": "José\r\nX-Evil: 1",
    "platform": "matrix",
    "chat_id": "!ops:example.org",
    "chat_name": "Ops 日本 100%",
    "chat_type": "group",
    "thread_id": "$thread",
    "message_id": "$message",
    "session_id": "20261121_012008_d4149b13",
    "conversation_id": "20261120_220000_00000000",
    "session_key": "agent:main:matrix:group:!ops",
    "parent_session_id": "20261120_230000_00000000",
    "agent": "hermes-agent/0.19.0",
    "profile": "default",
    "request_id": "0123456789abcdef",
    "turn_id": "turn-7",
    "task_id": "task-1",
    "call": 3,
    "purpose": "main",
    "user_intent": "force-cloud",
    "command_origin": "/hint",
    "requested_model": "big-one",
    "priority": "high",
    "experiment_arm": "B",
    "cost_center": "4711",
    "labels": ("a", "b c"),
    "ext": {"acme.region": "eu", "acme.tier": 2, "acme.beta": True, "acme.weight": 0.5},
}


def sent(extra_headers, body):
    """As a receiver gets it: ASGI's pairs of bytes, and the body's bytes."""
    pairs = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in extra_headers.items()]
    return [(b"host", b"127.0.0.1"), *pairs], json.dumps(body).encode()


def as_in_metadata(record, taken=()):
    """What ``metadata`` can hold of a record, in its own words: 16 pairs of text, the least telling left out."""
    wanted = [field for field, key in METADATA if field in record and key not in taken]
    fits = [field for field in wanted if field != "labels" or len(",".join(record["labels"])) <= 512]
    room = max(0, 16 - len(taken))
    kept = {field: record[field] for field in fits[:room]}
    entries = [(key, value) for key, value in record.get("ext", {}).items() if f"hermes_ext_{key}" not in taken]
    entries = entries[: max(0, room - len(kept))]
    if entries:
        spelt = {True: "true", False: "false"}
        kept["ext"] = {key: spelt[value] if isinstance(value, bool) else str(value) for key, value in entries}
    return kept


@given(identities, hints, calls)
@example(
    Identity(**{key: FULL[key] for key in Identity.model_fields}),
    Hints(**{key: FULL[key] for key in Hints.model_fields}),
    Call(call=3),
)
def test_all_carriers_together_agree_with_the_sender_on_every_field(identity, wishes, call):
    record = record_of(identity, wishes, call)
    pairs, body = sent(headers(record, ()), {"hermes": body_object(record), "metadata": metadata(record, ())})
    assert read(pairs, body).fields() == record


@given(records)
def test_the_body_alone_holds_everything(record):
    assert read(None, json.dumps({"model": "m", "hermes": body_object(record)})).fields() == record
    assert read({}, {"hermes": body_object(record)}).fields() == record


@given(
    records,
    st.sets(
        st.one_of(st.sampled_from([key for _, key in METADATA]), st.text("abc", min_size=1, max_size=3)), max_size=18
    ),
)
def test_metadata_alone_holds_sixteen_pairs_of_text(record, taken):
    pairs = json.loads(json.dumps(metadata(record, taken)))
    found = read([], {"metadata": pairs}).fields()
    expected = as_in_metadata(record, taken)
    if "session_id" in expected:
        expected.setdefault("conversation_id", expected["session_id"])  # the caller had a pair of that name
    assert found == expected


@given(records)
def test_headers_alone_hold_the_short_form_of_their_fields(record):
    lines = headers(record, ())
    pairs, _ = sent(lines, {})
    found = read(pairs, None).fields()
    assert found.keys() <= {field for field, _ in HEADERS}
    for field, name in HEADERS:
        if field == "conversation_id":
            if field in record:
                assert found[field] == routing_token(record[field])
            continue
        carried = as_header_text(record.get(field, ""))
        if name not in lines:
            assert field not in found
            assert not carried or sum(map(len, lines.values())) > 2500
        elif header_size(record[field]) <= 512:
            assert found.get(field, "") == (carried if carried.strip() else "")
        else:
            assert carried.startswith(found.get(field, ""))
            assert field in found or carried.startswith(" ")  # cut to blanks alone


@given(records, st.sampled_from([str.lower, str.upper, str.title]))
def test_names_of_headers_are_read_in_any_case_from_mappings_and_pairs(record, spell):
    lines = {spell(name): value for name, value in headers(record, ()).items()}
    expected = read(headers(record, ()), None)
    assert read(lines, None) == expected
    assert read(list(lines.items()), None) == expected
    assert read(iter(lines.items()), None) == expected
    assert read([(name.encode(), value.encode()) for name, value in lines.items()], None) == expected


def test_every_field_of_a_full_record_through_each_carrier():
    assert set(FULL) == set(WIRE_FIELDS)
    assert list(read(None, {"hermes": FULL}).fields()) == list(WIRE_FIELDS)
    assert read(*sent({}, {"hermes": body_object(FULL)})).fields() == FULL
    assert read(*sent({}, {"metadata": metadata(FULL, ())})).fields() == {
        **{field: FULL[field] for field, _ in METADATA[:16]},
    }
    assert read(*sent(headers(FULL, ()), {})).fields() == {
        **{field: FULL[field] for field, _ in HEADERS},
        "user_name": "JoséX-Evil: 1",
    }


def test_text_forms_in_metadata():
    record = {"user_id": "a", "labels": ("a", "b c"), "call": 3, "ext": {"a.t": True, "a.n": 2, "a.f": 0.5, "a.s": "x"}}
    assert read(None, {"metadata": metadata(record, ())}).fields() == {
        "user_id": "a",
        "labels": ("a", "b c"),
        "call": 3,
        "ext": {"a.t": "true", "a.n": "2", "a.f": "0.5", "a.s": "x"},
    }


def test_a_conversation_that_is_no_token_is_hashed_in_headers_alone():
    record = {"conversation_id": "agent:main:matrix:group:!ops"}
    assert read(headers(record, ())).fields() == {"conversation_id": routing_token(record["conversation_id"])}
    assert (
        read(headers(record, ()), {"metadata": metadata(record, ()), "hermes": body_object(record)}).fields() == record
    )


def test_the_body_wins_over_headers_and_headers_over_metadata():
    body = {
        "hermes": {"v": 1, "user_id": "body"},
        "metadata": {"hermes_user_id": "pair", "hermes_chat_id": "pair", "hermes_platform": "pair"},
    }
    lines = {"X-Hermes-User-Id": "line", "X-Hermes-Chat-Id": "line"}
    assert read(lines, body).fields() == {"user_id": "body", "chat_id": "line", "platform": "pair"}


@pytest.mark.parametrize("form", [bytes, bytearray, str, dict])
def test_the_body_may_be_bytes_text_or_parsed(form):
    body = {"hermes": {"v": 1, "user_id": "josé"}}
    raw = json.dumps(body)
    given_body = {bytes: raw.encode, bytearray: lambda: bytearray(raw.encode()), str: lambda: raw, dict: lambda: body}[
        form
    ]()
    assert read(None, given_body).user_id == "josé"
    assert read(None, raw.encode("utf-16")).user_id == "josé"


@pytest.mark.parametrize(
    "nothing",
    [None, {}, [], b"", "", b"{}", "null", b"[1]", "5", b"\xff\xfe\x00", b'{"hermes":', "\ufeff{}", b"[" * 100_000],
)
def test_nothing_readable_is_an_empty_record(nothing):
    assert read(None, nothing) == Record()
    assert read({}, nothing).fields() == {}


@pytest.mark.parametrize(
    "junk",
    [
        None,
        5,
        "text",
        [],
        [{"user_id": "a"}],
        {"v": 2},
        {"user_id": None},
        {"user_id": ["a"]},
        {"user_id": True},
        {"user_id": ""},
    ],
)
def test_junk_in_each_place_is_left_out(junk):
    assert read(None, {"hermes": junk, "metadata": junk}).fields() == {}
    assert read(
        None, {"hermes": {"ext": junk, "labels": {"a": 1}, "chat_id": "room"}, "metadata": {"hermes_ext_": junk}}
    ).fields() == {"chat_id": "room"}


def test_one_bad_field_costs_only_itself():
    found = read(
        {"X-Hermes-Priority": "urgent", "X-Hermes-Purpose": "main", "X-Hermes-Nonsense": "x"},
        {
            "hermes": {
                "user_id": 4711,
                "user_intent": "x" * 513,
                "call": 0,
                "labels": ["a", 5, "b"],
                "unknown": 1,
                "v": 99,
                "ext": {"no-dot": 1, "a.nan": float("nan"), "a.deep": {"x": 1}, "a.good": 1, "a.big": 2**63},
            }
        },
    )
    assert found.fields() == {"user_id": "4711", "purpose": "main", "labels": ("a", "5", "b"), "ext": {"a.good": 1}}
    assert found.v == 1


def test_of_a_repeated_header_the_first_good_one_counts():
    pairs = [(b"x-hermes-user-id", b" "), (b"X-Hermes-User-Id", b"alice"), (b"x-hermes-user-id", b"eve")]
    assert read(pairs).user_id == "alice"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"Jos%C3%A9", "José"),
        (b" \talice\t ", "alice"),
        (b"100%", "100%"),
        (b"%zz", "%zz"),
        (b"%FF", "\ufffd"),
        ("Jos\u00e9", "José"),
        (b"%20a%20", " a "),
    ],
)
def test_values_of_headers(raw, text):
    assert read([("X-Hermes-User-Id", raw)]).user_id == text


def test_limits_hold_on_this_side_too():
    many = {f"a.k{number:03}": number for number in range(100)}
    found = read(
        None, {"hermes": {"ext": many, "user_id": "x" * 10_000, "user_name": "x" * 10_000, "labels": ["x"] * 10}}
    )
    assert len(found.ext) == 32
    assert len(found.user_id) <= 512
    assert len(found.user_name) == 512
    assert found.labels == ("x",)


@given(st.one_of(st.none(), json_values, st.binary(), wild_text, anything))
def test_no_body_makes_reading_fail(body):
    assert isinstance(read(None, body), Record)


field_values = st.dictionaries(st.one_of(st.sampled_from([*WIRE_FIELDS, "v"]), wild_text), json_values, max_size=6)
pair_values = st.dictionaries(
    st.one_of(st.sampled_from([key for _, key in METADATA]), st.builds("hermes_ext_{}".format, wild_text)),
    json_values,
    max_size=6,
)


@given(
    st.fixed_dictionaries(
        {}, optional={"hermes": st.one_of(field_values, json_values), "metadata": st.one_of(pair_values, json_values)}
    )
)
def test_whatever_is_in_our_places_the_record_is_good(body):
    for form in (body, json.dumps(body), json.dumps(body).encode("utf-8")):
        found = read(None, form)
        assert Record(**found.fields()) == found


header_names = st.one_of(st.sampled_from([name for _, name in HEADERS]), wild_text)
header_values = st.one_of(wild_text, st.from_regex(r"(%[0-9A-Fa-f]{2}){1,5}"))


@given(
    st.one_of(
        st.lists(st.tuples(header_names, header_values), max_size=6),
        st.dictionaries(header_names, st.one_of(header_values, st.integers(), st.none(), st.binary()), max_size=6),
        st.lists(
            st.tuples(
                st.one_of(header_names.map(lambda name: name.encode("utf-8", "replace")), st.binary()), st.binary()
            ),
            max_size=6,
        ),
    )
)
def test_no_headers_make_reading_fail(lines):
    found = read(lines, None)
    assert Record(**found.fields()) == found


def test_a_number_of_too_many_digits_is_no_body():
    assert read(None, b'{"hermes": {"user_id": ' + b"9" * 10_000 + b"}}").fields() == {}


def test_text_of_agrees_with_json_on_truth():
    assert [text_of(value) for value in (True, False, 1, 1.0, "True")] == ["true", "false", "1", "1.0", "True"]
