"""LiteLLM's own fields, filled from the record; and what is taken out before a provider sees it."""

from __future__ import annotations

import hashlib

import pytest

from hermes_hints import Identity
from hermes_hints.litellm.filling import fill, hear, remove
from hermes_hints.receive import read
from hermes_hints.wire import Record

ALICE = Record(
    user_id="@alice:example.org",
    chat_id="!ops:example.org",
    platform="matrix",
    session_id="20261121_012008_d4149b13",
    conversation_id="20261121_000000_root",
    turn_id="turn-1",
    call=2,
    purpose="main",
    labels=("a", "b"),
)
TRACE = hashlib.sha256(b"turn-1").hexdigest()


def request(**more):
    return {"model": "m", "metadata": {}, "proxy_server_request": {"headers": {}}, **more}


def filled(data, record=ALICE, tags=()):
    fill(data, record, tags)
    return data["litellm_metadata"] if "litellm_metadata" in data else data["metadata"]


@pytest.mark.parametrize("more", [{}, {"litellm_metadata": {}, "metadata": {"mine": "x"}}, {"metadata": "text"}])
def test_end_user_session_trace_and_spend(more):
    data = request(**more)
    kept = filled(data)
    assert kept["user_api_key_end_user_id"] == kept["trace_user_id"] == ALICE.user_id
    assert kept["session_id"] == data["litellm_session_id"] == ALICE.conversation_id
    assert (kept["trace_id"], kept["trace_name"], kept["generation_name"]) == (TRACE[:32], "hermes turn", "main")
    assert kept["spend_logs_metadata"] == {**ALICE.fields(), "labels": ["a", "b"]}
    assert kept["trace_metadata"]["chat_id"] == ALICE.chat_id
    assert {"purpose", "call", "turn_id"}.isdisjoint(kept["trace_metadata"])
    assert data["proxy_server_request"]["headers"]["traceparent"] == f"00-{TRACE[:32]}-{TRACE[32:48]}-01"
    assert "tags" not in kept
    if "litellm_metadata" in data:
        assert data["metadata"] == {"mine": "x"}


def test_what_the_caller_or_litellm_has_filled_stays():
    theirs = {
        "user_api_key_end_user_id": "theirs",
        "session_id": "their-session",
        "trace_id": "their-trace",
        "trace_user_id": "them",
        "trace_name": "their name",
        "generation_name": "their generation",
        "trace_metadata": {"their": "own"},
        "tags": ["first"],
        "spend_logs_metadata": {"purpose": "theirs", "more": 1},
    }
    data = request(metadata=dict(theirs), litellm_session_id="their-session")
    data["proxy_server_request"]["headers"]["traceparent"] = "theirs"
    kept = filled(data, tags=("platform", "labels", "user_name", "call"))
    assert {key: kept[key] for key in theirs} == {
        **theirs,
        "tags": ["first", "platform:matrix", "labels:a", "labels:b", "call:2"],
        "spend_logs_metadata": {**ALICE.fields(), "labels": ["a", "b"], "purpose": "theirs", "more": 1},
    }
    assert data["litellm_session_id"] == "their-session"
    assert data["proxy_server_request"]["headers"] == {"traceparent": "theirs"}


def test_a_session_header_is_the_session_and_not_the_trace():
    kept = filled(request(metadata={"session_id": "from-a-header", "trace_id": "from-a-header"}))
    assert (kept["session_id"], kept["trace_id"]) == ("from-a-header", TRACE[:32])


def test_a_span_that_litellm_has_begun_stays_the_parent():
    data = request(metadata={"litellm_parent_otel_span": object()})
    filled(data)
    assert data["proxy_server_request"]["headers"] == {}


def test_nothing_said_nothing_filled():
    data = request()
    assert filled(data, Record()) == {}
    assert data == request()


def test_what_headers_have_no_place_for_comes_with_the_spend_row():
    spend = {"user_id": "ignored", "session_id": "s-1", "turn_id": "turn-1", "purpose": "main", "other": "x"}
    data = request(metadata={"spend_logs_metadata": spend})
    assert hear(data, None)[0].fields() == {}  # it is not from hermes-hints
    data["proxy_server_request"]["headers"]["X-Hermes-User-Id"] = "@alice:example.org"
    record, verdict = hear(data, None)
    assert (record.user_id, record.session_id, record.turn_id, verdict) == ("@alice:example.org", "s-1", "turn-1", None)


def test_hints_are_taken_out_of_all_that_may_be_forwarded():
    pairs = {"hermes_user_id": "u", "mine": "x"}
    data = request(
        hermes={"user_id": "u"},
        user="u",
        metadata={**pairs, "requester_metadata": dict(pairs)},
        headers={"X-Hermes-User-Id": "u", "x-mine": "x"},
        extra_headers={"x-hermes-hints-signature": "t=1"},
        extra_body={"hermes": {}, "metadata": {"hermes_user_id": "u"}, "user": "u", "mine": "x"},
    )
    remove(data, Record(user_id="u"))
    assert data == request(
        metadata={"mine": "x", "requester_metadata": {"mine": "x"}},
        headers={"x-mine": "x"},
        extra_headers={},
        extra_body={"mine": "x"},
    )


def test_metadata_that_was_ours_alone_does_not_go_on_empty():
    data = request(litellm_metadata={}, metadata={"hermes_user_id": "u", "user_id": "u"}, user="somebody else")
    remove(data, Record(user_id="u"))
    assert "metadata" not in data
    assert data["user"] == "somebody else"
    data = request(litellm_metadata={}, metadata={"user_id": "another"})
    remove(data, Record(user_id="u"))
    assert data["metadata"] == {"user_id": "another"}


def test_the_record_of_a_request_reads_as_it_does_elsewhere():
    data = request(hermes={"user_id": "@alice:example.org", "labels": ["x"]}, metadata={"hermes_platform": "matrix"})
    data["proxy_server_request"]["headers"]["x-hermes-purpose"] = "main"
    record, _ = hear(data, None)
    assert record == read({"x-hermes-purpose": "main"}, {key: data[key] for key in ("hermes", "metadata")})
    assert Identity(user_id=record.user_id, platform=record.platform) == Identity(
        user_id="@alice:example.org", platform="matrix"
    )
