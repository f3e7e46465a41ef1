"""What is written again for a conversation's next call is what would have been written anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from strategies import ids, records, scalars

from hermes_hints import Settings, hookimpl, register
from hermes_hints.carriers import Repeats, headers, lines_of, metadata
from hermes_hints.ladder import Rung
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline
from hermes_hints.wire import MAX_HEADERS_BYTES, SIGNATURE

RECORD = {
    "user_id": "alice",
    "conversation_id": "conversation-1",
    "request_id": "request-1",
    "turn_id": "turn-1",
    "call": 1,
    "labels": ("a", "b"),
    "ext": {"acme.region": "eu"},
}


def anew(record, left=MAX_HEADERS_BYTES):
    return metadata(record, ()), headers(record, (), left)


def written(repeats, record):
    """Its pairs and headers; the same headers are there as bytes."""
    pairs, named, lines = repeats.write(record)
    assert sorted(lines) == sorted(lines_of(named))
    return pairs, named


changes = st.fixed_dictionaries(
    {},
    optional={
        "request_id": st.one_of(ids.map(str), st.just("\x01"), st.just("x" * 512)),
        "turn_id": st.one_of(ids.map(str), st.just("x" * 513)),
        "call": st.integers(1, 2**31 - 1),
        "user_id": ids.map(str),
        "ext": st.dictionaries(
            st.sampled_from(["acme.a", "acme.b"]), st.sampled_from([True, 1, 1.0, "1", "eu"]), min_size=1
        ),
        "labels": st.sampled_from([("a",), ("a", "b"), ("b", "a")]),
    },
)


@given(st.one_of(st.just(RECORD), records), st.lists(st.tuples(changes, st.sets(st.sampled_from(sorted(RECORD))))))
def test_whatever_differs_is_written(record, steps):
    repeats = Repeats()
    for change, removed in [({}, set()), *steps]:
        record = {field: value for field, value in {**record, **change}.items() if field not in removed}
        assert written(repeats, record) == anew(record)


@given(scalars.filter(lambda value: value not in (None, "")))
def test_values_that_are_equal_and_written_in_different_ways(value):
    repeats = Repeats()
    for given_now in (value, True, 1, 1.0, "1", value):
        record = {**RECORD, "ext": {"acme.region": given_now}}
        assert written(repeats, record) == anew(record)


def test_where_there_is_little_room():
    long = {**RECORD, "user_id": "u" * 400, "chat_id": "c" * 400, "thread_id": "t" * 400}
    for left in (900, MAX_HEADERS_BYTES):
        repeats = Repeats(left)
        for length in (10, 500, 10):
            record = {**long, "request_id": "r" * length}
            assert written(repeats, record) == anew(record, left)


def test_conversations_do_not_mix():
    repeats = Repeats()
    for number in range(3000):
        record = {**RECORD, "user_id": f"user-{number % 7}", "conversation_id": f"conversation-{number % 1500}"}
        assert written(repeats, record) == anew(record)
        assert written(repeats, record) == anew(record)


def test_what_was_given_out_may_be_changed():
    repeats = Repeats()
    for _ in range(3):
        pairs, named, lines = repeats.write(RECORD)
        assert (pairs, named) == anew(RECORD)
        pairs["hermes_user_id"] = named["X-Hermes-User-Id"] = "mallory"
        pairs.clear()
        lines.clear()
    record = {**RECORD, "ext": {"acme.region": "eu"}}
    repeats.write(record)
    record["ext"]["acme.region"] = "us"  # as a wrapper might that edits the body on its way
    assert written(repeats, record) == anew(record)


@given(records)
def test_a_free_request_gets_what_any_other_would(record):
    record = {"request_id": "request-1", **record}
    for key in (None, "s" * 32):
        pipeline = Pipeline(Settings.load({"signing_key": key} if key else {}))
        outgoing = Outgoing("chat.completions", {"model": "m", "messages": []}, None, None)
        decision = pipeline.decide("http://127.0.0.1:4000/v1")
        assert decision.profile.name == "dispatcher"
        slowly = pipeline._carriers(outgoing, decision, Rung.FULL, record)
        for _ in range(2):
            quickly = pipeline._all_three(record)
            signed = [dict(found.headers).pop(SIGNATURE, "") != "" for found in (slowly, quickly)]
            assert signed == [key is not None] * 2
            without = [
                {name: line for name, line in found.headers.items() if name != SIGNATURE} for found in (slowly, quickly)
            ]
            assert without[0] == without[1]
            assert quickly.body == slowly.body
            assert sorted(quickly.lines) == sorted(lines_of(quickly.headers))


class Says:
    """A plugin that returns the same dict each time, which its owner changes meanwhile."""

    def __init__(self):
        self.hints = {"user_intent": "local", "acme.region": "eu"}

    @hookimpl
    def contribute_hints(self, call):
        return self.hints


def sent(pipeline):
    outgoing = Outgoing("chat.completions", {"model": "m", "messages": []}, None, None)
    return pipeline.stamp(outgoing, pipeline.decide("http://127.0.0.1:4000/v1")).carriers.body["hermes"]


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
