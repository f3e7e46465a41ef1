"""A real LiteLLM proxy with the recipe in the docs and its own database: routes, affinity, rows of spend, budgets."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
import yaml
from harness.environments import CHECKOUT
from harness.litellm_database import MISSING, database_can_run, running_database
from harness.litellm_proxy import MASTER_KEY, LiteLLM, litellm_environment, running_litellm
from harness.postgres import psql
from harness.programs import waited_for
from harness.replicas import Replica, running_replicas

import hermes_hints

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not database_can_run(), reason=MISSING)]

RECIPES = CHECKOUT / "docs" / "recipes"
CONFIG = yaml.safe_load((RECIPES / "litellm.yaml").read_text(encoding="utf-8"))
NAMES = ("local-1", "local-2", "cheap", "cloud")
CLOUD_CALL = 0.001 + 0.000002
"""Dollars for a call of the group cloud: a model here answers with one token to one token."""
PEOPLE = ("@alice:example.org", "@bob:example.org")
ROOMS = ("!ops:example.org", "!lab:example.org")


@dataclass(frozen=True)
class Stage:
    proxy: LiteLLM
    database: str
    models: dict[str, Replica]
    key: str
    """A key as people get it: LiteLLM itself treats its master key differently."""

    def ask(self, profile: str = "litellm", purpose: str = "main", intent: str | None = None, **identity: str) -> str:
        """One call: the name of the deployment that answered it."""
        client = openai.OpenAI(base_url=self.proxy.base_url, api_key=self.key, max_retries=0)
        hermes_hints.wrap(client, identity=hermes_hints.Identity(**identity), profile=profile)
        with client, hermes_hints.calling(purpose=purpose), hermes_hints.hint(user_intent=intent):
            answer = client.chat.completions.create(model="local", messages=[{"role": "user", "content": "Hi"}])
        by_fingerprint = {replica.name: name for name, replica in self.models.items()}
        return by_fingerprint[str(answer.system_fingerprint)]

    def rows(self) -> list[dict[str, Any]]:
        """LiteLLM's table of spend."""
        query = 'select row_to_json(logs) from (select * from "LiteLLM_SpendLogs") as logs'
        return [json.loads(line) for line in psql(self.database, query=query).splitlines()]

    def spent(self, who: str) -> float:
        """What LiteLLM's database says that an end user has spent."""
        query = f"select spend from \"LiteLLM_EndUserTable\" where user_id = '{who}'"  # noqa: S608 - the test's own words
        return float(psql(self.database, query=query) or 0)


def _admin(proxy: LiteLLM, path: str, **content: object) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {MASTER_KEY}"}
    answer = httpx.post(f"{proxy.origin}{path}", json=content, headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def stage(shown, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    installed = litellm_environment(shown)
    directory = tmp_path_factory.mktemp("litellm")
    shutil.copy(RECIPES / "litellm-rules.yaml", directory)
    addresses = [(f"127.0.0.3{number}", 8000) for number in (1, 2, 3, 4)]
    with running_replicas(addresses) as replicas, running_database(installed) as (url, env):
        # It otherwise writes to its database once a minute.
        own = {"LITELLM_MASTER_KEY": MASTER_KEY, "PROXY_BATCH_WRITE_AT": "1", **env}
        with running_litellm(installed, directory, CONFIG, env=own) as proxy:
            _admin(proxy, "/budget/new", budget_id="everybody", max_budget=2.5 * CLOUD_CALL)
            yield Stage(proxy, url, dict(zip(NAMES, replicas, strict=True)), _admin(proxy, "/key/generate")["key"])


def test_it_routes_by_purpose_and_intent_and_keeps_a_conversation_at_one_deployment(stage: Stage) -> None:
    assert stage.ask(purpose="title_generation", user_id="@carol:example.org") == "cheap"
    assert stage.ask(intent="force-cloud", user_id="@carl:example.org") == "cloud"
    served: defaultdict[str, set[str]] = defaultdict(set)
    for _turn in range(3):
        for number in range(20):
            conversation = f"conversation-{number:02}"
            served[conversation].add(stage.ask(conversation_id=conversation))

    assert {len(at) for at in served.values()} == {1}
    assert set[str]().union(*served.values()) == {"local-1", "local-2"}


def test_the_rows_in_its_database_add_up_to_the_calls_made(stage: Stage) -> None:
    before = sum(len(model.bodies) for model in stage.models.values())
    for person in PEOPLE:
        for room in ROOMS:
            for purpose in ("main", "main", "title_generation"):
                stage.ask(purpose=purpose, user_id=person, chat_id=room, session_id=f"session-in-{room[1:4]}")
    made = sum(len(model.bodies) for model in stage.models.values()) - before

    def ours() -> list[dict[str, Any]]:
        return [row for row in stage.rows() if row["end_user"] in PEOPLE]

    assert made == 12
    rows = waited_for(ours, lambda rows: len(rows) >= made)
    counted = Counter((row["end_user"], row["metadata"]["spend_logs_metadata"]["chat_id"]) for row in rows)
    assert counted == dict.fromkeys(((person, room) for person in PEOPLE for room in ROOMS), 3)
    assert {row["session_id"] for row in rows} == {"session-in-ops", "session-in-lab"}
    assert [row["spend"] for row in rows] == pytest.approx([0.000003] * made)
    # LiteLLM adds up what people spent in batches, of which one may hold some of the six calls.
    spent = waited_for(lambda: stage.spent(PEOPLE[0]), lambda spent: spent > 5.5 * 0.000003)
    assert spent == pytest.approx(6 * 0.000003)


@pytest.mark.parametrize("profile", ["litellm", "dispatcher"])
def test_a_user_s_budget_ends_and_another_s_does_not(stage: Stage, profile: str) -> None:
    spender, other = f"@spender-by-{profile}:example.org", f"@other-by-{profile}:example.org"
    cloud = stage.models["cloud"]
    for number in (1, 2, 3):
        assert stage.ask(profile, intent="force-cloud", user_id=spender) == "cloud"
        waited_for(lambda: stage.spent(spender), lambda spent, number=number: spent > (number - 0.5) * CLOUD_CALL)
    before = len(cloud.bodies)

    for _try in (1, 2):
        with pytest.raises(openai.APIStatusError, match=r"[Bb]udget") as refused:
            stage.ask(profile, intent="force-cloud", user_id=spender)
        assert refused.value.status_code == 422

    assert len(cloud.bodies) == before
    assert stage.ask(profile, intent="force-cloud", user_id=other) == "cloud"


def test_a_budget_of_one_s_own_goes_before_everybody_s(stage: Stage) -> None:
    _admin(stage.proxy, "/customer/new", user_id="@rich:example.org", max_budget=100 * CLOUD_CALL)
    for number in range(1, 5):
        stage.ask(intent="force-cloud", user_id="@rich:example.org")
        waited_for(lambda: stage.spent("@rich:example.org"), lambda spent, n=number: spent > (n - 0.5) * CLOUD_CALL)


def test_the_models_see_nothing_of_ours(stage: Stage) -> None:
    stage.ask(user_id="@dave:example.org", chat_id="!ops:example.org")
    for model in stage.models.values():
        assert "hermes" not in f"{model.bodies} {model.received}".lower()
        assert "example.org" not in f"{model.bodies} {model.received}"
