"""The profile `otel` with OpenTelemetry's own SDK: what a span holds, and what its propagator reads of the baggage."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.environments import PROJECT, Environment, environment
from harness.replicas import Replica, running_replicas

pytestmark = pytest.mark.e2e

PROGRAM = Path(__file__).parent / "harness" / "traced_call.py"
READ = """
import json, sys
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
print(json.dumps(dict(baggage.get_all(W3CBaggagePropagator().extract({"baggage": sys.argv[1]})))))
"""


@pytest.fixture(scope="module")
def traced(shown: Callable[[str], None]) -> Environment:
    return environment("opentelemetry", ["opentelemetry-sdk==1.45.2"], project=PROJECT, progress=shown)


@pytest.fixture
def upstream() -> Iterator[Replica]:
    with running_replicas([("127.0.0.1", 0)]) as (upstream,):
        yield upstream


def written_by(traced: Environment, *arguments: str | Path) -> dict[str, str]:
    done = subprocess.run([traced.python, *arguments], check=False, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_span_and_the_baggage_say_who_and_which_conversation(traced, upstream):
    attributes = written_by(traced, PROGRAM, upstream.origin + "/v1")

    inside, outside = upstream.received
    request_id = attributes.pop("hermes.request_id")
    assert attributes == {
        "session.id": "mine",
        "user.id": "José, ops",
        "user.name": "Zoë",
        "gen_ai.conversation.id": "conversation-1",
    }
    told = written_by(traced, "-c", READ, inside["baggage"])
    assert told == {
        "user.id": "José, ops",
        "session.id": "conversation-1",
        "gen_ai.conversation.id": "conversation-1",
        "hermes.request_id": request_id,
    }
    assert "baggage" in outside
