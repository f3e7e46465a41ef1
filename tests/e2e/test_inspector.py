"""A real Hermes asks through the inspector: each turn is one tree, and the endpoint gets what it would have got."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness.covering import ALICE, CAROL, ERRANDS, PLUGIN, TOOLS_IN_THE_OPEN, answered, is_title, order, told
from harness.environments import Environment
from harness.gateway import Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.replies import Reply, ToolCall
from harness.upstream import RecordedCall, running_upstream

sys.path.insert(0, str(Path(__file__).parents[1] / "inspector"))

from passing_calls import inspecting, wait_until

from hermes_hints.inspector.calls import PassedCall

pytestmark = pytest.mark.e2e

OPS = Room("!ops:example.org", "Ops")
GOAL = "count the beans and " + order("errand", what="call", task="vision", text="look at the beans")


def served(call: RecordedCall) -> Reply:
    """As `answered`, by a model with another name; the main agent hands the question on to a subagent."""
    if "please delegate" in call.question and not is_title(call) and not call.tool_results:
        return Reply(tool_calls=(ToolCall("delegate_task", {"goal": GOAL, "context": "-"}),), model="served-model")
    return replace(answered(call), model="served-model")


def tree_of(calls: list[PassedCall], parent: int | None = None) -> list[Any]:
    """Purposes, each with what hangs below it."""
    return [
        (call.arrived.record["purpose"], tree_of(calls, call.number)) for call in calls if call.branch.parent == parent
    ]


def test_a_turn_with_a_tool_a_subagent_and_a_title_is_one_tree(hinted_host: Environment, tmp_path: Path) -> None:
    with running_upstream(served) as upstream, inspecting(upstream) as inspector:
        home = HermesHome(inspector.base_url, folders=(ERRANDS,), enabled=(PLUGIN,), more=TOOLS_IN_THE_OPEN)
        with running_gateway(Hermes(hinted_host.programs, home.write(tmp_path / "home"))) as gateway:
            gateway.say(CAROL, Room("!first:example.org", "First"), "hello")  # the very first answer carries a note
            gateway.say(ALICE, OPS, "please delegate")
            title = upstream.wait_for(lambda call: is_title(call) and "please delegate" in call.question)
            # 0.22 has its subagents work in the background.
            upstream.wait_for(lambda call: told(call)["purpose"] == "subagent" and call.tool_results == 1)
        wait_until(lambda: sum(call.answered.ended for call in inspector.calls.kept()) == len(upstream.calls))

        (turn,) = {
            call.branch.turn
            for call in inspector.calls.kept()
            if call.arrived.record["request_id"] == told(title)["request_id"]
        }
        calls = [call for call in inspector.calls.kept() if call.branch.turn == turn]
        assert {call.arrived.record["user_id"] for call in calls} == {ALICE.user_id}
        tree = tree_of(calls)
        tree.remove(("title_generation", []))
        assert tree[0] == ("main", [("subagent", [("vision", [])]), ("subagent", [])])
        assert tree[1:] in ([("main", [])], [("main", []), ("main", [])])  # the latter with the report of the subagent
        assert {call.answered.model for call in calls} == {"served-model"}
        assert {call.arrived.rung for call in calls} == {"full"}
        assert [call.arrived.remarks for call in calls] == [()] * len(calls)
        steps = [call for call in calls if call.arrived.record["purpose"] == "main"]
        assert [step.answered.tools for step in steps][:2] == [("delegate_task",), ()]
        assert [step.arrived.tool_results for step in steps][:2] == [0, 1]
        passed = {call.arrived.record["request_id"]: dict(call.arrived.record) for call in inspector.calls.kept()}
        came = {told(call)["request_id"]: {**told(call)} for call in upstream.calls}
        assert passed == {
            key: {field: record[field] for field in record if field != "v"} for key, record in came.items()
        }
        assert told(title)["purpose"] == "title_generation"
        assert upstream.failures == []
