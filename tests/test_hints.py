"""Hints: what a plugin may return, and how several say it together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import anything, hints, vendor_keys, wild_text

from hermes_hints import Hints, Identity
from hermes_hints.hints import merge_hints, normal_hints

any_key = st.one_of(
    st.sampled_from([*Hints.model_fields, *Identity.model_fields]),
    vendor_keys,
    wild_text,
    st.integers(),
    st.none(),
    st.tuples(),
)


@given(st.dictionaries(any_key, anything, max_size=6))
def test_of_any_mapping_the_usable_part_is_taken(given_fields):
    kept, problems = normal_hints(given_fields)
    assert Hints(**kept).fields() == kept
    assert all(isinstance(problem, str) and len(problem) < 500 for problem in problems)
    assert not kept.keys() & Identity.model_fields.keys()


@given(hints)
def test_good_hints_are_taken_whole(wishes):
    assert normal_hints(wishes.fields()) == (wishes.fields(), [])


@pytest.mark.parametrize(
    ("returned", "kept", "problem"),
    [
        (
            {"user_intent": "force-cloud", "user_id": "eve"},
            {"user_intent": "force-cloud"},
            "'user_id' is an identity field",
        ),
        ({"conversation_id": "c", "priority": "high"}, {"priority": "high"}, "'conversation_id' is an identity field"),
        ({"user_intnt": "x", "priority": "high"}, {"priority": "high"}, "did you mean 'user_intent'"),
        ({"zzz": 1, "priority": "high"}, {"priority": "high"}, "known: user_intent, command_origin"),
        ({5: 1, "priority": "high"}, {"priority": "high"}, "no field of Hints"),
        ({10**5000: 1, "priority": "high"}, {"priority": "high"}, "no field of Hints"),
        ({"x" * 1_000_000: 1, "priority": "high"}, {"priority": "high"}, "no field of Hints"),
        ({"priority": "urgent", "user_intent": "x"}, {"user_intent": "x"}, "priority must be one of low, normal, high"),
        ({"user_intent": "x" * 1_000_000, "priority": "low"}, {"priority": "low"}, "user_intent is longer than 512"),
        ({"labels": 5, "priority": "low"}, {"priority": "low"}, "labels must be a list of texts, not int"),
        ({"ext": ["a"], "priority": "low"}, {"priority": "low"}, "ext must be a mapping, not list"),
        ({"ext": {"region": "eu"}, "priority": "low"}, {"priority": "low"}, "not of the form 'vendor.key'"),
        ({"acme.x": [1], "priority": "low"}, {"priority": "low"}, "ext acme.x: must be text, not list"),
        ({"user_intent": {"a": 1}}, {}, "user_intent must be text, not dict"),
    ],
    ids=range(14),
)
def test_what_cannot_be_used_is_left_out_and_said(returned, kept, problem):
    found, problems = normal_hints(returned)
    assert found == kept
    assert len(problems) == 1
    assert problem in problems[0]


def test_a_key_with_a_dot_is_an_ext_entry():
    assert normal_hints({"acme.region": "eu", "ext": {"acme.tier": 2}}) == (
        {"ext": {"acme.region": "eu", "acme.tier": 2}},
        [],
    )
    assert normal_hints({"acme.region": "eu", "ext": {"acme.region": "us"}})[0] == {"ext": {"acme.region": "us"}}


@pytest.mark.parametrize(
    "returned",
    [
        {"priority": "@alice:example.org"},
        {"@alice:example.org": 1},
        {"ext": {"@alice:example.org": 1}},
        {"labels": {"@alice:example.org": 1}},
    ],
)
def test_problems_quote_neither_values_nor_unknown_keys(returned):
    assert "alice" not in " ".join(normal_hints(returned)[1])


def test_a_priority_that_does_not_exist():
    with pytest.raises(ValidationError, match="must be one of low, normal, high"):
        Hints(priority="urgent")


def test_the_stronger_one_wins_and_labels_and_ext_add_up():
    under = {"user_intent": "local", "cost_center": "4711", "labels": ("a", "b"), "ext": {"x.a": 1, "x.b": 1}}
    over = {"user_intent": "force-cloud", "labels": ("c",), "ext": {"x.b": 2, "x.c": 2}}
    assert merge_hints(dict(under), over) == {
        "user_intent": "force-cloud",
        "cost_center": "4711",
        "labels": ("a", "b", "c"),
        "ext": {"x.a": 1, "x.b": 2, "x.c": 2},
    }


def test_where_they_would_be_too_many_the_stronger_ones_stay():
    under = {"labels": tuple(f"u{n}" for n in range(32)), "ext": {f"u.{n}": "under" for n in range(32)}}
    over = {"labels": ("u0", "o1", "o2"), "ext": {"u.0": "over", "o.1": "over"}}
    merged = merge_hints(dict(under), over)
    assert len(merged["labels"]) == len(merged["ext"]) == 32
    assert set(over["labels"]) <= set(merged["labels"])
    assert merged["ext"].items() >= over["ext"].items()


@given(hints, hints)
def test_merged_hints_are_good_hints_and_the_parts_stay_as_they_were(under, over):
    before = (dict(under.fields()), dict(over.fields()))
    merged = merge_hints(dict(under.fields()), over.fields())
    assert Hints(**merged).fields() == merged
    assert (under.fields(), over.fields()) == before
    assert merge_hints(dict(merged), over.fields()).keys() == merged.keys()
