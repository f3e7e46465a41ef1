"""What a request carries: the encoding, the limits, and whose pairs stay."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import anything, as_header_text, header_size, records, wild_text

from hermes_hints.carriers import (
    MAX_PAIRS,
    body_object,
    decode,
    digest,
    encode,
    headers,
    metadata,
    routing_token,
    text_of,
)
from hermes_hints.wire import HEADERS, MAX_HEADER_BYTES, MAX_HEADERS_BYTES, METADATA, WIRE_FIELDS

PRINTABLE = set(string.digits + string.ascii_letters + string.punctuation + " ")
HEADER_NAMES = {name for _, name in HEADERS}


def long_record():
    """Every field, each so long that they cannot all be carried."""
    return {field: field[0] * 500 for field in WIRE_FIELDS if field not in ("call", "labels", "ext")} | {
        "call": 7,
        "labels": ("a", "b"),
        "ext": {f"acme.k{number}": number for number in range(32)},
    }


@given(anything)
def test_encode_takes_anything(value):
    text = encode(value)
    assert type(text) is str
    assert len(text.encode("ascii")) <= MAX_HEADER_BYTES
    assert set(text) <= PRINTABLE
    assert text == text.strip(" ")


@given(wild_text)
@example("José\r\nX-Evil: 1")
@example("e\x01\u0301")
@example(" %41 % ")
@example("é" * 85)
@example("é" * 86)
@example("\x00" * 600 + "x")
@example(" " * 200)
def test_what_fits_comes_back_as_nfc_without_control_characters(text):
    back = decode(encode(text))
    if header_size(text) <= MAX_HEADER_BYTES:
        assert back == as_header_text(text)
    else:
        assert as_header_text(text[:1024]).startswith(back.rstrip(" "))


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S"), exclude_characters="%"), max_size=512))
def test_printable_ascii_goes_as_it_is(text):
    assert encode(text) == text


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("Jos\u00e9", "Jos%C3%A9"),
        ("Jose\u0301", "Jos%C3%A9"),
        ("José\r\nX-Evil: 1", "Jos%C3%A9X-Evil: 1"),
        ("100%", "100%25"),
        ("%41", "%2541"),
        (" padded\t", "%20padded"),
        ("a b", "a b"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("\u00a0", "%C2%A0"),
        ("\ud800", "?"),
        ("\x00\x1f\x7f\x85", ""),
        ("", ""),
        (None, "None"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (1.5, "1.5"),
        (("a", "b"), "a,b"),
        (["é"], "%C3%A9"),
        (b"x\n", "b'x\\n'"),
    ],
)
def test_encoded_values(value, header):
    assert encode(value) == header


@pytest.mark.parametrize("size", [510, 511, 512, 513, 600, 100_000])
def test_a_value_that_is_too_long_is_cut_between_characters(size):
    assert encode("x" * size) == "x" * min(size, 512)
    assert encode("é" * size) == "%C3%A9" * (512 // 6)
    assert decode(encode("日" * size)) == "日" * (512 // 9)
    assert decode(encode("x" * 509 + "é" * size)) == "x" * 509


@given(wild_text)
def test_decode_takes_anything(text):
    decode(text).encode("utf-8", "surrogatepass")


@given(wild_text)
def test_the_routing_token_has_the_form_that_proxies_take_and_stays_the_same(value):
    token = routing_token(value)
    assert 8 <= len(token) <= 256
    assert set(token) <= set(string.ascii_letters + string.digits + "_-")
    assert routing_token(value) == token
    assert routing_token(token) == token


@pytest.mark.parametrize("value", ["20261121_012008_d4149b13", "a-b_c-D9", "x" * 256])
def test_a_conversation_of_that_form_is_its_own_token(value):
    assert routing_token(value) == value


@pytest.mark.parametrize(
    "value", ["short", "x" * 257, "with blank", "agent:main:matrix", "a.b.c.d.e", "unicodé-id", "abcdefgh\n"]
)
def test_any_other_is_hashed(value):
    assert routing_token(value) == digest(value)
    assert len(digest(value)) == 64


taken_keys = st.lists(
    st.one_of(st.sampled_from([key for _, key in METADATA]), st.text(max_size=5)), unique=True, max_size=20
)


@given(records, taken_keys)
@example(long_record(), [])
@example(long_record(), [f"own{number}" for number in range(16)])
def test_metadata_keeps_the_limits_and_the_callers_pairs(record, taken):
    pairs = metadata(record, taken)
    assert len(pairs) <= max(0, MAX_PAIRS - len(taken))
    assert not pairs.keys() & set(taken)
    for key, value in pairs.items():
        assert type(value) is str
        assert 0 < len(key) <= 64
        assert len(value) <= 512
        assert key.startswith("hermes_")


@given(records)
def test_metadata_leaves_out_only_the_last_in_rank(record):
    everything = [key for field, key in METADATA if field in record and len(text_of(record[field])) <= 512]
    everything += ["hermes_ext_" + key for key in record.get("ext", {})]
    assert list(metadata(record, ())) == everything[:MAX_PAIRS]


def test_metadata_of_a_full_record():
    pairs = metadata(long_record(), {"mine", "yours"})
    assert list(pairs)[:6] == [
        f"hermes_{field}" for field in ("user_id", "conversation_id", "chat_id", "user_intent", "purpose", "platform")
    ]
    assert len(pairs) == 14


def test_labels_that_are_too_long_together_are_left_out_of_metadata_alone():
    record = {
        "user_id": "alice",
        "labels": tuple(str(number) * 500 for number in range(2)),
        "ext": {"a.b": True, "a.c": 1.5},
    }
    assert metadata(record, ()) == {"hermes_user_id": "alice", "hermes_ext_a.b": "true", "hermes_ext_a.c": "1.5"}
    assert body_object(record)["labels"] == record["labels"]


taken_names = st.sets(st.sampled_from([name.lower() for name in sorted(HEADER_NAMES)]))


@given(records, taken_names)
@example(long_record(), set())
def test_headers_keep_the_limits_and_the_callers_names(record, taken):
    lines = headers(record, taken)
    assert lines.keys() <= HEADER_NAMES
    assert not {name.lower() for name in lines} & taken
    assert all(0 < len(value.encode("ascii")) <= 512 and set(value) <= PRINTABLE for value in lines.values())
    assert sum(len(f"{name}: {value}\r\n") for name, value in lines.items()) <= MAX_HEADERS_BYTES


@given(records)
def test_headers_leave_out_nothing_that_there_is_room_for(record):
    wanted = {
        name
        for field, name in HEADERS
        if field in record and (field == "conversation_id" or as_header_text(record[field]))
    }
    most = sum(
        len(name) + 4 + min(512, max(64, header_size(record[field]))) for field, name in HEADERS if field in record
    )
    if most <= MAX_HEADERS_BYTES:
        assert headers(record, ()).keys() == wanted


def test_headers_of_a_full_record_keep_the_most_telling():
    lines = headers(long_record(), ())
    assert list(lines)[:6] == [
        f"X-Hermes-{part}" for part in ("User-Id", "Session-Id", "Chat-Id", "User-Intent", "Purpose", "Platform")
    ]
    assert "X-Hermes-Chat-Name" not in lines
    assert lines["X-Hermes-Session-Id"] == digest("c" * 500)


def test_a_short_header_still_fits_where_a_long_one_did_not():
    record = {field: "x" * 500 for field, _ in HEADERS} | {"priority": "low"}
    assert headers(record, ())["X-Hermes-Priority"] == "low"


def test_a_header_name_of_the_callers_is_left_to_the_caller():
    lines = headers({"user_id": "alice", "chat_id": "room"}, {"x-hermes-user-id"})
    assert lines == {"X-Hermes-Chat-Id": "room"}


def test_a_value_of_control_characters_alone_has_no_header():
    assert headers({"user_id": "\x01\x02", "chat_id": "room"}, ()) == {"X-Hermes-Chat-Id": "room"}


@given(records)
def test_the_body_object_is_valid_json_with_everything(record):
    found = json.loads(json.dumps(body_object(record), allow_nan=False).encode("utf-8"))
    assert found.pop("v") == 1
    labels = found.pop("labels", None)
    assert found == {key: value for key, value in record.items() if key != "labels"}
    assert labels == (list(record["labels"]) if "labels" in record else None)
    assert None not in found.values()
    assert "" not in found.values()


@given(records, taken_keys, taken_names)
def test_nothing_is_changed_in_place(record, keys, names):
    before = repr(record)
    body_object(record)["user_id"] = "changed"
    metadata(record, keys).clear()
    headers(record, names).clear()
    assert repr(record) == before


def test_the_names_of_the_contract():
    """Receivers match on these: none may change."""
    assert dict(METADATA) == {field: f"hermes_{field}" for field in WIRE_FIELDS if field != "ext"}
    assert dict(HEADERS) == {
        "user_id": "X-Hermes-User-Id",
        "user_name": "X-Hermes-User-Name",
        "chat_id": "X-Hermes-Chat-Id",
        "chat_name": "X-Hermes-Chat-Name",
        "chat_type": "X-Hermes-Chat-Type",
        "thread_id": "X-Hermes-Thread-Id",
        "conversation_id": "X-Hermes-Session-Id",
        "request_id": "X-Hermes-Request-Id",
        "platform": "X-Hermes-Platform",
        "purpose": "X-Hermes-Purpose",
        "user_intent": "X-Hermes-User-Intent",
        "command_origin": "X-Hermes-Command-Origin",
        "requested_model": "X-Hermes-Requested-Model",
        "priority": "X-Hermes-Priority",
        "experiment_arm": "X-Hermes-Experiment-Arm",
        "cost_center": "X-Hermes-Cost-Center",
    }
