"""What the coverage tests share: a model that does what its question says, and what a call said of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from .environments import Environment
from .gateway import Person, Room
from .replies import Reply, ToolCall
from .seen import note
from .upstream import RecordedCall

PLUGIN = "hermes-hints"
ERRANDS = Path(__file__).parent / "errands"
TOOLS_IN_THE_OPEN = {"tools": {"tool_search": {"enabled": "off"}}}
"""0.22 otherwise hides the tools of plugins behind a search."""

ALICE = Person("@alice:example.org", "Alice")
BOB = Person("@bob:example.org", "Bob")
CAROL = Person("@carol:example.org", "Carol")

HEADERS = ("user_id", "chat_id", "platform", "purpose", "request_id", "conversation_id")
"""What is asserted of headers: they have no place for the ids of turns and sessions."""
_ORDER = re.compile(r"\b(do|loop): (\w+) (\{.*?\})(?=\s|$)")
_NEST = re.compile(r"\bnest (\d)")


def answered(call: RecordedCall) -> Reply:
    """What the question orders: a tool, once (``do: TOOL {…}``) or for ever (``loop: …``), or subagents (``nest 2``)."""
    if is_title(call):
        return Reply('{"title": "About it"}')
    nested = _NEST.search(call.question)
    if nested and nested[1] != "0" and "delegate_task" in call.tools and not call.tool_results:
        goal = call.question.replace(nested[0], f"nest {int(nested[1]) - 1}")
        return Reply(tool_calls=(ToolCall("delegate_task", {"goal": goal, "context": "-", "role": "orchestrator"}),))
    ordered = _ORDER.findall(call.question)
    if ordered:
        how, tool, arguments = ordered[-1]
        if tool in call.tools and (how == "loop" or not call.tool_results):
            return Reply(tool_calls=(ToolCall(tool, json.loads(arguments)),))
    return Reply("heard")


def order(tool: str, how: str = "do", **arguments: object) -> str:
    """The text that makes `answered` call a tool."""
    return f"{how}: {tool} {json.dumps(arguments, separators=(',', ':'))}"


def is_title(call: RecordedCall) -> bool:
    """Whether a conversation's title is asked for."""
    said = call.json.get("system") or call.messages[:1]
    return not call.tools and "title" in json.dumps(said)


def about(text: str) -> Callable[[RecordedCall], bool]:
    """Whether a call other than for a title has ``text`` in its question."""
    return lambda call: text in call.question and not is_title(call)


def told(call: RecordedCall) -> dict[str, Any]:
    """What a call said of itself, in the body or else in its headers."""
    note(call)
    return call.json.get("hermes") or in_headers(call)


def in_headers(call: RecordedCall) -> dict[str, str]:
    """By wire field; ``conversation_id`` is what ``X-Hermes-Session-Id`` carries."""
    start = "x-hermes-"
    lines = {
        name.lower().removeprefix(start).replace("-", "_"): value
        for name, value in call.headers
        if name.lower().startswith(start)
    }
    return {"conversation_id" if name == "session_id" else name: value for name, value in lines.items()}


def whole(call: RecordedCall) -> bytes:
    """Everything that arrived with a call."""
    lines = "".join(f"{name}: {value}\n" for name, value in call.headers)
    return call.path.encode() + b"\n" + lines.encode("latin-1") + b"\n" + call.body


def assert_says(call: RecordedCall, expected: Mapping[str, object], /, **more: object) -> None:
    """Each carrier says what is expected (``None``: nothing of it): the body's object, the headers, and metadata."""
    note(call)
    wanted = {**expected, **more}
    body, lines, pairs = call.json["hermes"], in_headers(call), call.json["metadata"]
    assert {field: body.get(field) for field in wanted} == wanted
    in_lines = {field: value for field, value in wanted.items() if field in HEADERS}
    assert {field: lines.get(field) for field in in_lines} == in_lines
    for field, value in wanted.items():  # metadata has room for sixteen pairs
        assert pairs.get(f"hermes_{field}", str(value)) == str(value)
    assert len(pairs) <= 16


def assert_bare(call: RecordedCall) -> None:
    """Nothing of ours arrived with a call, in no carrier."""
    assert in_headers(call) == {}
    assert {"hermes", "metadata", "user", "requestMetadata"} & call.json.keys() == set()


def skip_unless_0_22(environment: Environment) -> None:
    """Skip the test on the host that does not have what it is about."""
    if "0.22" not in environment.directory.name:
        pytest.skip("0.19 has no such thing")


def identity(person: Person, room: Room) -> dict[str, object]:
    """What every call on behalf of a person in a room says."""
    return {
        "user_id": person.user_id,
        "user_name": person.user_name,
        "chat_id": room.chat_id,
        "chat_name": room.chat_name,
        "chat_type": room.chat_type,
        "platform": "loopback",
    }
