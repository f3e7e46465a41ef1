"""Real routers in front of three model servers, by the recipes in the docs: each conversation stays at one of them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from harness.environments import CHECKOUT, environment
from harness.programs import free_port, running_program
from harness.replicas import Replica, running_replicas

from hermes_hints import identify, wrap

pytestmark = pytest.mark.e2e

RECIPES = CHECKOUT / "docs" / "recipes"
ROUTERS = {"sglang-gateway": "sglang-router==0.3.2", "vllm-router": "vllm-router==0.1.17"}
CONVERSATIONS = 30
TURNS = 5
MOST_RETRIES = 8
"""A router listens before it has found its workers, and answers 503 until then."""


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    with running_replicas([("127.0.0.1", 0)] * 3) as replicas:
        yield replicas


@pytest.fixture(params=ROUTERS)
def router(request: pytest.FixtureRequest) -> str:
    """The name of a router, of its recipe and of its profile."""
    return str(request.param)


@pytest.fixture
def client(
    router: str, replicas: list[Replica], tmp_path: Path, shown: Callable[[str], None]
) -> Iterator[openai.OpenAI]:
    """A client of the running router, with its profile."""
    built = environment(router, [ROUTERS[router]], progress=shown)
    port = free_port()
    environ = {"PATH": f"{built.programs}{os.pathsep}{os.environ['PATH']}", "PORT": str(port)}
    # Beside what the recipe says, a port for its metrics that is free here.
    command = ["sh", RECIPES / f"{router}.sh", *(replica.origin for replica in replicas)]
    command += ["--prometheus-port", str(free_port())]
    base_url = f"http://127.0.0.1:{port}/v1"
    with (
        running_program(command, ("127.0.0.1", port), tmp_path, environ=environ),
        openai.OpenAI(base_url=base_url, api_key="k", max_retries=MOST_RETRIES) as made,
    ):
        settings = {"endpoints": [{"match": "127.0.0.1", "profile": router}]}
        yield wrap(made, settings=settings, identity={"user_id": "alice"})


def test_each_conversation_stays_at_one_server(client, replicas):
    ids = [f"conversation-{number}" for number in range(CONVERSATIONS)]
    turns = ids * TURNS
    random.Random(1).shuffle(turns)
    homes: dict[str, set[str]] = {}
    for conversation in turns:
        with identify(conversation_id=conversation):
            answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        homes.setdefault(conversation, set()).add(str(answer.system_fingerprint))

    assert [conversation for conversation, at in homes.items() if len(at) != 1] == []
    assert {server for at in homes.values() for server in at} == {replica.name for replica in replicas}


def test_the_servers_are_sent_no_field_that_they_do_not_know(client, replicas):
    with identify(conversation_id="conversation-1"):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    (body,) = [body for replica in replicas for body in replica.bodies]
    assert not {"hermes", "metadata", "user", "session_id", "priority"} & body.keys()
