"""A LiteLLM proxy that knows nothing of hermes-hints: what the sender's profiles for it bring about by themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

import openai
import pytest
from harness.covering import whole
from harness.litellm_proxy import MASTER_KEY, LiteLLM, deployment, litellm_environment, running_litellm
from harness.receiver import Receiver, running_receiver
from harness.replies import Reply
from harness.upstream import Upstream, running_upstream

import hermes_hints

pytestmark = pytest.mark.e2e

ALICE = {"user_id": "@alice:example.org", "user_name": "Alice", "chat_id": "!ops:example.org", "platform": "matrix"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream(lambda _: Reply("heard")) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def proxy(upstream: Upstream, receiver: Receiver, shown, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLLM]:
    config = {
        "model_list": [deployment("local", f"local-{number}", upstream.base_url, price=0.001) for number in range(4)],
        "router_settings": {"optional_pre_call_checks": ["session_affinity"]},
        "litellm_settings": {"callbacks": ["spend_rows.spend_rows"]},
        "general_settings": {"master_key": MASTER_KEY},
    }
    env = {"SPEND_ROWS_TO": f"{receiver.url}/rows"}
    installed = litellm_environment(shown)
    with running_litellm(installed, tmp_path_factory.mktemp("litellm"), config, env=env) as proxy:
        yield proxy


def _client(proxy: LiteLLM, profile: str, conversation: str) -> openai.OpenAI:
    client = openai.OpenAI(base_url=proxy.base_url, api_key=MASTER_KEY, max_retries=0)
    settings = {"endpoints": [{"match": proxy.origin.removeprefix("http://"), "profile": profile}]}
    identity = hermes_hints.Identity(**ALICE, session_id=conversation)
    return hermes_hints.wrap(client, identity=identity, settings=settings)


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("profile", ["litellm", "langfuse"])
def test_rows_sessions_and_affinity_are_right_and_nothing_goes_on_to_a_provider(
    proxy: LiteLLM, upstream: Upstream, receiver: Receiver, profile: str
) -> None:
    served: defaultdict[str, set[str]] = defaultdict(set)
    conversations = [f"{profile}-conversation-{number:02}" for number in range(12)]
    for turn in range(6):
        for conversation in conversations:
            text = f"{turn} of {conversation}"
            with hermes_hints.calling(turn_id=f"turn-{turn}", purpose="main"):
                client = _client(proxy, profile, conversation)
                if turn % 2:
                    client.responses.create(model="local", input=_said(text))
                else:
                    client.chat.completions.create(model="local", messages=_said(text))
            served[conversation].add(upstream.wait_for(lambda call, text=text: call.question == text).model)

    assert [len(served[conversation]) for conversation in conversations] == [1] * len(conversations)
    assert len(set[str]().union(*served.values())) > 1
    posts = receiver.wait_for("/rows", lambda posts: len(posts) >= len(upstream.calls))
    rows = [row for row in (json.loads(post.body) for post in posts) if row["session_id"].startswith(profile)]
    assert len(rows) == 72
    for row in rows:
        noted = json.loads(row["metadata"])["spend_logs_metadata"]
        assert (row["end_user"], noted["chat_id"], noted["purpose"]) == (ALICE["user_id"], ALICE["chat_id"], "main")
        assert row["session_id"] in conversations
        assert row["spend"] == pytest.approx(0.015)
    for call in upstream.calls:
        assert b"hermes" not in whole(call).lower()
        assert b"alice" not in whole(call).lower()
        assert "metadata" not in call.json
