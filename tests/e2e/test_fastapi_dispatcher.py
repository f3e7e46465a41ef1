"""The dispatcher in the docs, run by a real uvicorn, in front of a model server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from harness.environments import CHECKOUT, PROJECT, environment
from harness.programs import free_port, running_program
from harness.replies import Reply
from harness.upstream import Upstream, running_upstream

from hermes_hints import calling, hint, wrap

pytestmark = pytest.mark.e2e

RECIPES = CHECKOUT / "docs" / "recipes"
REQUIREMENTS = ["fastapi==0.165.0", "httpx==0.28.1", "uvicorn==0.54.0"]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream(lambda call: Reply(f"I am {call.model}")) as upstream:
        yield upstream


@pytest.fixture
def client(upstream: Upstream, tmp_path: Path, shown: Callable[[str], None]) -> Iterator[openai.OpenAI]:
    built = environment("fastapi-dispatcher", REQUIREMENTS, project=PROJECT, progress=shown)
    port = free_port()
    command = [built.python, "-m", "uvicorn", "--app-dir", RECIPES, "fastapi_dispatcher:app", "--port", str(port)]
    environ = {"UPSTREAM": upstream.base_url.removesuffix("/v1"), "PYTHONDONTWRITEBYTECODE": "1"}
    with (
        running_program(command, ("127.0.0.1", port), tmp_path, environ=environ),
        openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="the key", max_retries=0) as made,
    ):
        yield wrap(made, identity={"user_id": "alice", "conversation_id": "conversation-1"})


def ask(client: openai.OpenAI, purpose: str, **options: object) -> str:
    with calling(purpose=purpose), hint(**options):
        answer = client.chat.completions.create(model="asked", messages=[{"role": "user", "content": "Hi"}])
    return str(answer.choices[0].message.content)


def test_it_chooses_by_intent_and_purpose(client):
    assert ask(client, "main") == "I am asked"
    assert ask(client, "subagent") == "I am asked"
    assert ask(client, "title_generation") == "I am local-small"
    assert ask(client, "title_generation", user_intent="force-cloud") == "I am cloud-large"


def test_the_model_server_sees_nothing_of_ours_and_the_caller_s_own(client, upstream):
    client.chat.completions.create(model="m", messages=[], metadata={"mine": "stays"})
    (call,) = upstream.calls
    assert call.json == {"model": "m", "messages": [], "metadata": {"mine": "stays"}}
    assert b"alice" not in call.body
    assert "alice" not in str(call.headers)
    assert call.header("Authorization") == "Bearer the key"


def test_streams_and_errors_come_through_and_it_says_that_it_reads_hints(client, upstream):
    answer = client.chat.completions.with_raw_response.create(model="m", messages=[])
    assert answer.headers["x-hermes-hints"] == "v=1"
    stream = client.chat.completions.create(model="m", messages=[], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "I am m"
    upstream.script = lambda call: Reply("too busy", status=429)
    with pytest.raises(openai.RateLimitError, match="too busy"):
        client.chat.completions.create(model="m", messages=[])


def test_it_has_some_thirty_lines():
    lines = (RECIPES / "fastapi_dispatcher.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 30
