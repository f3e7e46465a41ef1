"""The rules that all fields share: what is absent, what is refused, what stays."""

from __future__ import annotations

import enum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import anything, hint_fields, scalars, wild_text

from hermes_hints import Call, Hints, Identity, Record
from hermes_hints.values import EXT_KEY, MAX_CHARS, MAX_EXT, MAX_LABELS

IDS = sorted(set(Identity.model_fields) - {"user_name", "chat_name"})
TEXT_HINTS = ("user_intent", "command_origin", "requested_model", "experiment_arm", "cost_center")


def is_text_within_limits(value):
    value.encode()  # raises for what UTF-8 cannot carry
    return type(value) is str and 0 < len(value) <= MAX_CHARS and not value.isspace()


@pytest.mark.parametrize("absent", [None, "", " ", "\t\r\n", "\u00a0\u2003"])
def test_none_and_blank_are_absent_everywhere(absent):
    assert Identity(**dict.fromkeys(Identity.model_fields, absent)).fields() == {}
    assert Hints(**dict.fromkeys(Hints.model_fields, None)).fields() == {}
    assert Hints(**dict.fromkeys(TEXT_HINTS, absent), priority=absent, labels=absent).fields() == {}
    assert Record(call=absent, purpose=absent, turn_id=absent).fields() == {}


@pytest.mark.parametrize(
    "empty", [{"labels": []}, {"labels": ()}, {"labels": ["", " "]}, {"ext": {}}, {"ext": {"a.b": ""}}]
)
def test_empty_collections_are_absent(empty):
    assert Hints(**empty).fields() == {}


@given(st.dictionaries(st.sampled_from(sorted(Identity.model_fields)), anything, max_size=5))
@example({"user_name": " " * 600 + "x"})
@example({"user_id": "\ud800" * 600})
def test_an_identity_of_anything_is_refused_or_within_limits(given_fields):
    try:
        identity = Identity(**given_fields)
    except ValidationError:
        return
    assert all(is_text_within_limits(value) for value in identity.fields().values())


@given(st.dictionaries(st.sampled_from(sorted(Hints.model_fields)), anything, max_size=4))
def test_hints_of_anything_are_refused_or_within_limits(given_fields):
    try:
        hints = Hints(**given_fields)
    except ValidationError:
        return
    fields = hints.fields()
    assert all(is_text_within_limits(fields[name]) for name in TEXT_HINTS if name in fields)
    assert fields.get("priority") in (None, "low", "normal", "high")
    labels = fields.get("labels", ())
    assert len(set(labels)) == len(labels) <= MAX_LABELS
    assert all(is_text_within_limits(label) and "," not in label and label == label.strip() for label in labels)
    entries = fields.get("ext", {})
    assert len(entries) <= MAX_EXT
    for key, value in entries.items():
        assert EXT_KEY.fullmatch(key)
        assert type(value) in (bool, int, float) or is_text_within_limits(value)
        assert type(value) is not int or -(2**63) < value < 2**63
        assert type(value) is not float or value - value == 0


@given(st.dictionaries(st.sampled_from(["request_id", "turn_id", "task_id", "call", "purpose"]), anything, max_size=5))
@example({"call": 0})
@example({"call": 2**31})
@example({"call": True})
def test_a_call_of_anything_is_refused_or_within_limits(given_fields):
    try:
        fields = Call(**given_fields).fields()
    except ValidationError:
        return
    number = fields.pop("call", 1)
    assert type(number) is int
    assert 1 <= number < 2**31
    del fields["stream"]
    assert all(is_text_within_limits(value) for value in fields.values())


@given(wild_text)
def test_what_is_accepted_is_accepted_again_unchanged(text):
    for model, field in ((Identity, "user_id"), (Identity, "user_name"), (Hints, "labels"), (Record, "purpose")):
        try:
            once = model(**{field: text})
        except ValidationError:
            continue
        assert model(**once.fields()) == once


@given(st.dictionaries(wild_text, st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=3))
def test_ext_keeps_types(entries):
    try:
        kept = Hints(ext=entries).ext or {}
    except ValidationError:
        return
    for key, value in kept.items():
        assert type(value) is type(entries[key])


@pytest.mark.parametrize("field", IDS)
def test_ids_are_kept_as_they_are_and_numbers_become_text(field):
    read = lambda value: getattr(Identity(**{field: value}), field)  # noqa: E731
    assert read(" José%\r\n ") == " José%\r\n "
    assert read(4711) == "4711"
    assert read(-5) == "-5"
    assert read("x" * 512) == "x" * 512


def test_an_id_that_is_too_long_stays_unique():
    one, other = (Identity(user_id="x" * 600 + end).user_id for end in "ab")
    assert one != other
    assert one.startswith("sha256-")
    assert len(one) == len("sha256-") + 64
    assert Identity(user_id="x" * 600 + "a").user_id == one


def test_a_name_that_is_too_long_is_cut():
    assert Identity(user_name="é" * 600).user_name == "é" * 512


@pytest.mark.parametrize("field", TEXT_HINTS)
def test_a_hint_that_is_too_long_is_refused(field):
    assert getattr(Hints(**{field: "m" * 512}), field) == "m" * 512
    with pytest.raises(ValidationError, match=rf"{field}\s.*is longer than 512 characters"):
        Hints(**{field: "m" * 513})


def test_a_megabyte_is_refused_without_being_repeated():
    with pytest.raises(ValidationError) as refused:
        Hints(user_intent="é" * 1_000_000)
    assert len(str(refused.value)) < 1000


def test_lone_surrogates_become_question_marks():
    assert Identity(user_id="a\ud800b", user_name="\udfff").fields() == {"user_id": "a?b", "user_name": "?"}


class Platform(str, enum.Enum):  # noqa: UP042 - as hosts still write them
    MATRIX = "matrix"


class Kind(enum.StrEnum):
    GROUP = "group"


class Number(int, enum.Enum):
    SEVEN = 7


def test_enums_stand_for_their_content():
    identity = Identity(platform=Platform.MATRIX, chat_type=Kind.GROUP, chat_id=Number.SEVEN)
    assert identity.fields() == {"platform": "matrix", "chat_type": "group", "chat_id": "7"}
    assert all(type(value) is str for value in identity.fields().values())
    assert Hints(ext={"a.b": Number.SEVEN, "a.c": Platform.MATRIX}).ext == {"a.b": 7, "a.c": "matrix"}
    assert type(Hints(ext={"a.b": Number.SEVEN}).ext["a.b"]) is int


@pytest.mark.parametrize(
    "wrong",
    [True, False, 1.5, float("nan"), b"bytes", ["a"], {"a": 1}, object(), 2**63, pytest.param(10**5000, id="huge")],
)
@pytest.mark.parametrize(
    ("model", "field"), [(Identity, "user_id"), (Identity, "user_name"), (Hints, "user_intent"), (Call, "turn_id")]
)
def test_what_is_neither_text_nor_a_number_is_refused(model, field, wrong):
    with pytest.raises(ValidationError):
        model(**{field: wrong})


@pytest.mark.parametrize(
    ("given_labels", "labels"),
    [
        ("a,b", ("a", "b")),
        (" a , ,b,, a ", ("a", "b")),
        (["a", "b,c", " d "], ("a", "b", "c", "d")),
        (("a", None, ""), ("a",)),
        ([1, 2], ("1", "2")),
        ({"only"}, ("only",)),
    ],
)
def test_labels_come_as_list_or_joined_text(given_labels, labels):
    assert Hints(labels=given_labels).labels == labels


@pytest.mark.parametrize("wrong", [5, {"a": 1}, [["a"]], [True], [1.5], ["x" * 513], list(range(33)), "a," * 10_000])
def test_labels_that_are_none(wrong):
    with pytest.raises(ValidationError):
        Hints(labels=wrong)


@pytest.mark.parametrize("key", ["a.b", "acme.region", "a-b.c_d.e", "A.1", "x." + "y" * 51])
def test_ext_keys(key):
    assert Hints(ext={key: 1}).ext == {key: 1}


@pytest.mark.parametrize(
    "key", ["", ".", "a", "a.", ".b", "a..b", "a b.c", "é.b", "a.b\n", "a.b:c", "x." + "y" * 52, 5, None]
)
def test_ext_keys_that_are_none(key):
    with pytest.raises(ValidationError, match=r"vendor\.key"):
        Hints(ext={key: 1})


@pytest.mark.parametrize(
    "wrong", [float("nan"), float("inf"), 2**63, -(2**63), [1], {"a": 1}, b"x", object(), "x" * 513]
)
def test_ext_values_that_are_none(wrong):
    with pytest.raises(ValidationError, match=r"acme\.region"):
        Hints(ext={"acme.region": wrong})


def test_ext_has_a_limit():
    entries = {f"a.{number}": number for number in range(MAX_EXT)}
    assert Hints(ext=entries).ext == entries
    with pytest.raises(ValidationError, match="more than 32 entries"):
        Hints(ext={**entries, "a.more": 1})


@given(st.fixed_dictionaries({}, optional=hint_fields))
def test_valid_hints_are_taken_as_they_are(fields):
    hints = Hints(**fields)
    for name in TEXT_HINTS:
        if name in fields:
            assert getattr(hints, name) == fields[name].encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    ("model", "field", "nearest"),
    [
        (Identity, "user", "did you mean 'user_id'"),
        (Identity, "userid", "did you mean 'user_id'"),
        (Identity, "chat", "did you mean"),
        (Identity, "zzz", "known: agent, chat_id"),
        (Hints, "intent", "did you mean 'user_intent'"),
        (Hints, "label", "did you mean 'labels'"),
        (Hints, "user_id", "Hints has no field 'user_id'"),
        (Call, "requestid", "did you mean 'request_id'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_known_one(model, field, nearest):
    with pytest.raises(ValidationError) as refused:
        model(**{field: "x"})
    assert f"{model.__name__} has no field '{field}'" in str(refused.value)
    assert nearest in str(refused.value)


def test_a_wrong_name_of_a_megabyte_is_refused_shortly():
    with pytest.raises(ValidationError) as refused:
        Identity(**{"x" * 1_000_000: 1})
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "value", [Identity(user_id="a"), Hints(user_intent="a"), Call(turn_id="a"), Record(user_id="a")]
)
def test_values_are_frozen(value):
    field = next(iter(value.fields()))
    with pytest.raises(ValidationError):
        setattr(value, field, "b")
    assert getattr(value, field) == "a"
