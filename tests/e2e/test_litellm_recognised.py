"""A real LiteLLM proxy on one's own network, and nothing set anywhere: it is known by its first answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from harness.litellm_proxy import MASTER_KEY, LiteLLM, deployment, litellm_environment, running_litellm
from harness.replies import Reply
from harness.upstream import RecordedCall, Upstream, running_upstream

import hermes_hints
from hermes_hints import pipeline

pytestmark = pytest.mark.e2e

WHO = {"user_id": "@alice:example.org", "chat_id": "!ops:example.org", "conversation_id": "conversation-1"}
OURS = ("hermes", "alice", "!ops", "litellm_metadata", "conversation-1")


def answered(call: RecordedCall) -> Reply:
    """As a provider answers; the model ``strict`` as one that takes only what it knows."""
    if call.model == "strict" and "hermes" in call.json:
        return Reply("Unrecognized request argument supplied: hermes", status=400)
    return Reply(f"by {call.model}")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream(answered) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(upstream: Upstream, shown: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLLM]:
    config = {
        "model_list": [deployment(model, model, upstream.base_url) for model in ("local", "strict")],
        "general_settings": {"master_key": MASTER_KEY},
    }
    with running_litellm(litellm_environment(shown), tmp_path_factory.mktemp("litellm"), config) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: LiteLLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[openai.OpenAI]:
    """A client of a proxy that nobody here has seen before."""
    monkeypatch.setenv("HERMES_HINTS_HOME", str(tmp_path))
    with openai.OpenAI(base_url=proxy.base_url, api_key=MASTER_KEY, max_retries=0) as client:
        yield hermes_hints.wrap(client, identity=WHO)


def ask(client: openai.OpenAI, model: str, *, stream: bool = False) -> None:
    messages: Any = [{"role": "user", "content": "Hi"}]
    answer: Any = client.chat.completions.create(model=model, messages=messages, stream=stream)
    if stream:
        for _ in answer:
            pass


def ours_in(call: RecordedCall) -> list[str]:
    told = f"{call.headers} {call.body.decode()}".lower()
    return [word for word in OURS if word in told]


@pytest.mark.parametrize("stream", [False, True])
def test_from_its_first_answer_on_nothing_goes_on_to_the_provider(stream, client, upstream):
    before = len(upstream.calls)
    for _ in range(3):
        ask(client, "local", stream=stream)

    first, second, third = upstream.calls[before:]
    assert "hermes" in ours_in(first)
    assert ours_in(second) == ours_in(third) == []


def test_where_the_provider_refuses_the_first_one_it_is_sent_again_at_once(client, upstream):
    before = len(upstream.calls)
    ask(client, "strict")

    first, *_, last = upstream.calls[before:]
    assert "hermes" in first.json
    assert ours_in(last) == []
    assert "user" not in last.json


def test_another_process_knows_it_at_once(client, proxy, upstream):
    ask(client, "local")
    pipeline._learned.__init__()
    before = len(upstream.calls)
    with openai.OpenAI(base_url=proxy.base_url, api_key=MASTER_KEY, max_retries=0) as another:
        ask(hermes_hints.wrap(another, identity=WHO), "local")

    (call,) = upstream.calls[before:]
    assert ours_in(call) == []
