from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_hints.hermes.orders import CLEAR, SHOW, read_command, read_order


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/hint force-cloud why?", ("hint", "force-cloud why?")),
        ("/Hint", ("hint", "")),
        ("/hint@agentbot x", ("hint", "x")),
        ("/my_cloud\nwhy?", ("my-cloud", "why?")),
        ("/hint\n\nwhy?", ("hint", "why?")),
        ("hint x", None),
        (" /hint x", None),
        ("/etc/hosts is odd", None),
        ("//hint", None),
        ("", None),
    ],
)
def test_a_command_is_read_as_the_host_reads_it(text, command):
    assert read_command(text) == command


@pytest.mark.parametrize(
    ("arguments", "hints", "lasting", "question"),
    [
        ("force-cloud", {"user_intent": "force-cloud"}, False, ""),
        ("force-cloud why is it?", {"user_intent": "force-cloud"}, False, "why is it?"),
        ("force-cloud\nwhy is it?\nreally", {"user_intent": "force-cloud"}, False, "why is it?\nreally"),
        ("--session force-cloud", {"user_intent": "force-cloud"}, True, ""),
        ("—session force-cloud", {"user_intent": "force-cloud"}, True, ""),
        ("force-cloud --session", {"user_intent": "force-cloud"}, True, ""),
        ("priority=high force-cloud why?", {"priority": "high", "user_intent": "force-cloud"}, False, "why?"),
        ("acme.region=eu x", {"ext": {"acme.region": "eu"}, "user_intent": "x"}, False, ""),
        ("x 1+1=2 is it?", {"user_intent": "x"}, False, "1+1=2 is it?"),
        ("x answer=42 or not?", {"user_intent": "x"}, False, "answer=42 or not?"),
    ],
)
def test_what_is_asked_for(arguments, hints, lasting, question):
    order = read_order("hint", arguments)

    assert dict(order.hints) == {**hints, "command_origin": "/hint"}
    assert (order.lasting, order.question, order.asks) == (lasting, question, None)


def test_a_first_word_that_is_no_name_begins_the_question():
    order = read_order("hint", "priority=high why? because")

    assert dict(order.hints) == {"priority": "high", "command_origin": "/hint"}
    assert order.question == "why? because"


def test_a_short_form_takes_the_rest_as_its_question():
    order = read_order("cloud", "force it, will you?", {"user_intent": "force-cloud"})

    assert dict(order.hints) == {"user_intent": "force-cloud", "command_origin": "/cloud"}
    assert order.question == "force it, will you?"
    assert read_order("cloud", "--session", {"user_intent": "force-cloud"}).lasting


@pytest.mark.parametrize(("arguments", "asks"), [("", SHOW), ("clear", CLEAR)])
def test_showing_and_clearing(arguments, asks):
    order = read_order("hint", arguments)

    assert (order.asks, order.hints, order.question) == (asks, {}, "")


@pytest.mark.parametrize(
    ("arguments", "said"), [("priority=urgent x", "priority"), ("¿why?", "say what you want first")]
)
def test_a_mistake_says_what_would_be_right(arguments, said):
    with pytest.raises(ValueError, match=said):
        read_order("hint", arguments)


@given(st.text(max_size=200))
def test_any_text_is_an_order_or_a_mistake_and_the_question_is_the_users_own(arguments):
    try:
        order = read_order("hint", arguments)
    except ValueError:
        return
    assert order.question in arguments
    assert len(order.hints.get("user_intent", "")) <= 64
