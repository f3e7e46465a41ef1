"""A real Hermes' API server takes what the profile `hermes` sends, and loads nobody's stored session for it."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from harness.environments import Environment
from harness.gateway import running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.programs import free_port
from harness.replies import Reply
from harness.upstream import Upstream, running_upstream

from hermes_hints import identify, wrap

pytestmark = pytest.mark.e2e

API_KEY = "0123456789abcdef-only-for-tests"
SESSION_KEY = "matrix:!ops:example.org:@alice:example.org"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream(lambda call: Reply(f"heard {call.question.splitlines()[0]}")) as upstream:
        yield upstream


@pytest.fixture
def client(hinted_host: Environment, upstream: Upstream, tmp_path) -> Iterator[openai.OpenAI]:
    """A client of a gateway's API server, with the profile of that kind."""
    port = free_port()
    env = {"API_SERVER_ENABLED": "true", "API_SERVER_KEY": API_KEY, "API_SERVER_PORT": str(port)}
    home = HermesHome(upstream.base_url, env=env).write(tmp_path / "home")
    base_url = f"http://127.0.0.1:{port}/v1"
    with (
        running_gateway(Hermes(hinted_host.programs, home)),
        openai.OpenAI(base_url=base_url, api_key=API_KEY, max_retries=0) as made,
    ):
        settings = {"endpoints": [{"match": f"127.0.0.1:{port}", "profile": "hermes"}]}
        yield wrap(made, settings=settings)


def test_it_scopes_by_the_session_key_and_starts_each_request_without_a_history(client, upstream):
    who = {
        "user_id": "@alice:example.org",
        "user_name": "Zoë",
        "chat_id": "!ops:example.org",
        "session_id": "session-1",
        "session_key": SESSION_KEY,
    }
    with identify(**who):
        answers = [
            client.chat.completions.with_raw_response.create(
                model="any", messages=[{"role": "user", "content": f"question {number}"}]
            )
            for number in (1, 2)
        ]

    assert [answer.parse().choices[0].message.content for answer in answers] == ["heard question 1", "heard question 2"]
    assert {answer.headers["x-hermes-session-key"] for answer in answers} == {SESSION_KEY}
    assert {answer.headers["x-hermes-session-id"] for answer in answers}.isdisjoint({"session-1"})
    second = upstream.wait_for(lambda call: call.question.startswith("question 2"))
    assert "question 1" not in str(second.messages)
