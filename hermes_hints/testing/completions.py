"""What a model endpoint answers: the least that the OpenAI client takes for an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

__all__ = ["answer_to"]

_TEXT = "All is well."
_JSON = "application/json"
_CREATED = 1_795_000_000
_USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def answer_to(path: str, body: bytes) -> tuple[str, bytes]:
    """The content type and the content of the answer to one request."""
    try:
        found: object = json.loads(body) if body else {}
    except ValueError:
        found = {}
    asked: Mapping[str, Any] = cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
    model = str(asked.get("model", "some-model"))
    if path.endswith("/chat/completions"):
        return _streamed(model) if asked.get("stream") else (_JSON, _encoded(_chat(model)))
    if path.endswith("/responses"):
        return _JSON, _encoded(_response(model))
    if path.endswith("/completions"):
        choice = {"index": 0, "text": _TEXT, "finish_reason": "stop", "logprobs": None}
        return _JSON, _encoded({**_head("text_completion", model), "choices": [choice], "usage": _USAGE})
    if path.endswith("/embeddings"):
        vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.5]}
        return _JSON, _encoded({"object": "list", "model": model, "data": [vector], "usage": _USAGE})
    return _JSON, b"{}"


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": "answer-1", "object": kind, "created": _CREATED, "model": model}


def _chat(model: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": _TEXT}, "finish_reason": "stop"}
    return {**_head("chat.completion", model), "choices": [choice], "usage": _USAGE}


def _streamed(model: str) -> tuple[str, bytes]:
    head = _head("chat.completion.chunk", model)
    deltas: tuple[tuple[dict[str, str], str | None], ...] = (
        ({"role": "assistant", "content": _TEXT}, None),
        ({}, "stop"),
    )
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in deltas]
    events = b"".join(b"data: " + _encoded(chunk) + b"\n\n" for chunk in chunks)
    return "text/event-stream", events + b"data: [DONE]\n\n"


def _response(model: str) -> dict[str, Any]:
    content = {"type": "output_text", "text": _TEXT, "annotations": list[object]()}
    message = {"type": "message", "id": "message-1", "role": "assistant", "status": "completed", "content": [content]}
    head = {"id": "answer-1", "object": "response", "created_at": _CREATED, "model": model, "status": "completed"}
    return {**head, "output": [message], "parallel_tool_calls": True, "tool_choice": "auto", "tools": list[object]()}


def _encoded(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()
