"""Attributes of the span that is current, in a program that traces and in one that does not."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

SAID = {
    "user.id": "alice",
    "user.name": "Zoë Archer",
    "session.id": "conversation-1",
    "gen_ai.conversation.id": "conversation-1",
    "hermes.chat_id": "!ops:example.org",
    "hermes.chat_name": "Ops, München",
    "hermes.chat_type": "group",
    "hermes.thread_id": "thread-9",
    "hermes.platform": "matrix",
    "hermes.turn_id": "turn-1",
    "hermes.request_id": "request-1",
    "hermes.purpose": "main",
    "hermes.agent": "hermes-agent/0.19.0",
    "hermes.user_intent": "force-cloud",
    "hermes.cost_center": "7",
}


class Span:
    def __init__(self, attributes=None, *, recording=True, broken=False):
        self.attributes = dict(attributes or {})
        self.recording = recording
        self.broken = broken

    def is_recording(self):
        return self.recording

    def set_attributes(self, attributes):
        if self.broken:
            raise RuntimeError
        self.attributes.update(attributes)


@pytest.fixture
def current(monkeypatch):
    """Makes a span the current one, as a program does that has imported OpenTelemetry."""

    def current(span):
        api = types.ModuleType("opentelemetry.trace")
        api.get_current_span = lambda: span
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", api)
        return span

    return current


def test_a_span_gets_the_conventions_names(current, carried):
    span = current(Span())
    carried("otel")
    assert span.attributes == SAID


def test_what_the_program_has_set_stays(current, carried):
    span = current(Span({"user.id": "mine", "other": 1}))
    carried("otel")
    assert span.attributes == {**SAID, "user.id": "mine", "other": 1}


@pytest.mark.parametrize("privacy", ["pseudonymous", "none"])
def test_a_span_is_as_private_as_the_request(privacy, current, carried):
    span = current(Span())
    carried("otel", privacy)
    told = str(span.attributes)
    assert [value for value in ("alice", "Zoë", "!ops", "München", "thread-9") if value in told] == []
    assert ("user.id" in span.attributes) == (privacy == "pseudonymous")


def test_a_span_that_does_not_record_is_left_alone(current, carried):
    span = current(Span(recording=False))
    carried("otel")
    assert span.attributes == {}


def test_a_span_that_breaks_costs_the_hints_and_not_the_request(current, carried, caplog):
    current(Span(broken=True))
    assert carried("otel") == ({}, {})
    assert "could not be stamped and goes on as it is" in caplog.text


@pytest.mark.parametrize("profile", ["dispatcher", "headers", "litellm"])
def test_other_profiles_touch_no_span(profile, current, carried):
    span = current(Span())
    carried(profile)
    assert span.attributes == {}


def test_a_profile_of_spans_alone_sends_nothing(current, carried):
    span = current(Span())
    assert carried("spans", profiles={"spans": {"span": {"who": "user_id"}}}) == ({}, {})
    assert span.attributes == {"who": "alice"}


def test_opentelemetry_is_not_imported_for_it():
    code = """
import sys
import hermes_hints
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline
pipeline = Pipeline(hermes_hints.Settings.load({"endpoints": [{"match": "gpu", "profile": "otel"}]}))
with hermes_hints.identify(user_id="alice"):
    stamp = pipeline.stamp(Outgoing("chat.completions", {}, None, None), pipeline.decide("http://gpu/v1"))
print(stamp.carriers.headers["baggage"].partition(",")[0], "opentelemetry" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["user.id=alice", "False"]
