"""What is made ready for a conversation's next call is what would have been written anew."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import calls, identities, ids, vendor_values
from strategies import hints as wishes

from hermes_hints import Call, Hints, Identity, Settings, hookimpl, register
from hermes_hints.call import CALL_FIELDS
from hermes_hints.ladder import Rung
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline
from hermes_hints.repeats import Ready
from hermes_hints.wire import SIGNATURE

FREE = Outgoing("chat.completions", {"model": "m", "messages": []}, None, None)
ENDPOINT = "http://127.0.0.1:4000/v1"
PRIVACIES = ("raw", "pseudonymous", "none")
WHO = {"user_id": "alice", "conversation_id": "conversation-1"}
CALL = {"request_id": "request-1", "turn_id": "turn-1", "call": 1}
HINTS = {"labels": ("a", "b"), "ext": {"acme.region": "eu"}}


def made(**settings):
    return Pipeline(Settings.load({"pseudonym_key": "k" * 32, **settings}))


def ready(pipeline, who=WHO, call=CALL, hints=HINTS, privacy="raw"):
    return pipeline._all_three(Identity(**who), call, hints, privacy)


def anew(pipeline, who=WHO, call=CALL, hints=HINTS, privacy="raw"):
    decision = pipeline.decide(ENDPOINT)
    assert decision.profile.name == "dispatcher"
    record = pipeline._record(Identity(**who), call, hints, privacy)
    return record, pipeline._carriers(FREE, decision, Rung.FULL, record)


def compare(pipeline, *said, **more):
    """Assert that both ways come to the same; give back the quick one's."""
    found = ready(pipeline, *said, **more)
    record, carried = anew(pipeline, *said, **more)
    assert list(found.record.items()) == list(record.items())
    assert json.dumps(found.carriers.body) == json.dumps(carried.body)
    lines, others = {**found.carriers.headers}, {**carried.headers}
    assert (lines.pop(SIGNATURE, None) is None) == (others.pop(SIGNATURE, None) is None)
    assert list(lines.items()) == list(others.items())
    return found


texts = st.one_of(ids.map(str), st.sampled_from(["x" * 512, "\x01", '"%s\\', "100 %", "ß"]))
changes = st.fixed_dictionaries(
    {},
    optional={
        "who": st.fixed_dictionaries({}, optional={"user_id": texts, "conversation_id": texts, "user_name": texts}),
        "call": st.fixed_dictionaries(
            {"request_id": texts},
            optional={
                "turn_id": texts,
                "call": st.integers(1, 2**31 - 1),
                "purpose": st.sampled_from(["main", "title_generation"]),
            },
        ),
        "hints": st.fixed_dictionaries(
            {},
            optional={
                "user_intent": st.sampled_from(["force-cloud", '"%s\\', "ß"]),
                "labels": st.sampled_from([("a",), ("a", "b"), ("b", "a")]),
                "ext": st.dictionaries(
                    st.sampled_from(["acme.a", "acme.b"]),
                    st.sampled_from([True, 1, 1.0, "1", "eu", "100 %"]),
                    min_size=1,
                ),
            },
        ),
    },
)


def of_the_wire(call):
    return {
        "request_id": "request-0",
        **{field: value for field, value in call.fields().items() if field in CALL_FIELDS},
    }


@given(identities, calls, wishes, st.lists(changes, max_size=6), st.sampled_from(PRIVACIES), st.booleans())
def test_whatever_differs_is_written(who, call, hints, steps, privacy, signed):
    pipeline = made(**({"signing_key": "s" * 32} if signed else {}))
    said = {"who": who.fields(), "call": of_the_wire(call), "hints": hints.fields()}
    for change in [{}, *steps]:
        if "who" in change:
            said["who"] = Identity(**change["who"]).fields()
        if "call" in change:
            said["call"] = of_the_wire(Call(**change["call"]))
        said["hints"] = change.get("hints", said["hints"])
        for _ in range(2):
            compare(pipeline, **said, privacy=privacy)


@given(vendor_values)
def test_values_that_are_equal_and_written_in_different_ways(value):
    pipeline = made()
    for given_now in (value, True, 1, 1.0, "1", value):
        compare(pipeline, hints=Hints(ext={"acme.region": given_now}).fields())


def test_the_next_call_of_a_conversation_is_ready():
    """Or all of the above would compare one way with itself."""
    pipeline = made()
    for number in range(1, 4):
        call = {"request_id": f"request-{number}", "turn_id": f"turn-{number}", "call": number}
        assert isinstance(compare(pipeline, call=call), Ready)


def test_where_there_is_little_room():
    who = {**WHO, **dict.fromkeys(("user_id", "chat_id", "thread_id", "user_name", "chat_name"), "w" * 450)}
    hints = dict.fromkeys(("user_intent", "requested_model", "cost_center"), "h" * 450)
    for settings in ({}, {"signing_key": "s" * 32}):
        pipeline = made(**settings)
        for length in (10, 500, 10):
            found = compare(pipeline, who, {"request_id": "r" * length}, hints)
            assert ("X-Hermes-Chat-Name" in found.carriers.headers) == (length < 100)


def test_conversations_do_not_mix():
    pipeline = made()
    for number in range(3000):
        who = {"user_id": f"user-{number % 7}", "conversation_id": f"conversation-{number % 1500}"}
        compare(pipeline, who)
        compare(pipeline, who)


def test_purposes_do_not_mix():
    pipeline = made()
    for purpose in ("main", "title_generation", "main"):
        compare(pipeline, call={**CALL, "purpose": purpose})


@pytest.mark.parametrize("privacy", PRIVACIES)
def test_one_endpoint_does_not_get_what_another_may_have(privacy):
    pipeline = made()
    for turn in (*PRIVACIES, privacy, *reversed(PRIVACIES)):
        found = compare(pipeline, privacy=turn)
        assert ("alice" in str(found.carriers)) == (turn == "raw")


def test_what_was_given_out_may_be_changed():
    pipeline = made()
    mixed = {**HINTS, "ext": {"acme.region": 7}}  # numbers are not kept ready
    for hints in (HINTS, mixed):
        for _ in range(3):
            found = compare(pipeline, hints=hints)
            for part in (found.record, found.carriers.body["hermes"]):
                part["ext"]["acme.region"] = "changed"
                part.clear()
            found.carriers.headers.clear()


class Says:
    """A plugin that returns the same dict each time, which its owner changes meanwhile."""

    def __init__(self):
        self.hints = {"user_intent": "local", "acme.region": "eu"}

    @hookimpl
    def contribute_hints(self, call):
        return self.hints


def sent(pipeline):
    return pipeline.stamp(FREE, pipeline.decide(ENDPOINT)).carriers.body["hermes"]


def test_a_plugin_that_says_the_same_and_then_something_else():
    plugin = Says()
    register(plugin)
    pipeline = Pipeline(Settings())
    pipeline._plugins._given = pipeline._plugins._settings.model_copy(update={"budget_ms": 1000})
    for hints, arrived in (
        ({"user_intent": "local", "acme.region": "eu"}, {"user_intent": "local", "ext": {"acme.region": "eu"}}),
        ({"user_intent": "local", "acme.region": True}, {"user_intent": "local", "ext": {"acme.region": True}}),
        ({"user_intent": "local", "acme.region": 1}, {"user_intent": "local", "ext": {"acme.region": 1}}),
        ({"user_intent": "cloud"}, {"user_intent": "cloud"}),
        ({"user_intent": "cloud", "priority": "urgent"}, {"user_intent": "cloud"}),
        ({}, {}),
        ({"user_intent": "local", "acme.region": "eu"}, {"user_intent": "local", "ext": {"acme.region": "eu"}}),
    ):
        plugin.hints.clear()
        plugin.hints.update(hints)
        for _ in range(2):
            body = sent(pipeline)
            shown = {field: body[field] for field in ("user_intent", "priority", "ext") if field in body}
            assert repr(shown) == repr(arrived)
            body.get("ext", {})["acme.region"] = "changed on the way"
