"""Langfuse's own SDK in the process of a wrapped client, and what it exports, read with OpenTelemetry's protobuf classes."""

from __future__ import annotations

import hashlib
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.environments import CHECKOUT, Environment, environment
from harness.otlp import TRACES, Span, spans
from harness.receiver import Receiver, running_receiver
from harness.replicas import Replica, running_replicas

pytestmark = pytest.mark.e2e

PROGRAM = Path(__file__).parent / "harness" / "langfuse_turns.py"
CALLS = {"main", "title_generation", "subagent"}
WHO = {
    "turn-1": ("@alice:example.org", "conversation-1", "!ops:example.org"),
    "turn-2": ("@bob:example.org", "conversation-2", "!lab:example.org"),
    "turn-3": ("@alice:example.org", "conversation-1", "!ops:example.org"),
}


@pytest.fixture(scope="module")
def installed(shown: Callable[[str], None]) -> Environment:
    return environment("langfuse", ["langfuse==5.0.4"], project=CHECKOUT, progress=shown)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Replica]:
    with running_replicas([("127.0.0.1", 0)]) as (upstream,):
        yield upstream


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def exported(installed: Environment, upstream: Replica, receiver: Receiver, tmp_path_factory) -> list[Span]:
    """What Langfuse gets of three turns."""
    env = {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "LANGFUSE_BASE_URL": receiver.url,
        "LANGFUSE_PUBLIC_KEY": "pk-test",
        "LANGFUSE_SECRET_KEY": "sk-test",
    }
    command = [installed.python, PROGRAM, f"{upstream.origin}/v1"]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=120, env=env)
    assert done.returncode == 0, done.stderr
    return spans(installed, (post.body for post in receiver.wait_for(TRACES, bool)))


def _generations(exported: list[Span]) -> list[Span]:
    return [span for span in exported if span.attributes["langfuse.observation.type"] == "generation"]


def test_all_of_a_turn_is_one_trace_and_no_other_turn_is_in_it(exported):
    traces: defaultdict[str, set[str]] = defaultdict(set)
    for span in _generations(exported):
        traces[span.trace_id].add(span.name)

    assert traces == {hashlib.sha256(turn.encode()).hexdigest()[:32]: CALLS for turn in WHO}
    assert len(_generations(exported)) == len(WHO) * len(CALLS)


def test_every_call_says_who_where_and_what_for(exported):
    turns = {hashlib.sha256(turn.encode()).hexdigest()[:32]: turn for turn in WHO}
    for span in _generations(exported):
        turn = turns[span.trace_id]
        told = span.attributes
        who = (told["user.id"], told["session.id"], told["langfuse.trace.metadata.chat_id"])
        assert who == WHO[turn]
        assert told["langfuse.trace.name"] == "hermes turn"
        assert told["langfuse.trace.tags"] == ["platform:matrix", f"purpose:{span.name}"]
        assert told["langfuse.trace.metadata.turn_id"] == turn
        assert told["langfuse.observation.metadata.purpose"] == span.name


def test_a_span_of_the_program_s_own_says_it_too(exported):
    (own,) = [span for span in exported if span.name == "the program's own"]
    assert (own.attributes["user.id"], own.attributes["session.id"]) == WHO["turn-2"][:2]
    assert own.attributes["langfuse.trace.tags"] == ["platform:matrix"]


def test_the_models_are_told_as_ever(exported, upstream):
    assert exported
    told = [
        (body["hermes"]["user_id"], body["hermes"]["turn_id"], body["hermes"]["purpose"]) for body in upstream.bodies
    ]
    assert sorted(told) == sorted((who[0], turn, call) for turn, who in WHO.items() for call in CALLS)
