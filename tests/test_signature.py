"""A receiver with the key tells hints from forgeries."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import anything, hints, identities, json_values, wild_text

from hermes_hints import ConfigError, Identity, Settings
from hermes_hints.context import hint, identify
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline
from hermes_hints.plugins import Registry
from hermes_hints.receive import read, verify
from hermes_hints.wire import SIGNATURE

KEY = "a key that two programs share"
OTHER = "a key that somebody else made up"
NOW = 1_790_000_000.0
WHO = Identity(user_id="@josé:example.org", chat_id="!ops", session_id="20261121_012008_d4149b13")


def pipeline(profile: str = "dispatcher", privacy: str = "raw", key: str | None = KEY) -> Pipeline:
    settings = {
        "endpoints": [{"match": "127.0.0.1", "profile": profile, "privacy": privacy}],
        "pseudonym_key": "a key for the pseudonyms",
        **({"signing_key": key} if key else {}),
    }
    return Pipeline(Settings.load(settings), plugins=Registry())


def sent(signing: Pipeline, identity: Identity = WHO, *, body=None, extra=None, headers=None):
    """The headers and the body that arrive."""
    outgoing = Outgoing("chat.completions", body or {"model": "m"}, extra, headers)
    stamp = signing.stamp(outgoing, signing.decide("http://127.0.0.1:8000/v1"), identity)
    lines = {name: line for name, line in stamp.header_lines().items() if isinstance(line, str)}
    return lines, json.dumps({**outgoing.body, **(stamp.extra_body() or {})})


@pytest.fixture
def at_noon(monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW)


@pytest.mark.parametrize("profile", ["dispatcher", "headers"])
def test_what_is_signed_is_read_and_nothing_else_is(profile):
    lines, body = sent(pipeline(profile))

    assert verify(lines, body, key=KEY) == "valid"
    assert read(lines, body, key=KEY) == read(lines, body)
    assert read(lines, body, key=KEY).user_id == "@josé:example.org"
    assert verify(lines, body, key=OTHER) == "forged"
    assert read(lines, body, key=OTHER).fields() == {}


def test_the_signature_is_what_the_docs_say(at_noon):
    lines, body = sent(pipeline())
    fields = {name: value for name, value in json.loads(body)["hermes"].items() if name != "v"}

    said = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    expected = hmac.new(KEY.encode(), f"1790000000.{said}".encode(), hashlib.sha256).hexdigest()

    assert "\\u00e9" in said
    assert lines[SIGNATURE] == f"t=1790000000,v1={expected}"


def test_without_a_key_nothing_is_signed_and_a_receiver_that_wants_one_reads_nothing():
    lines, body = sent(pipeline(key=None))

    assert SIGNATURE not in lines
    assert read(lines, body).user_id == "@josé:example.org"
    assert verify(lines, body, key=KEY) == "missing"
    assert read(lines, body, key=KEY).fields() == {}


@given(
    st.sampled_from(["dispatcher", "headers"]),
    st.sampled_from(["raw", "pseudonymous", "none"]),
    identities,
    hints,
    st.dictionaries(
        st.sampled_from(["hermes_user_id", "hermes_ext_a.b", "hermes_call", "own"]), json_values, max_size=3
    ),
    st.one_of(
        st.none(),
        json_values,
        st.dictionaries(st.sampled_from(["user_id", "ext", "labels", "session_id", "x"]), json_values),
    ),
    st.dictionaries(st.sampled_from(["X-Hermes-User-Id", "x-hermes-session-id", "X-Other"]), wild_text, max_size=2),
)
def test_whatever_is_signed_verifies(profile, privacy, identity, wishes, metadata, hermes, headers):
    headers = {name: re.sub(r"[^\x20-\x7e]", "", value) for name, value in headers.items()}
    extra = {} if hermes is None else {"hermes": hermes}
    with hint(**wishes.fields()):
        lines, body = sent(
            pipeline(profile, privacy),
            identity,
            body={"model": "m", "metadata": metadata},
            extra=extra,
            headers=headers,
        )

    assert verify(lines, body, key=KEY) == "valid"
    assert read(lines, body, key=KEY) == read(lines, body)


@pytest.mark.parametrize(
    ("field", "value"), [("user_id", "@mallory:example.org"), ("priority", "high"), ("chat_id", None)]
)
def test_one_field_changed_added_or_removed_on_the_way(field, value):
    lines, body = sent(pipeline())
    content = json.loads(body)
    if value is None:
        del content["hermes"][field]
        lines = {name: line for name, line in lines.items() if name != "X-Hermes-Chat-Id"}
        del content["metadata"]["hermes_chat_id"]
    else:
        content["hermes"][field] = value

    assert verify(lines, content, key=KEY) == "forged"


@pytest.mark.parametrize("profile", ["dispatcher", "headers"])
@pytest.mark.parametrize(
    ("later", "verdict"), [(0, "valid"), (300, "valid"), (301, "expired"), (-300, "valid"), (-301, "expired")]
)
def test_the_window(profile, later, verdict, at_noon):
    lines, body = sent(pipeline(profile))

    assert verify(lines, body, key=KEY, now=NOW + later) == verdict
    assert bool(read(lines, body, key=KEY, now=NOW + later).fields()) == (verdict == "valid")
    assert verify(lines, body, key=KEY, now=NOW + 3 * later, window=1000) == "valid"


def test_what_is_sent_again_is_told_by_its_request_id(at_noon):
    """Which is signed: whoever sends a record again cannot give it another."""
    lines, body = sent(pipeline())

    assert [verify(lines, body, key=KEY, now=NOW + 200) for _ in range(2)] == ["valid"] * 2
    assert read(lines, body, key=KEY, now=NOW).request_id
    content = json.loads(body)
    content["hermes"]["request_id"] = "another"
    assert verify(lines, content, key=KEY, now=NOW) == "forged"


def test_another_time_than_the_one_signed(at_noon):
    lines, body = sent(pipeline())
    lines[SIGNATURE] = lines[SIGNATURE].replace("t=179", "t=180")

    assert verify(lines, body, key=KEY, now=1_800_000_000) == "forged"


def test_one_of_several_keys_while_they_are_changed():
    lines, body = sent(pipeline())

    assert verify(lines, body, key=(OTHER, KEY.encode())) == "valid"
    assert verify(lines, body, key=[OTHER]) == "forged"
    assert verify(lines, body, key=()) == "forged"


@pytest.mark.parametrize(
    "written",
    ["", "v1=", "t=1,v1=00", "t=-1,v1=" + "0" * 64, "t=1e3,v1=" + "0" * 64, "t=1,v1=" + "G" * 64, "t=9" * 999, "\x00é"],
)
def test_something_else_in_its_place(written):
    lines, body = sent(pipeline())

    assert verify({**lines, SIGNATURE: written}, body, key=KEY) == "malformed"


@given(anything, wild_text, anything)
def test_nothing_a_client_sends_makes_it_raise(body, written, hermes):
    lines = {"x-hermes-hints-SIGNATURE": written}
    for content in (body, {"hermes": hermes}):
        assert verify(lines, content, key=KEY) in {"malformed", "forged", "expired"}
        assert read(lines, content, key=KEY).fields() == {}


def test_of_two_signatures_the_first_counts():
    lines, body = sent(pipeline())
    forged = (SIGNATURE, "t=1,v1=" + "0" * 64)

    assert verify([*lines.items(), forged], body, key=KEY) == "valid"
    assert verify([forged, *lines.items()], body, key=KEY) == "forged"


def test_the_headers_with_it_are_within_four_kibibytes():
    texts = {field: character * 500 for field, character in zip(Identity.model_fields, "abcdefghijklmno", strict=True)}
    with identify(**texts), hint(user_intent="x" * 500, experiment_arm="y" * 500, cost_center="z" * 500):
        lines, body = sent(pipeline("headers"))

    assert sum(len(f"{name}: {line}\r\n") for name, line in lines.items()) <= 4096
    assert verify(lines, body, key=KEY) == "valid"


def test_a_signature_that_the_caller_made_stays():
    lines, _ = sent(pipeline(), headers={"x-hermes-hints-signature": "mine"})

    assert [line for name, line in lines.items() if name.lower() == SIGNATURE.lower()] == ["mine"]


def test_the_key_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("HERMES_HINTS_SIGNING_KEY", OTHER)

    lines, body = sent(pipeline(key=None))

    assert verify(lines, body, key=OTHER) == "valid"


@pytest.mark.parametrize("profile", ["openai", "anthropic", "off"])
def test_receivers_that_get_no_headers_of_ours_get_no_signature(profile):
    signing = pipeline(profile)
    outgoing = Outgoing("chat.completions", {"model": "m"}, None, None)
    stamp = signing.stamp(outgoing, signing.decide("http://127.0.0.1:8000/v1"), WHO)

    assert stamp is None or not stamp.header_lines()


def test_a_key_that_is_too_short_is_an_error_that_does_not_show_it():
    with pytest.raises(ConfigError, match="signing_key: is 5 bytes long; give at least 16") as caught:
        pipeline(key="hushh")
    assert "hushh" not in str(caught.value)
    with pytest.raises(ConfigError, match="key: is 5 bytes long"):
        read({}, {}, key="hushh")
    with pytest.raises(ConfigError) as caught:
        Settings.load({"signing_key": ["hush-hush"]})
    assert "hush-hush" not in str(caught.value)
