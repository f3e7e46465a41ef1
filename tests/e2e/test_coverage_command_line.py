"""Calls on the command line and on a schedule: one conversation each, and nobody named whom nobody named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from harness.covering import ERRANDS, PLUGIN, TOOLS_IN_THE_OPEN, about, answered, assert_says, is_title, order, told
from harness.environments import Environment
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.upstream import Upstream, running_upstream

pytestmark = pytest.mark.e2e

NOBODY = dict.fromkeys(("user_id", "user_name", "chat_id", "chat_name", "message_id"))
GIVEN = {"user_id": "@alice:example.org", "chat_id": "!ops:example.org", "platform": "matrix"}

Running = Callable[..., AbstractContextManager[tuple[Hermes, Upstream]]]


@pytest.fixture
def running(hinted_host: Environment, tmp_path: Path) -> Running:
    @contextmanager
    def running(env: dict[str, str] | None = None) -> Iterator[tuple[Hermes, Upstream]]:
        with running_upstream(answered) as upstream:
            home = HermesHome(upstream.base_url, folders=(ERRANDS,), enabled=(PLUGIN,), more=TOOLS_IN_THE_OPEN)
            yield Hermes(hinted_host.programs, home.write(tmp_path / "home"), env or {}), upstream
        assert upstream.failures == []

    return running


def test_one_question_and_the_subagent_that_answers_it_at_once(running: Running) -> None:
    env = {f"HERMES_SESSION_{field.upper()}": value for field, value in GIVEN.items()}
    with running(env) as (hermes, upstream):
        hermes.ask("nest 1 for the dishes")

    root = next(filter(about("nest 1 for the dishes"), upstream.calls))
    child = next(filter(about("nest 0 for the dishes"), upstream.calls))
    assert_says(root, GIVEN, purpose="main", conversation_id=told(root)["session_id"], parent_session_id=None)
    parent = {"conversation_id": told(root)["conversation_id"], "parent_session_id": told(root)["session_id"]}
    assert_says(child, {**GIVEN, **parent}, purpose="subagent")
    assert told(child)["session_id"] != told(root)["session_id"]


def test_a_saved_session_that_is_resumed(running: Running) -> None:
    with running() as (hermes, upstream):
        hermes.chat("in the morning " + order("errand", what="call", task="vision", text="morning-errand"))
        session_id = told(next(filter(about("in the morning"), upstream.calls)))["session_id"]
        hermes.chat("in the evening", "--resume", session_id)

    calls = [call for call in upstream.calls if not is_title(call)]
    assert [told(call)["purpose"] for call in calls] == ["main", "vision", "main", "main"]
    for call in calls:
        assert_says(call, NOBODY, platform="cli", conversation_id=session_id, session_id=session_id)
    assert len({told(call)["turn_id"] for call in calls}) == 2
    for title in filter(is_title, upstream.calls):
        assert_says(title, NOBODY, purpose="title_generation", conversation_id=session_id)


def test_a_command_before_a_question_is_heeded_and_neither_asked_nor_kept(running: Running) -> None:
    with running() as (hermes, upstream):
        hermes.chat("/hint force-cloud why is the sky blue?")
        home = hermes.home

    call = next(filter(about("why is the sky blue?"), upstream.calls))
    assert_says(call, NOBODY, user_intent="force-cloud", command_origin="/hint")
    assert [text for text in map(json.dumps, (call.messages for call in upstream.calls)) if "/hint" in text] == []
    # The ledger of processes holds the command line itself.
    aside = {"logs", "plugins", "spawn-ledger.json"}
    kept = [file for file in home.rglob("*") if file.is_file() and not aside & {*file.parts}]
    assert [file.name for file in kept if b"why is the sky blue?" in file.read_bytes()] != []
    assert [file.name for file in kept if b"/hint" in file.read_bytes()] == []


def test_a_job_on_a_schedule(running: Running) -> None:
    with running() as (hermes, upstream):
        hermes.run("cron", "create", "every 1h", "what is the weather in the errand of the hour?")
        (job,) = json.loads((hermes.home / "cron" / "jobs.json").read_text("utf-8"))["jobs"]
        hermes.run("cron", "run", job["id"])

    (call,) = filter(about("what is the weather"), upstream.calls)
    assert_says(call, NOBODY, platform="cron", purpose="cron", parent_session_id=None)
    assert told(call)["conversation_id"] == told(call)["session_id"]
    assert told(call)["session_id"].startswith(f"cron_{job['id']}_")
