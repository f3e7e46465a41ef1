"""What the coverage tests share: a model that does what its question says, and what a call said of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .gateway import Person, Room
from .replies import Reply, ToolCall
from .upstream import RecordedCall

PLUGIN = "hermes-hints"
ERRANDS = Path(__file__).parent / "errands"
TOOLS_IN_THE_OPEN = {"tools": {"tool_search": {"enabled": "off"}}}
"""0.22 otherwise hides the tools of plugins behind a search."""
ON_THE_COMMAND_LINE = {
    "HERMES_SESSION_PLATFORM": "matrix",
    "HERMES_SESSION_CHAT_ID": "!ops:example.org",
    "HERMES_SESSION_USER_ID": "@alice:example.org",
}

ALICE = Person("@alice:example.org", "Alice")
BOB = Person("@bob:example.org", "Bob")
CAROL = Person("@carol:example.org", "Carol")
OPS = Room("!ops:example.org", "Ops")
LAB = Room("!lab:example.org", "Lab")

_ORDER = re.compile(r"\b(do|loop): (\w+) (\{.*?\})(?=\s|$)")


def answered(call: RecordedCall) -> Reply:
    """A title for who asks for one; the tool that the question orders (``do: TOOL {…}`` once, ``loop:`` for ever)."""
    if is_title(call):
        return Reply('{"title": "About it"}')
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
    said = call.json.get("system") or call.messages[:1]
    return not call.tools and "title" in json.dumps(said)


def told(call: RecordedCall) -> dict[str, Any]:
    """What a call said of itself, in the body or else in its headers."""
    return call.json.get("hermes") or in_headers(call)


def in_headers(call: RecordedCall) -> dict[str, str]:
    """By wire field; ``conversation_id`` is what ``X-Hermes-Session-Id`` carries."""
    lines = {
        name[9:].lower().replace("-", "_"): value
        for name, value in call.headers
        if name.lower().startswith("x-hermes-")
    }
    return {"conversation_id" if name == "session_id" else name: value for name, value in lines.items()}


def whole(call: RecordedCall) -> bytes:
    """Everything that arrived with a call."""
    lines = "".join(f"{name}: {value}\n" for name, value in call.headers)
    return call.path.encode() + b"\n" + lines.encode("latin-1") + b"\n" + call.body


def assert_says(call: RecordedCall, **expected: object) -> dict[str, Any]:
    """All three carriers say what is expected (``None``: say nothing of it), as far as they have room for it."""
    said = told(call)
    assert {field: said.get(field) for field in expected} == expected
    for carrier in (call.json.get("metadata", {}), in_headers(call)):
        for field, value in expected.items():
            there = carrier.get(f"hermes_{field}", carrier.get(field))
            assert there in (None, value), (field, there)
    lines = in_headers(call)
    always = {
        field: value
        for field, value in expected.items()
        if field in ("user_id", "chat_id", "conversation_id", "purpose")
    }
    assert {field: lines.get(field) for field in always} == always
    return said


def assert_bare(call: RecordedCall) -> None:
    """Nothing of ours arrived with a call, in no carrier."""
    assert in_headers(call) == {}
    assert {"hermes", "metadata", "user", "requestMetadata"} & call.json.keys() == set()
    assert b"hermes_" not in call.body


def identity(person: Person, room: Room) -> Mapping[str, str]:
    """What every call on behalf of a person in a room says."""
    return {
        "user_id": person.user_id,
        "user_name": person.user_name,
        "chat_id": room.chat_id,
        "chat_name": room.chat_name,
        "chat_type": room.chat_type,
        "platform": "loopback",
    }
