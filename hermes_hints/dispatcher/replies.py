"""What the dispatcher's model is asked and what it answers: the seam where tests put a model of their own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ..call import described
from ..rules import Choice
from ..wire import Record
from .sample import sample

__all__ = ["Question", "Reply", "Respond", "ToolCall", "canned"]

_ECHO = 80


@dataclass(frozen=True, slots=True)
class Question:
    """One request, as the model that was chosen sees it.

    ``api`` is ``chat.completions``, ``responses``, ``completions`` or ``embeddings``; ``body`` is the parsed JSON body,
    to be read only; ``record`` is what the request says of itself.
    """

    api: str
    body: Mapping[str, Any]
    record: Record
    choice: Choice

    def user_text(self) -> str | None:
        """The text of the last message that the user wrote, or ``None`` where there is none."""
        return described({}, self.body).user_text()

    def schema(self) -> Mapping[str, Any] | None:
        """The JSON Schema that the answer must follow, or ``None`` where any text will do."""
        asked = _object(_object(self.body.get("text")).get("format")) or _object(self.body.get("response_format"))
        match asked.get("type"):
            case "json_schema":
                return _object(_object(asked.get("json_schema")).get("schema")) or _object(asked.get("schema"))
            case "json_object":
                return {"type": "object", "properties": {"model": {"type": "string"}}}
            case _:
                return None


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one of the request's tools. ``arguments`` may be JSON text; without an ``id`` one is made."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict[str, Any])
    id: str | None = None

    def json(self) -> str:
        """The arguments as JSON text."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answers.

    ``finish_reason`` is OpenAI's, by default ``tool_calls`` with tool calls and ``stop`` without; on the responses API
    ``length`` and ``content_filter`` make an incomplete response. With a ``status`` of 400 or more the answer is
    ``error``, as JSON and never streamed; without one an error object in OpenAI's shape. ``headers`` are added to any
    answer. Embeddings heed status, error and headers alone; completions know no tool calls.
    """

    text: str = ""
    tool_calls: Sequence[ToolCall] = ()
    finish_reason: str | None = None
    status: int = 200
    error: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def finish(self) -> str:
        """The finish reason that goes out."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


Respond = Callable[[Question], Reply | Awaitable[Reply]]
"""A model. It runs on the server's event loop, one call at a time; one that waits should be a coroutine function."""


def canned(question: Question) -> Reply:
    """Answer the same request always in the same way: name the model that serves it, and echo what the user said.

    Where the request asks for a JSON Schema, the answer is a small object that follows it.
    """
    model = question.choice.model
    schema = question.schema()
    if schema is not None:
        return Reply(json.dumps(sample(schema, model)))
    said = " ".join((question.user_text() or "")[:_ECHO].split())
    return Reply(f"This is {model}. You said: {said}" if said else f"This is {model}.")
