"""What the fake model answers: always the same, so that two answers can be compared whole."""

from __future__ import annotations

import json
from typing import Any

TEXT = '{"answer": 42}'
"""Readable as text and as the structured answer that the ``parse`` methods ask for."""
PIECES = ('{"answer"', ": 42", "}")

Events = list[tuple[str | None, Any]]


def to(method: str, path: str, body: bytes) -> tuple[Any, Events | None]:
    """The answer as (content, events): server-sent events where a stream was asked for."""
    try:
        asked = json.loads(body)
    except ValueError:
        asked = None
    stream = isinstance(asked, dict) and asked.get("stream") is True
    for end, answer in _ANSWERS.items():
        if path.endswith(end):
            return answer(stream)
    return {"object": "thing", "method": method}, None


def _chat(stream: bool) -> tuple[Any, Events | None]:
    start = {"id": "chatcmpl-1", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    if not stream:
        message = {"role": "assistant", "content": TEXT, "refusal": None}
        choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
        return {**start, "object": "chat.completion", "choices": [choice], "usage": usage}, None

    def chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return {**start, "object": "chat.completion.chunk", "choices": [choice]}

    events: Events = [(None, chunk({"role": "assistant", "content": ""}))]
    events += [(None, chunk({"content": piece})) for piece in PIECES]
    return None, [*events, (None, chunk({}, "stop")), (None, "[DONE]")]


def _responses(stream: bool) -> tuple[Any, Events | None]:
    part = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "output": [item],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }
    if not stream:
        return response, None
    opened = {**response, "status": "in_progress", "output": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": opened}),
        ("response.in_progress", {"response": opened}),
        ("response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}}),
        ("response.content_part.added", {**place, "part": {**part, "text": ""}}),
        *(("response.output_text.delta", {**place, "delta": piece, "logprobs": []}) for piece in PIECES),
        ("response.output_text.done", {**place, "text": TEXT, "logprobs": []}),
        ("response.content_part.done", {**place, "part": part}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": response}),
    ]
    return None, [(kind, {"type": kind, "sequence_number": n, **rest}) for n, (kind, rest) in enumerate(kinds)]


def _completions(stream: bool) -> tuple[Any, Events | None]:
    def part(text: str, finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
        return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}

    if not stream:
        return part(TEXT, "stop"), None
    return None, [*((None, part(piece, None)) for piece in PIECES), (None, part("", "stop")), (None, "[DONE]")]


def _embeddings(_: bool) -> tuple[Any, Events | None]:
    found = {"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}
    return {"object": "list", "data": [found], "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}, None


def _images(stream: bool) -> tuple[Any, Events | None]:
    if not stream:
        return {"created": 1, "data": [{"b64_json": "aGk="}]}, None
    done = {"type": "image_generation.completed", "b64_json": "aGk=", "created_at": 1, "size": "auto"}
    return None, [("image_generation.completed", done)]


def _compacted(_: bool) -> tuple[Any, Events | None]:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    return {"id": "resp_2", "object": "response.compaction", "created_at": 1, "output": [], "usage": usage}, None


def _messages(_: bool) -> tuple[Any, Events | None]:
    return {"id": "msg_2", "type": "message", "role": "assistant", "content": [{"type": "text", "text": TEXT}]}, None


def _list(_: bool) -> tuple[Any, Events | None]:
    return {"object": "list", "data": [], "has_more": False}, None


_ANSWERS = {
    "/chat/completions": _chat,
    "/responses": _responses,
    "/responses/compact": _compacted,
    "/completions": _completions,
    "/embeddings": _embeddings,
    "/images/generations": _images,
    "/images/edits": _images,
    "/messages": _messages,
    "/models": _list,
}
"""By the end of the path; the first that fits."""
