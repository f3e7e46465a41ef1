"""Who may name somebody, and what is taken of what they say."""

from __future__ import annotations

import base64
import json
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_hints import ConfigError, Identity
from hermes_hints.carriers import encode
from hermes_hints.inbound import IDENTITY, Admission, Refused
from hermes_hints.signature import sign

KEY = "only-for-tests-0123456789"
SECRET = "a-signing-key-of-the-senders"
BEARER = ("Authorization", f"Bearer {KEY}")
WHOLE = {
    "X-Hermes-User-Id": "alice",
    "X-Hermes-User-Name": "Alice",
    "X-Hermes-Chat-Id": "!ops",
    "X-Hermes-Chat-Name": "Ops",
    "X-Hermes-Chat-Type": "group",
    "X-Hermes-Thread-Id": "t-1",
    "X-Hermes-Conversation-Id": "c-1",
}
OPEN_WEBUI = {
    "X-OpenWebUI-User-Id": "user_id",
    "X-OpenWebUI-User-Email": "user_id_alt",
    "X-OpenWebUI-User-Name": "user_name",
    "X-OpenWebUI-Chat-Id": "chat_id",
}


def fields(admission, *lines, body=None):
    admitted = admission.admit(lines, body)
    return {} if admitted is None else admitted.identity.fields()


def refusal(admission, *lines, body=None):
    with pytest.raises(Refused) as caught:
        admission.admit(lines, body)
    return caught.value


def test_every_header_fills_its_field_and_is_repeated_in_the_answer():
    admitted = Admission(key=KEY).admit([BEARER, *WHOLE.items()])

    where = {"chat_id": "!ops", "chat_name": "Ops", "chat_type": "group", "thread_id": "t-1", "conversation_id": "c-1"}
    assert admitted.identity == Identity(user_id="alice", user_name="Alice", **where)
    assert dict(admitted.echo) == WHOLE


@pytest.mark.parametrize(
    "form", [dict, lambda lines: [(n.encode(), v.encode()) for n, v in lines]], ids=["text", "bytes"]
)
def test_names_of_headers_are_read_in_any_case(form):
    lines = form([("AUTHORIZATION", f"bearer {KEY}"), ("x-HERMES-user-ID", " alice\t")])

    assert Admission(key=KEY).admit(lines).identity == Identity(user_id="alice")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=80))
def test_what_a_sender_of_ours_writes_is_read_as_it_was(text):
    line = ("X-Hermes-User-Name", encode(text))
    if text.strip() and len(line[1]) < 500:
        assert (
            fields(Admission(key=KEY), BEARER, line) == Identity(user_name=unicodedata.normalize("NFC", text)).fields()
        )


@pytest.mark.parametrize("raw", ["Zoë Łuk".encode(), "Zo\udcc3\udcab \udcc5\udc81uk"], ids=["bytes", "surrogates"])
def test_unencoded_utf_8_is_read_too(raw):
    assert fields(Admission(key=KEY), BEARER, ("X-Hermes-User-Name", raw)) == {"user_name": "Zoë Łuk"}


def test_latin_1_is_read_where_it_is_not_utf_8():
    assert fields(Admission(key=KEY), BEARER, ("X-Hermes-User-Name", b"Zo\xeb")) == {"user_name": "Zoë"}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("x" * 257, "is longer than 256 characters"),
        ("é" * 257, "is longer than 256 characters"),
        ("a%0Ab", "has a control character"),
        ("a%00", "has a control character"),
        ("a\rb", "has a control character"),
        (b"a\x7f", "has a control character"),
        ("a%E2%80%A8b", "has a control character"),
        ("a%C2%85b", "has a control character"),
        ("%FF", "is not UTF-8"),
        ("%20", "is blank"),
    ],
)
@pytest.mark.parametrize("header", ["X-Hermes-User-Id", "X-Hermes-Chat-Name"])
def test_what_is_no_value_is_refused_by_the_name_of_its_header(header, value, why):
    refused = refusal(Admission(key=KEY), BEARER, (header, value))

    assert (refused.status, refused.param, str(refused)) == (400, header, f"{header} {why}.")
    assert json.loads(refused.body())["error"] == {
        "message": f"{header} {why}.",
        "type": "invalid_request_error",
        "param": header,
        "code": "invalid_identity",
    }


def test_256_characters_are_taken_whatever_they_take_up():
    assert fields(Admission(key=KEY), BEARER, ("X-Hermes-User-Id", "é" * 256)) == {"user_id": "é" * 256}


def test_two_of_one_header_are_refused_and_the_same_in_another_case_too():
    twice = ("X-Hermes-User-Id", "alice"), ("x-hermes-user-id", "bob")

    assert str(refusal(Admission(key=KEY), BEARER, *twice)) == "X-Hermes-User-Id is given more than once."


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        (("Authorization", "Bearer wrong"),),
        (("Authorization", KEY),),
        (("Authorization", f"Basic {KEY}"),),
        (("Authorization", f"Bearer {KEY} more"),),
        (("Authorization", f"Bearer {KEY}é"),),
        (("Authorization", "Bearer "),),
        (("Authorization", f"Bearer {KEY}"), ("Authorization", "Bearer other")),
        (("X-Api-Key", KEY),),
        (("X-Hermes-Session-Key", KEY),),
        (("Cookie", f"key={KEY}"),),
    ],
    ids=str,
)
@pytest.mark.parametrize("header", list(IDENTITY.values()))
def test_without_the_key_in_its_place_nobody_is_named(wrong, header):
    refused = refusal(Admission(key=KEY), *wrong, (header, "alice%0A"), body={"api_key": KEY, "user": "alice"})

    assert (refused.status, refused.param, refused.code) == (401, header, "identity_not_authenticated")
    assert "alice" not in refused.body().decode()
    assert KEY not in refused.body().decode()


def test_a_key_that_is_being_replaced_counts_beside_the_new_one():
    admission = Admission(key=[KEY, "the-new-one"])

    for key in (KEY, "the-new-one"):
        assert fields(admission, ("Authorization", f"Bearer {key}"), ("X-Hermes-User-Id", "a")) == {"user_id": "a"}


def test_a_function_may_decide_by_the_headers():
    seen = []

    def behind_the_proxy(headers):
        seen.append(headers)
        return headers.get("x-proxy") == "yes"

    admission = Admission(authenticate=behind_the_proxy)

    assert fields(admission, ("X-Proxy", "yes"), ("X-Hermes-User-Id", "alice")) == {"user_id": "alice"}
    assert refusal(admission, ("X-Hermes-User-Id", "alice")).status == 401
    assert seen[0] == {"x-proxy": "yes", "x-hermes-user-id": "alice"}


def test_with_a_key_and_a_function_both_must_agree():
    admission = Admission(key=KEY, authenticate=lambda headers: "x-proxy" in headers)

    assert refusal(admission, BEARER, ("X-Hermes-User-Id", "alice")).status == 401
    assert refusal(admission, ("X-Proxy", "yes"), ("X-Hermes-User-Id", "alice")).status == 401
    assert fields(admission, BEARER, ("X-Proxy", ""), ("X-Hermes-User-Id", "alice")) == {"user_id": "alice"}


@pytest.mark.parametrize(
    "form", [dict, lambda body: json.dumps(body).encode(), json.dumps], ids=["dict", "bytes", "str"]
)
def test_the_bodys_user_is_the_id_where_no_header_has_it(form):
    body = form({"model": "m", "user": "  alice "})

    assert fields(Admission(key=KEY), BEARER, body=body) == {"user_id": "alice"}
    assert fields(Admission(key=KEY), BEARER, ("X-Hermes-User-Id", "bob"), body=body) == {"user_id": "bob"}
    named = fields(Admission(key=KEY), BEARER, ("X-Hermes-User-Name", "Al"), ("X-Hermes-User-Id", ""), body=body)
    assert named == {"user_name": "Al", "user_id": "alice"}


@pytest.mark.parametrize("user", [None, "", " ", 5, ["a"], {"id": "a"}, "x" * 257, "a\nb", "a\x00", "a\u2028b"])
def test_a_user_that_is_no_such_text_names_nobody(user):
    assert Admission(key=KEY).admit([BEARER], {"user": user}) is None


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", "null", b"\xff", b"[" * 100_000, {}, 5])
def test_any_other_body_names_nobody(body):
    assert Admission(key=KEY).admit([BEARER], body) is None


def test_the_bodys_user_does_not_count_without_the_key_or_where_it_is_switched_off():
    assert Admission(key=KEY).admit([], {"user": "alice"}) is None
    assert Admission(key=KEY, user_field=False).admit([BEARER], {"user": "alice"}) is None


def test_the_user_in_an_answers_headers_is_encoded():
    assert Admission(key=KEY).admit([BEARER], {"user": "zoë 100%"}).echo == (("X-Hermes-User-Id", "zo%C3%AB 100%25"),)


JSON = ("Content-Type", "application/json; charset=utf-8")


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ((BEARER, JSON), True),
        ((JSON,), False),
        ((BEARER, ("Content-Type", "multipart/form-data")), False),
        ((BEARER,), False),
        ((BEARER, JSON, ("X-Hermes-User-Id", "alice")), False),
        ((BEARER, JSON, ("X-Hermes-Chat-Id", "!ops")), True),
    ],
)
def test_the_body_is_only_wanted_where_it_can_matter(lines, wanted):
    assert Admission(key=KEY).wants_body(lines) is wanted


def test_headers_that_the_operator_maps_fill_their_fields():
    lines = (
        ("X-OpenWebUI-User-Id", "5f0c-%41"),
        ("X-OpenWebUI-User-Email", "zoe@example.org"),
        ("X-OpenWebUI-User-Name", "Zo%C3%AB Luk"),
        ("X-OpenWebUI-Chat-Id", "c-1"),
        ("X-OpenWebUI-User-Role", "admin"),
    )
    admission = Admission(key=KEY, headers=OPEN_WEBUI)

    assert fields(admission, BEARER, *lines) == {
        "user_id": "5f0c-%41",
        "user_id_alt": "zoe@example.org",
        "user_name": "Zoë Luk",
        "chat_id": "c-1",
    }
    assert fields(Admission(key=KEY), BEARER, *lines) == {}
    assert refusal(admission, *lines).status == 401


def test_what_librechat_writes_in_base64_is_read_in_mapped_headers_alone():
    written = "b64:" + base64.b64encode("Đorđe".encode()).decode()
    admission = Admission(key=KEY, headers={"X-LibreChat-Name": "user_name"})

    assert fields(admission, BEARER, ("X-LibreChat-Name", written)) == {"user_name": "Đorđe"}
    assert fields(admission, BEARER, ("X-Hermes-User-Name", written)) == {"user_name": written}
    for broken in ("b64:%%", "b64:/w=="):
        assert str(refusal(admission, BEARER, ("X-LibreChat-Name", broken))) == "X-LibreChat-Name is not UTF-8."


def test_our_header_wins_over_mapped_ones_and_the_first_mapped_one_over_the_next():
    admission = Admission(key=KEY, headers={"X-First": "user_id", "X-Second": "user_id"})

    assert fields(admission, BEARER, ("X-Second", "2"), ("X-First", "1")) == {"user_id": "1"}
    assert fields(admission, BEARER, ("X-Second", "2"), ("X-First", "")) == {"user_id": "2"}
    assert fields(admission, BEARER, ("X-First", "1"), ("X-Hermes-User-Id", "0")) == {"user_id": "0"}


def signed(record, key=SECRET):
    lines = [(IDENTITY[field], encode(value)) for field, value in record.items()]
    return [*lines, ("X-Hermes-Hints-Signature", sign(record, key.encode()))]


def test_with_a_signing_key_what_is_signed_counts_and_nothing_else():
    admission = Admission(signing_key=SECRET)
    lines = signed({"user_id": "alice", "chat_name": "Öps"})

    assert fields(admission, *lines, body={"user": "mallory"}) == {"user_id": "alice", "chat_name": "Öps"}
    assert fields(admission, body={"user": "mallory"}) == {}
    for wrong, said in (
        (lines[:-1], "missing"),
        ([*lines, ("X-Hermes-Thread-Id", "t")], "forged"),
        (signed({"user_id": "alice"}, "the-key-of-somebody-else"), "forged"),
        ([*lines[:-1], ("X-Hermes-Hints-Signature", "t=1,v1=00")], "malformed"),
    ):
        refused = refusal(admission, *wrong)
        assert (refused.status, refused.param) == (401, "X-Hermes-Hints-Signature")
        assert str(refused) == f"X-Hermes-Hints-Signature is {said}; identity headers are only taken with a valid one."


def test_what_no_signature_covers_does_not_count_with_one_alone():
    unsigned = ("X-Hermes-Conversation-Id", "c-1")

    assert fields(Admission(signing_key=SECRET), unsigned) == {}
    assert fields(Admission(signing_key=SECRET), *signed({"user_id": "a"}), unsigned) == {"user_id": "a"}
    both = fields(Admission(key=KEY, signing_key=SECRET), BEARER, *signed({"user_id": "a"}), unsigned)
    assert both == {"user_id": "a", "conversation_id": "c-1"}


def test_a_header_that_was_swapped_under_a_signed_body_is_forged():
    record = {"user_id": "alice"}
    lines = [("X-Hermes-User-Id", "mallory"), ("X-Hermes-Hints-Signature", sign(record, SECRET.encode()))]
    body = {"hermes": {"v": 1, **record}}

    assert "is forged" in str(refusal(Admission(signing_key=SECRET), *lines, body=body))
    lines[0] = ("X-Hermes-User-Id", "alice")
    assert fields(Admission(signing_key=SECRET), *lines, body=body) == record


def test_with_a_key_and_a_signing_key_both_are_asked_for():
    admission = Admission(key=KEY, signing_key=[SECRET, "the-one-before-it-0123"])
    lines = signed({"user_id": "alice"})

    assert refusal(admission, *lines).code == "identity_not_authenticated"
    assert refusal(admission, BEARER, *lines[:-1]).code == "identity_not_signed"
    assert fields(admission, BEARER, *lines) == {"user_id": "alice"}
    assert admission.wants_body([BEARER, JSON, *lines])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "inbound: give key, authenticate or signing_key"),
        ({"key": ""}, "key: is empty"),
        ({"key": []}, "key: is empty"),
        ({"key": ["good", ""]}, "key: is empty"),
        ({"signing_key": "short"}, "key: is 5 bytes long"),
        (
            {"key": KEY, "headers": {"X-User": "userid"}},
            "headers: X-User cannot fill 'userid'; did you mean 'user_id'?",
        ),
        ({"key": KEY, "headers": {"X-User": "model"}}, "headers: X-User cannot fill 'model'; use one of user_id"),
        ({"key": KEY, "headers": {"Authorization": "user_id"}}, "headers: 'Authorization' cannot name anybody"),
        ({"key": KEY, "headers": {"X-Hermes-Platform": "chat_id"}}, "headers: 'X-Hermes-Platform' cannot name anybody"),
        ({"key": KEY, "headers": {"X A": "user_id"}}, "headers: 'X A' cannot name anybody"),
        ({"key": KEY, "headers": {"X-A": "user_id", "x-a": "chat_id"}}, "headers: 'x-a' cannot name anybody"),
        ({"signing_key": SECRET, "headers": {"X-A": "user_id"}}, "headers: x-a is not signed"),
    ],
)
def test_an_operators_mistake_is_said_at_the_start(arguments, message):
    with pytest.raises(ConfigError) as caught:
        Admission(**arguments)
    assert str(caught.value).startswith(message)


def test_nothing_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    admission = Admission(key=KEY, signing_key=SECRET)

    refusal(admission, ("X-Hermes-User-Id", "alice"))
    refusal(admission, BEARER, ("X-Hermes-User-Id", "alice"))
    refusal(admission, BEARER, ("X-Hermes-User-Id", "alice\n"))
    assert caplog.text == ""


@given(
    st.lists(st.tuples(st.sampled_from([*IDENTITY.values(), "Authorization"]), st.binary(max_size=300))), st.binary()
)
def test_whatever_arrives_is_admitted_or_refused(lines, body):
    admission = Admission(key="k", signing_key=SECRET, headers=OPEN_WEBUI)
    status = 200
    try:
        admission.wants_body(lines)
        admission.admit(lines, body)
    except Refused as refused:
        status = refused.status
    assert status in (200, 400, 401)
