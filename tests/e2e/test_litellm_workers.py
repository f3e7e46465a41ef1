"""Two workers of a real LiteLLM proxy that share a Redis, and take signed hints alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

import openai
import pytest
from harness.litellm_proxy import CALLBACK, MASTER_KEY, LiteLLM, deployment, litellm_environment, running_litellm
from harness.receiver import Receiver, running_receiver
from harness.redis import running_redis
from harness.replies import Reply
from harness.upstream import Upstream, running_upstream

import hermes_hints

pytestmark = pytest.mark.e2e

KEY = "shared by sender and receiver"
RULES = "rules:\n  - {match: {user_intent: force-cloud}, model: cloud}\n"


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
    directory = tmp_path_factory.mktemp("litellm")
    (directory / "rules.yaml").write_text(RULES, encoding="utf-8")
    with running_redis() as port:
        redis = {"redis_host": "127.0.0.1", "redis_port": port}
        config = {
            "model_list": [
                *(deployment("local", f"local-{number}", upstream.base_url) for number in range(4)),
                deployment("cloud", "cloud-large", upstream.base_url),
            ],
            "router_settings": {"optional_pre_call_checks": ["session_affinity"], **redis},
            "litellm_settings": {"callbacks": [CALLBACK, "spend_rows.spend_rows"]},
            "callback_settings": {
                "hermes_hints": {"rules": "rules.yaml", "signing_key": "os.environ/KEY_OF_OUR_SENDERS"}
            },
            "general_settings": {
                "master_key": MASTER_KEY,
                "custom_auth": "limited_keys.check",
                "user_header_mappings": [{"header_name": "X-Hermes-User-Id", "litellm_user_role": "customer"}],
            },
        }
        env = {"KEY_OF_OUR_SENDERS": KEY, "SPEND_ROWS_TO": f"{receiver.url}/rows"}
        with running_litellm(litellm_environment(shown), directory, config, env=env, workers=2) as proxy:
            yield proxy


def _ask(proxy: LiteLLM, text: str, *, key: str | None = KEY, api_key: str = MASTER_KEY, **identity: str) -> None:
    """Each on a connection of its own, which any of the workers may take."""
    settings = {"signing_key": key} if key is not None else {}
    with openai.OpenAI(base_url=proxy.base_url, api_key=api_key, max_retries=0) as client:
        hermes_hints.wrap(client, identity=hermes_hints.Identity(**identity), settings=settings)
        client.chat.completions.create(model="local", messages=[{"role": "user", "content": text}])


def _served(upstream: Upstream, text: str) -> str:
    return upstream.wait_for(lambda call: call.question == text).model


def test_a_conversation_stays_on_one_deployment_whichever_worker_is_asked(
    proxy: LiteLLM, upstream: Upstream, receiver: Receiver
) -> None:
    served: defaultdict[str, set[str]] = defaultdict(set)
    for turn in range(30):
        for conversation in ("conversation-one", "conversation-two"):
            _ask(proxy, f"{conversation} {turn}", session_id=conversation)
            served[conversation].add(_served(upstream, f"{conversation} {turn}"))
    for number in range(20):
        _ask(proxy, f"other {number}", session_id=f"conversation-{number:03}")
        served["others"].add(_served(upstream, f"other {number}"))

    assert (len(served["conversation-one"]), len(served["conversation-two"])) == (1, 1)
    assert len(served["others"]) > 1
    posts = receiver.wait_for("/rows", lambda posts: len(posts) >= len(upstream.calls))
    workers: defaultdict[str, set[str]] = defaultdict(set)
    for post in posts:
        workers[json.loads(post.body)["session_id"]].add(post.headers["x-worker"])
    assert len(workers["conversation-one"]) == 2


def test_only_signed_hints_count(proxy: LiteLLM, upstream: Upstream) -> None:
    with hermes_hints.hint(user_intent="force-cloud"):
        _ask(proxy, "signed", user_id="@alice:example.org")
        _ask(proxy, "not signed", user_id="@alice:example.org", key=None)
        _ask(proxy, "forged", user_id="@alice:example.org", key="somebody else's key")

    assert _served(upstream, "signed") == "cloud-large"
    assert _served(upstream, "not signed").startswith("local-")
    assert _served(upstream, "forged").startswith("local-")
    for call in upstream.calls:
        assert b"hermes" not in call.body
        assert not [name for name, _ in call.headers if name.lower().startswith("x-hermes")]


def test_hints_give_a_key_no_more_models_than_it_has(proxy: LiteLLM, upstream: Upstream) -> None:
    with hermes_hints.hint(user_intent="force-cloud"):
        _ask(proxy, "may I have the cloud?", user_id="@alice:example.org", api_key="sk-local-only")
        _ask(proxy, "and may I?", user_id="@alice:example.org")

    assert _served(upstream, "may I have the cloud?").startswith("local-")
    assert _served(upstream, "and may I?") == "cloud-large"
    assert "the rule 'rule 1' chooses 'cloud', but the caller's key may not use it" in proxy.log.read_text("utf-8")


def test_litellm_itself_can_take_the_header_for_its_end_user(
    proxy: LiteLLM, upstream: Upstream, receiver: Receiver
) -> None:
    _ask(proxy, "by the header alone", key=None, user_id="@bob:example.org")

    posts = receiver.wait_for("/rows", lambda posts: len(posts) >= len(upstream.calls))
    assert "@bob:example.org" in {json.loads(post.body)["end_user"] for post in posts}
