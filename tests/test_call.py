"""One call, as a hint plugin sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import json_values

from hermes_hints import Call
from hermes_hints.call import described

PARTS = [
    {"type": "text", "text": "what"},
    {"type": "image_url", "image_url": {"url": "data:"}},
    {"type": "text", "text": "is it"},
]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"messages": [{"role": "user", "content": "hello"}]}, "hello"),
        (
            {
                "messages": [
                    {"role": "user", "content": "old"},
                    {"role": "assistant"},
                    {"role": "user", "content": "new"},
                ]
            },
            "new",
        ),
        ({"messages": [{"role": "user", "content": "asked"}, {"role": "tool", "content": "result"}]}, "asked"),
        ({"messages": [{"role": "user", "content": PARTS}]}, "what\nis it"),
        (
            {"messages": [{"role": "user", "content": "old"}, {"role": "user", "content": [{"type": "image_url"}]}]},
            None,
        ),
        ({"messages": [{"role": "system", "content": "be kind"}]}, None),
        ({"input": "one text"}, "one text"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "asked"}]}]}, "asked"),
        ({"prompt": "complete me"}, "complete me"),
        ({"messages": []}, None),
        ({"messages": None}, None),
        ({"messages": "hello"}, "hello"),
        ({"messages": 5}, None),
        ({"messages": [None, 5, "x", {"role": "user"}]}, None),
        ({}, None),
        (None, None),
    ],
    ids=range(16),
)
def test_the_text_of_the_users_last_message(body, text):
    assert described({"call": 1}, body).user_text() == text


def test_a_call_without_a_body_has_no_text():
    assert Call(purpose="main").user_text() is None
    assert Call(purpose="main").context_chars() == 0


def test_the_length_of_the_context():
    messages = [
        {"role": "system", "content": "12345"},
        {"role": "user", "content": [{"type": "text", "text": "67"}, {"type": "text", "text": "8"}]},
        {"role": "assistant", "content": None},
    ]
    assert described({}, {"messages": messages}).context_chars() == 5 + len("67\n8")
    assert described({}, {"input": "123"}).context_chars() == 3


def test_only_the_last_messages_are_read_for_the_users_text():
    class Unread(dict):
        def __getitem__(self, key):
            raise AssertionError(key)

        get = __getitem__

    body = {"messages": [Unread(role="user"), {"role": "user", "content": "last"}]}
    assert described({}, body).user_text() == "last"


@given(st.dictionaries(st.sampled_from(["messages", "input", "prompt"]), json_values))
def test_no_body_is_too_strange(body):
    call = described({}, body)
    assert isinstance(call.user_text(), str | None)
    assert call.context_chars() >= 0


@pytest.mark.parametrize(("told", "number"), [(1, 1), ("7", 7), (2**31 - 1, 2**31 - 1), (None, None), ("", None)])
def test_the_number_of_the_call(told, number):
    assert Call(call=told).call == number


@pytest.mark.parametrize("wrong", [0, -1, 2**31, True, 1.0, "1.0", "x", "-1", "²", "٣", [1], 10**400])
def test_numbers_that_no_call_has(wrong):
    with pytest.raises(ValidationError):
        Call(call=wrong)


def test_a_call_is_known_by_its_fields_not_by_its_body():
    assert "hello" not in repr(described({"purpose": "main"}, {"messages": [{"role": "user", "content": "hello"}]}))
