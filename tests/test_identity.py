"""Who is calling: from the host's keyword arguments, and from scopes inside scopes."""

from __future__ import annotations

import pytest
from hypothesis import given
from pydantic import ValidationError
from strategies import identities

from hermes_hints import Identity, identify
from hermes_hints.context import current
from hermes_hints.identity import NOBODY

AGENT_ARGUMENTS = {
    "platform": "matrix",
    "user_id": "@alice:example.org",
    "user_id_alt": None,
    "user_name": "Alice",
    "chat_id": "!ops:example.org",
    "chat_name": "Ops",
    "chat_type": "group",
    "thread_id": "",
    "gateway_session_key": "agent:main:matrix:group:!ops:example.org",
    "session_id": "20261121_012008_d4149b13",
    "parent_session_id": None,
}


def test_the_arguments_of_a_hermes_agent_are_taken_as_they_are():
    assert Identity(**AGENT_ARGUMENTS).fields() == {
        "user_id": "@alice:example.org",
        "user_name": "Alice",
        "platform": "matrix",
        "chat_id": "!ops:example.org",
        "chat_name": "Ops",
        "chat_type": "group",
        "session_id": "20261121_012008_d4149b13",
        "conversation_id": "20261121_012008_d4149b13",
        "session_key": "agent:main:matrix:group:!ops:example.org",
    }


def test_the_session_key_under_both_names():
    assert Identity(session_key="ours", gateway_session_key="theirs").session_key == "ours"
    assert Identity(session_key=None, gateway_session_key="theirs").session_key == "theirs"
    assert Identity(session_key="ours", gateway_session_key="").session_key == "ours"


def test_an_argument_that_is_no_identity_is_named_with_the_nearest_one():
    with pytest.raises(ValidationError, match="Identity has no field 'chat_nam'; did you mean 'chat_name'"):
        Identity(**AGENT_ARGUMENTS, chat_nam="Ops")


@pytest.mark.parametrize(
    ("given_fields", "conversation"),
    [
        ({"session_id": "s"}, "s"),
        ({"session_id": "s", "conversation_id": None}, "s"),
        ({"session_id": "s", "conversation_id": ""}, "s"),
        ({"session_id": "s", "conversation_id": "  "}, "s"),
        ({"session_id": "s", "conversation_id": "c"}, "c"),
        ({"session_id": 0}, "0"),
        ({"session_id": "s", "conversation_id": 0}, "0"),
        ({"conversation_id": "c"}, "c"),
        ({"session_id": ""}, None),
        ({"session_id": " "}, None),
        ({}, None),
    ],
)
def test_the_conversation_is_the_session_where_none_is_known(given_fields, conversation):
    assert Identity(**given_fields).conversation_id == conversation


ALICE = {
    "platform": "matrix",
    "user_id": "@alice",
    "user_id_alt": "alice@work",
    "user_name": "Alice",
    "chat_id": "!ops",
    "chat_name": "Ops",
    "chat_type": "group",
    "thread_id": "t1",
    "message_id": "m1",
    "session_id": "s1",
    "conversation_id": "c1",
    "session_key": "k1",
    "parent_session_id": "p1",
    "agent": "hermes-agent/0.19.0",
    "profile": "default",
}
SESSION = {"session_id": "s1", "conversation_id": "c1", "parent_session_id": "p1"}
AGENT = {"agent": "hermes-agent/0.19.0", "profile": "default"}
ROOM = {"chat_id": "!ops", "chat_name": "Ops", "chat_type": "group", "thread_id": "t1"}
PERSON = {"user_id": "@alice", "user_id_alt": "alice@work", "user_name": "Alice"}


@pytest.mark.parametrize(
    ("inner", "together"),
    [
        pytest.param({}, ALICE, id="nothing said"),
        pytest.param({"user_id": "@alice"}, ALICE, id="the same person"),
        pytest.param({"thread_id": "t2"}, {**ALICE, "thread_id": "t2"}, id="another thread"),
        pytest.param({"profile": "work"}, {**ALICE, "profile": "work"}, id="another profile"),
        pytest.param(
            {"user_name": "Alice A."}, {**ALICE, "user_name": "Alice A."}, id="the same person by another name"
        ),
        pytest.param(
            {"user_id": "@bob"},
            {"platform": "matrix", "user_id": "@bob", **ROOM, **SESSION, **AGENT},
            id="another person in the same room: no name, message or session key of the first",
        ),
        pytest.param(
            {"user_id": "@bob", "user_name": "Bob", "message_id": "m2"},
            {
                "platform": "matrix",
                "user_id": "@bob",
                "user_name": "Bob",
                "message_id": "m2",
                **ROOM,
                **SESSION,
                **AGENT,
            },
            id="another person with a name",
        ),
        pytest.param(
            {"chat_id": "!dev"},
            {"platform": "matrix", **PERSON, "chat_id": "!dev", **SESSION, **AGENT},
            id="another room: no name, thread or message of the first",
        ),
        pytest.param(
            {"user_id": "@bob", "chat_id": "!dev"},
            {"platform": "matrix", "user_id": "@bob", "chat_id": "!dev", **SESSION, **AGENT},
            id="another person in another room",
        ),
        pytest.param(
            {"platform": "telegram"},
            {"platform": "telegram", **SESSION, **AGENT},
            id="another platform: nobody is known there",
        ),
        pytest.param(
            {"platform": "telegram", "user_id": "@alice"},
            {"platform": "telegram", "user_id": "@alice", **SESSION, **AGENT},
            id="the same id on another platform is another person",
        ),
        pytest.param(
            {"session_id": "s2"},
            {
                "platform": "matrix",
                **PERSON,
                **ROOM,
                "message_id": "m1",
                "session_id": "s2",
                "conversation_id": "s2",
                **AGENT,
            },
            id="another session is another conversation",
        ),
        pytest.param(
            {"session_id": "s2", "conversation_id": "c1", "parent_session_id": "s1"},
            {
                "platform": "matrix",
                **PERSON,
                **ROOM,
                "message_id": "m1",
                **AGENT,
                "session_id": "s2",
                "conversation_id": "c1",
                "parent_session_id": "s1",
            },
            id="a subagent's session keeps the conversation it names",
        ),
        pytest.param({"conversation_id": "c2"}, {**ALICE, "conversation_id": "c2"}, id="a conversation named by hand"),
    ],
)
def test_an_inner_identity_completes_the_outer_one_and_never_mixes_two_people(inner, together):
    assert Identity(**inner).over(Identity(**ALICE)).fields() == together
    with identify(**ALICE), identify(**inner):
        assert current().identity.fields() == together
    assert identify(Identity(**ALICE), **inner)._identity.fields() == together


@pytest.mark.parametrize("field", sorted(ALICE))
def test_what_only_one_of_two_says_is_kept(field):
    one = Identity(**{field: "x"})
    assert one.over(NOBODY) == one
    assert NOBODY.over(one) == one


@given(identities, identities)
def test_what_the_inner_identity_says_always_stands(inner, outer):
    together = inner.over(outer)
    assert together.fields().items() >= inner.fields().items()
    assert together.over(outer) == together


@given(identities, identities)
def test_a_person_is_taken_whole_or_not_at_all(inner, outer):
    together = inner.over(outer)
    if together.user_id != outer.user_id and outer.user_id is not None:
        assert (together.user_name, together.user_id_alt) == (inner.user_name, inner.user_id_alt)
    if together.chat_id != outer.chat_id and outer.chat_id is not None:
        assert (together.chat_name, together.thread_id) == (inner.chat_name, inner.thread_id)
