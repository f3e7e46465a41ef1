"""A real nginx keeps each conversation at one of three model servers, by the recipe in the docs as it stands."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest
from harness.environments import CHECKOUT
from harness.nginx import MISSING, nginx_program, running_nginx
from harness.replicas import Replica, running_replicas

from hermes_hints import identify, wrap

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(nginx_program() is None, reason=MISSING)]

RECIPE = CHECKOUT / "docs" / "recipes" / "nginx.conf"
FRONT = ("127.0.0.10", 8080)
BEHIND = [("127.0.0.11", 8000), ("127.0.0.12", 8000), ("127.0.0.13", 8000)]
BASE_URL = "http://127.0.0.10:8080/v1"
CONVERSATIONS = 200
TURNS = 10


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    with running_replicas(BEHIND) as replicas:
        yield replicas


@pytest.fixture
def nginx(replicas: list[Replica], tmp_path: Path) -> Iterator[None]:
    with running_nginx(RECIPE, FRONT, tmp_path):
        yield


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    with wrap(openai.OpenAI(base_url=BASE_URL, api_key="k", max_retries=0)) as client:
        yield client


def conversations(count: int) -> list[str]:
    """Ids as Hermes makes them; always the same ones, for with 200 at random chance alone moves a share by 10 %."""
    choose = random.Random(1)
    return [
        f"20261121_{choose.randrange(24):02}{choose.randrange(60):02}00_{choose.randrange(16**8):08x}"
        for _ in range(count)
    ]


def ask(client: openai.OpenAI, conversation: str) -> str:
    """One turn: who answered it."""
    with identify(user_id="alice", conversation_id=conversation):
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    return str(answer.system_fingerprint)


@pytest.mark.usefixtures("nginx")
def test_each_conversation_stays_at_one_server_and_they_spread_evenly(client):
    ids = conversations(CONVERSATIONS)
    turns = ids * TURNS
    random.Random(2).shuffle(turns)

    with ThreadPoolExecutor(8) as people:
        servers = list(people.map(lambda conversation: ask(client, conversation), turns))

    homes: dict[str, set[str]] = {}
    for conversation, server in zip(turns, servers, strict=True):
        homes.setdefault(conversation, set()).add(server)
    assert [conversation for conversation, at in homes.items() if len(at) != 1] == []
    spread = Counter(server for at in homes.values() for server in at)
    even = CONVERSATIONS / len(BEHIND)
    assert len(spread) == len(BEHIND)
    assert all(abs(count - even) <= 0.15 * even for count in spread.values()), spread


@pytest.mark.usefixtures("nginx")
def test_when_a_server_goes_its_conversations_move_and_the_others_stay(client, replicas):
    ids = conversations(60)
    before = {conversation: ask(client, conversation) for conversation in ids}
    gone = replicas[1]
    gone.stop()

    after = {conversation: ask(client, conversation) for conversation in ids}

    moved = {conversation for conversation in ids if after[conversation] != before[conversation]}
    assert moved == {conversation for conversation in ids if before[conversation] == gone.name}
    assert moved
    assert gone.name not in after.values()


@pytest.mark.usefixtures("nginx")
def test_requests_without_a_conversation_are_spread():
    with httpx.Client() as http:
        body = {"model": "m", "messages": []}
        answers = [http.post(f"{BASE_URL}/chat/completions", json=body).json() for _ in range(60)]
    assert len({answer["system_fingerprint"] for answer in answers}) == len(BEHIND)


@pytest.mark.usefixtures("nginx")
def test_hints_go_through_and_so_does_a_long_conversation(client, replicas):
    with identify(user_id="José", conversation_id="conversation-1"):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x" * 3_000_000}])
    headers = next(replica.received[0] for replica in replicas if replica.received)
    body = next(replica.bodies[0] for replica in replicas if replica.bodies)
    assert headers["x-hermes-user-id"] == "Jos%C3%A9"
    assert headers["x-hermes-session-id"] == "conversation-1"
    assert body["hermes"]["user_id"] == "José"
