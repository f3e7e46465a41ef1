"""A real Portkey gateway routes by hints, with the configuration in the docs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from harness.environments import CHECKOUT
from harness.portkey import MISSING, node_is_there, running_portkey
from harness.replicas import Replica, running_replicas

from hermes_hints import calling, hint, wrap

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not node_is_there(), reason=MISSING)]

RECIPE = CHECKOUT / "docs" / "recipes" / "portkey.json"
TARGETS = ("cloud", "small", "local")


@pytest.fixture
def targets() -> Iterator[dict[str, Replica]]:
    with running_replicas([("127.0.0.1", 0)] * len(TARGETS)) as replicas:
        yield dict(zip(TARGETS, replicas, strict=True))


@pytest.fixture
def client(targets: dict[str, Replica], tmp_path: Path) -> Iterator[openai.OpenAI]:
    """A client of Portkey with the recipe's configuration, in which only the targets' addresses are replaced."""
    config = json.loads(RECIPE.read_text(encoding="utf-8"))
    for target in config["targets"]:
        target["custom_host"] = targets[target["name"]].origin + "/v1"
    with running_portkey(tmp_path) as base_url:
        headers = {"x-portkey-config": json.dumps(config), "x-portkey-metadata": json.dumps({"team": "x"})}
        made = openai.OpenAI(base_url=base_url, api_key="k", max_retries=0, default_headers=headers)
        settings = {"endpoints": [{"match": "127.0.0.1", "profile": "portkey"}]}
        who = {"user_id": "José", "chat_name": "Ops, 日本", "conversation_id": "conversation-1"}
        with wrap(made, settings=settings, identity=who) as wrapped:
            yield wrapped


def test_it_routes_by_intent_and_purpose(client, targets):
    def ask(purpose, **hints):
        with calling(purpose=purpose), hint(**hints):
            answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        return str(answer.system_fingerprint)

    assert ask("main") == targets["local"].name
    assert ask("main", user_intent="force-cloud") == targets["cloud"].name
    assert ask("title_generation") == targets["small"].name
    assert ask("main", user_intent="anything else") == targets["local"].name


def test_the_providers_see_nothing_of_it(client, targets):
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    local = targets["local"]
    assert local.bodies == [{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}]
    told = str(local.received).lower()
    assert [word for word in ("jos", "ops", "conversation-1", "portkey-metadata") if word in told] == []


def test_its_answer_names_the_conversation_as_the_trace(client):
    answer = client.chat.completions.with_raw_response.create(model="m", messages=[])
    assert answer.headers["x-portkey-trace-id"] == "conversation-1"
