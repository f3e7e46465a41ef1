"""The responses API: answers whole and as events.

Shapes: platform.openai.com/docs/api-reference/responses and …/responses-streaming.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

from .replies import Question, Reply, ToolCall
from .sse import pieces, typed_event
from .usage import Usage

__all__ = ["response", "response_stream"]

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_UNDONE = {"status": "in_progress"}


def response(question: Question, reply: Reply) -> dict[str, Any]:
    """The answer to a responses request that does not stream."""
    return _finished(_head(question), question, reply, _items(reply))


def response_stream(question: Question, reply: Reply) -> Iterator[bytes]:
    """The same, as events from ``response.created`` to ``response.completed`` (or ``response.incomplete``)."""
    for number, event in enumerate(_events(question, reply)):
        yield typed_event({**event, "sequence_number": number})


def _events(question: Question, reply: Reply) -> Iterator[dict[str, Any]]:
    head = _head(question)
    items = _items(reply)
    yield {"type": "response.created", "response": head}
    yield {"type": "response.in_progress", "response": head}
    for index, item in enumerate(items):
        events = _message_events if item["type"] == "message" else _tool_call_events
        for event in events(item):
            yield {**event, "output_index": index}
    finished = _finished(head, question, reply, items)
    yield {"type": f"response.{finished['status']}", "response": finished}


def _message_events(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    part = item["content"][0]
    where = {"item_id": item["id"], "content_index": 0}
    yield {"type": "response.output_item.added", "item": {**item, **_UNDONE, "content": []}}
    yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": part}
    yield {"type": "response.output_item.done", "item": item}


def _tool_call_events(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = {"item_id": item["id"]}
    yield {"type": "response.output_item.added", "item": {**item, **_UNDONE, "arguments": ""}}
    for piece in pieces(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield {"type": "response.function_call_arguments.done", **where, **done}
    yield {"type": "response.output_item.done", "item": item}


def _items(reply: Reply) -> list[dict[str, Any]]:
    calls = [_tool_call(call) for call in reply.tool_calls]
    return [_message(reply.text), *calls] if reply.text or not calls else calls


def _message(text: str) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": f"fc_{uuid.uuid4().hex}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id or f"call_{uuid.uuid4().hex[:24]}",
        "name": call.name,
        "arguments": call.json(),
    }


def _head(question: Question) -> dict[str, Any]:
    tools: object = question.body.get("tools")
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": question.choice.model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": question.body.get("tool_choice") or "auto",
        "tools": tools if isinstance(tools, list) else [],
        "top_p": None,
        "usage": None,
    }


def _finished(head: dict[str, Any], question: Question, reply: Reply, items: list[dict[str, Any]]) -> dict[str, Any]:
    usage = Usage.of(question, reply)
    why = _INCOMPLETE.get(reply.finish)
    return {
        **head,
        "status": "incomplete" if why else "completed",
        "incomplete_details": {"reason": why} if why else None,
        "output": items,
        "usage": {
            "input_tokens": usage.read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": usage.written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.read + usage.written,
        },
    }
