"""Spans that a program makes with OpenTelemetry's own SDK: what they say, and which trace they are in."""

from __future__ import annotations

import contextvars
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hermes_hints import ConfigError, calling, hint, identify
from hermes_hints.opentelemetry import HintSpans, TurnTraces

WHO = {
    "user_id": "alice",
    "user_name": "Zoë",
    "chat_id": "!ops",
    "platform": "matrix",
    "conversation_id": "conversation-1",
}


@pytest.fixture
def spans():
    """Makes a tracer with a processor of ours; the spans that have ended are in its ``ended``."""

    def spans(*arguments, **options):
        exporter = InMemorySpanExporter()
        provider = TracerProvider(id_generator=TurnTraces())
        provider.add_span_processor(HintSpans(*arguments, **options))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("test")
        tracer.ended = exporter.get_finished_spans
        return tracer

    return spans


def said(tracer, **attributes):
    """The attributes of a span that starts here."""
    tracer.start_span("call", attributes=attributes).end()
    return dict(tracer.ended()[-1].attributes)


def test_a_span_says_by_the_conventions_who_asks(spans):
    with identify(**WHO), calling(turn_id="turn-1", purpose="main"), hint(cost_center="7"):
        told = said(spans())
    assert told == {
        "user.id": "alice",
        "user.name": "Zoë",
        "session.id": "conversation-1",
        "gen_ai.conversation.id": "conversation-1",
        "hermes.chat_id": "!ops",
        "hermes.platform": "matrix",
        "hermes.turn_id": "turn-1",
        "hermes.purpose": "main",
        "hermes.cost_center": "7",
    }


def test_langfuse_s_names_and_tags(spans):
    tracer = spans("langfuse", tags=["platform", "purpose", "labels"])
    with identify(**WHO), calling(turn_id="turn-1", purpose="main"), hint(labels=["red", "blue"]):
        told = said(tracer)
    assert told["user.id"] == "alice"
    assert told["session.id"] == "conversation-1"
    assert told["langfuse.trace.name"] == "hermes turn"
    assert told["langfuse.trace.tags"] == ("platform:matrix", "purpose:main", "labels:red", "labels:blue")
    assert told["langfuse.trace.metadata.chat_id"] == "!ops"
    assert told["langfuse.observation.metadata.purpose"] == "main"


def test_no_tags_unless_asked_for(spans):
    with identify(**WHO):
        assert not [name for name in said(spans("langfuse")) if "tag" in name]


def test_what_the_program_sets_stays(spans):
    with identify(**WHO):
        assert said(spans(), **{"user.id": "mine"})["user.id"] == "mine"


def test_outside_any_scope_only_what_the_program_itself_is(spans):
    assert said(spans()) == {}
    assert said(spans(identity={"user_id": "robot"})) == {"user.id": "robot"}
    with identify(user_id="alice"):
        assert said(spans(identity={"user_id": "robot", "user_name": "R2"})) == {"user.id": "alice"}


@pytest.mark.parametrize("privacy", ["pseudonymous", "none"])
@pytest.mark.parametrize("by", ["argument", "settings"])
def test_a_span_is_as_private_as_it_is_told_to_be(spans, privacy, by):
    settings = {"pseudonym_key": "0123456789abcdef", **({"privacy": privacy} if by == "settings" else {})}
    tracer = spans("langfuse", privacy=privacy if by == "argument" else "raw", settings=settings)
    with identify(**WHO):
        told = said(tracer)
    assert [value for value in ("alice", "Zoë", "!ops") if value in str(told)] == []
    assert ("user.id" in told) == (privacy == "pseudonymous")


def test_a_profile_of_one_s_own(spans):
    settings = {"profiles": {"ours": {"span": {"tenant": "ext.acme.tenant"}}}}
    with hint(ext={"acme.tenant": "north"}):
        assert said(spans("ours", settings=settings)) == {"tenant": "north"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"profile": "otle"}, "there is no profile 'otle'"),
        ({"profile": "litellm"}, "'litellm' has no names for spans; use 'otel' or 'langfuse'"),
        ({"tags": ["purpos"]}, "did you mean 'purpose'"),
        ({"tags": "purpose"}, "write a list of fields"),
        ({"privacy": "secret"}, "there is no 'secret'; use one of raw, pseudonymous, none"),
    ],
)
def test_mistakes_are_named(wrong, message):
    with pytest.raises(ConfigError, match=message):
        HintSpans(**wrong)


def test_a_turn_is_one_trace_in_every_thread(spans):
    tracer = spans()

    def call():
        tracer.start_span("call").end()

    for turn in ("turn-1", "turn-2"):
        with calling(turn_id=turn):
            call()
            thread = threading.Thread(target=contextvars.copy_context().run, args=(call,))
            thread.start()
            thread.join()
    call()
    call()

    traces = [trace.format_trace_id(span.context.trace_id) for span in tracer.ended()]
    assert traces[0] == traces[1]
    assert traces[2] == traces[3]
    assert len(set(traces)) == 4


def test_a_span_inside_another_stays_in_its_trace(spans):
    tracer = spans()
    with tracer.start_as_current_span("the program's own"), calling(turn_id="turn-1"):
        tracer.start_span("call").end()
    call, own = tracer.ended()
    assert call.context.trace_id == own.context.trace_id


def test_a_failure_of_ours_costs_the_span_nothing(spans, caplog):
    tracer = spans()
    with identify(user_id="alice"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("hermes_hints.opentelemetry.guarded", lambda *_: 1 / 0)
        assert said(tracer) == {}
    assert "a span says nothing of hints" in caplog.text
