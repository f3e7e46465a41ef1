"""What is sent: two requests, one full identity, and the hints of some plugins."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from hermes_hints import Identity, hookimpl

BASE_URL = "http://127.0.0.1:9/v1"
PUBLIC_URL = "https://models.example.com/v1"

IDENTITY = Identity(
    user_id="@alice:example.org",
    user_name="Alice Example",
    platform="matrix",
    chat_id="!ops:example.org",
    chat_name="Operations",
    chat_type="group",
    message_id="$message-0815",
    session_id="20261121_012008_d4149b13",
    conversation_id="20261121_003011_77aa02fe",
    session_key="agent:main:matrix:group:!ops:example.org",
    agent="hermes-agent/0.19.0",
    profile="default",
)
CALL = {"turn_id": "turn-17", "task_id": "task-4", "call": 3, "purpose": "main"}

PATIENCE_MS = 1000
"""The budget of the hint plugins: on a busy machine some other program's turn would count as a plugin's slowness."""

HINTS: tuple[Mapping[str, Any], ...] = (
    {"user_intent": "force-cloud"},
    {"priority": "high"},
    {"experiment_arm": "b"},
    {"cost_center": "cc-1207"},
    {"acme.region": "eu"},
)
"""What the plugins return, in turn: further ones say again what the first five said."""


class Plugin:
    """A plugin that does next to nothing, so that what is measured is the calling of it."""

    def __init__(self, number: int) -> None:
        self._hints = HINTS[number % len(HINTS)]

    @hookimpl
    def contribute_hints(self, call, identity):
        return self._hints


def small(*, stream: bool = False) -> dict[str, Any]:
    """A short question."""
    messages = [
        {"role": "system", "content": "You are a helpful assistant. Answer briefly."},
        {"role": "user", "content": "What is the tallest mountain in Austria, and how high is it?"},
    ]
    return {"model": "gpt-x", "messages": messages, **({"stream": True} if stream else {})}


def large() -> dict[str, Any]:
    """A step deep in an agent's turn: 200 kB of JSON, 30 tools, 81 messages with tool calls and their results."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": _prose(12_000)}]
    for number in range(20):
        name = f"call_{number}"
        asked = {"name": f"tool_{number % 30}", "arguments": '{"path": "/srv/data/report.txt", "limit": 200}'}
        messages += [
            {"role": "user", "content": _prose(600)},
            {"role": "assistant", "tool_calls": [{"id": name, "type": "function", "function": asked}]},
            {"role": "tool", "tool_call_id": name, "content": _prose(4_600)},
            {"role": "assistant", "content": _prose(900)},
        ]
    return {"model": "gpt-x", "messages": messages, "tools": [_tool(number) for number in range(30)]}


def _tool(number: int) -> dict[str, Any]:
    properties = {
        f"argument_{position}": {"type": "string", "description": _prose(150), "enum": ["first", "second", "third"]}
        for position in range(6)
    }
    parameters = {"type": "object", "properties": properties, "required": list(properties)[:3]}
    return {
        "type": "function",
        "function": {"name": f"tool_{number}", "description": _prose(500), "parameters": parameters},
    }


def _prose(characters: int) -> str:
    words = itertools.cycle(
        ("the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "in", "the", "rain")
    )
    text = ""
    while len(text) < characters:
        text += next(words) + " "
    return text[:characters]
