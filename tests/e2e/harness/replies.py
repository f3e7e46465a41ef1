"""What a scripted model answers, written in OpenAI's two wire formats.

Sources: OpenAI API reference, "Chat completions", "Chat completion chunk" and "Responses streaming events".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function the scripted model asks for."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)

    def encoded_arguments(self) -> str:
        return json.dumps(dict(self.arguments))


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer: a text, or tool calls, or (with ``status`` of 400 and more) an error.

    ``model`` is what the answer names as the model that served it; by default the one that was asked for.
    ``headers`` are added to the response. ``prompt_tokens`` is what a chat completion says that the question took.
    With ``lost`` the connection is closed after the status line and headers of a good answer.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    model: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    prompt_tokens: int = 10
    lost: bool = False

    @property
    def failed(self) -> bool:
        return self.status >= 400


def error_body(reply: Reply) -> dict[str, object]:
    """OpenAI's error object, with the reply's text as its message."""
    return {"error": {"message": reply.text, "type": "invalid_request_error", "param": None, "code": None}}


def chat_completion(reply: Reply, number: int, model: str) -> dict[str, object]:
    """A whole ``chat.completion`` object."""
    message: dict[str, object] = {"role": "assistant", "content": reply.text or None}
    if reply.tool_calls:
        message["tool_calls"] = _chat_tool_calls(reply, number)
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    return {**_chat_head(number, model, "chat.completion"), "choices": [choice], "usage": _chat_usage(reply)}


def chat_completion_chunks(reply: Reply, number: int, model: str) -> Iterator[bytes]:
    """The same answer as server-sent events, text word by word."""
    head = _chat_head(number, model, "chat.completion.chunk")

    def chunk(delta: Mapping[str, object], finish_reason: str | None = None) -> bytes:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    yield chunk({"role": "assistant", "content": ""})
    for word in reply.text.splitlines(keepends=True):
        yield chunk({"content": word})
    for index, call in enumerate(_chat_tool_calls(reply, number)):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield chunk({}, _finish_reason(reply))
    yield _event({**head, "choices": [], "usage": _chat_usage(reply)})
    yield b"data: [DONE]\n\n"


def response(reply: Reply, number: int, model: str) -> dict[str, object]:
    """A whole ``response`` object of the Responses API."""
    return {
        **_response_head(number, model, "completed"),
        "output": _output_items(reply, number),
        "usage": _RESPONSE_USAGE,
    }


def response_events(reply: Reply, number: int, model: str) -> Iterator[bytes]:
    """The same answer as the Responses API's server-sent events."""
    sequence = iter(range(10_000))

    def event(kind: str, **content: object) -> bytes:
        return _event({"type": kind, "sequence_number": next(sequence), **content}, kind)

    started = {**_response_head(number, model, "in_progress"), "output": []}
    yield event("response.created", response=started)
    yield event("response.in_progress", response=started)
    for index, item in enumerate(_output_items(reply, number)):
        place = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            part = {"type": "output_text", "text": "", "annotations": []}
            full = {**part, "text": reply.text}
            opened = {**item, "status": "in_progress", "content": []}
            yield event("response.output_item.added", output_index=index, item=opened)
            yield event("response.content_part.added", **place, content_index=0, part=part)
            yield event("response.output_text.delta", **place, content_index=0, delta=reply.text)
            yield event("response.output_text.done", **place, content_index=0, text=reply.text)
            yield event("response.content_part.done", **place, content_index=0, part=full)
        else:
            arguments = item["arguments"]
            opened = {**item, "status": "in_progress", "arguments": ""}
            yield event("response.output_item.added", output_index=index, item=opened)
            yield event("response.function_call_arguments.delta", **place, delta=arguments)
            yield event("response.function_call_arguments.done", **place, arguments=arguments)
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=response(reply, number, model))


_RESPONSE_USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 15,
}


def _chat_usage(reply: Reply) -> dict[str, int]:
    asked = reply.prompt_tokens
    return {"prompt_tokens": asked, "completion_tokens": 5, "total_tokens": asked + 5}


def _chat_head(number: int, model: str, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 1_700_000_000, "model": model}


def _finish_reason(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"


def _chat_tool_calls(reply: Reply, number: int) -> list[dict[str, object]]:
    return [
        {
            "id": f"call_{number}_{index}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.encoded_arguments()},
        }
        for index, call in enumerate(reply.tool_calls)
    ]


def _response_head(number: int, model: str, status: str) -> dict[str, object]:
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "model": model,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def _output_items(reply: Reply, number: int) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []
    if reply.text or not reply.tool_calls:
        content = [{"type": "output_text", "text": reply.text, "annotations": []}]
        items.append(
            {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed", "content": content}
        )
    items.extend(
        {
            "id": f"fc_{number}_{index}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{number}_{index}",
            "name": call.name,
            "arguments": call.encoded_arguments(),
        }
        for index, call in enumerate(reply.tool_calls)
    )
    return items


def _event(content: Mapping[str, object], kind: str | None = None) -> bytes:
    name = f"event: {kind}\n" if kind else ""
    return f"{name}data: {json.dumps(content)}\n\n".encode()
