"""The chat completions API and its elder, completions: answers whole and in chunks.

Shapes: platform.openai.com/docs/api-reference/chat and …/completions.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, cast

from .replies import Question, Reply, ToolCall
from .sse import DONE, chat_event, pieces
from .usage import Usage

__all__ = ["chat_completion", "chat_completion_stream", "completion", "completion_stream"]


def chat_completion(question: Question, reply: Reply) -> dict[str, Any]:
    """The answer to a chat completions request that does not stream."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(call) for call in reply.tool_calls]
    else:
        message["content"] = reply.text
    return {
        **_head("chatcmpl", "chat.completion", question),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}],
        "usage": _usage(question, reply),
    }


def chat_completion_stream(question: Question, reply: Reply) -> Iterator[bytes]:
    """The same, as chunks; the last one before ``[DONE]`` counts tokens if ``stream_options`` asks for it."""
    chunks = _Chunks("chatcmpl", "chat.completion.chunk", question)
    yield chunks.chunk({"delta": {"role": "assistant", "content": "", "refusal": None}})
    for piece in pieces(reply.text):
        yield chunks.chunk({"delta": {"content": piece}})
    for index, call in enumerate(reply.tool_calls):
        opened = _tool_call(call)
        opened["function"] = {"name": call.name, "arguments": ""}
        yield chunks.chunk({"delta": {"tool_calls": [{"index": index, **opened}]}})
        for piece in pieces(call.json()):
            yield chunks.chunk({"delta": {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}})
    yield chunks.chunk({"delta": {}}, reply.finish)
    yield from chunks.end(reply)


def completion(question: Question, reply: Reply) -> dict[str, Any]:
    """The answer to a completions request that does not stream."""
    return {
        **_head("cmpl", "text_completion", question),
        "choices": [{"index": 0, "text": reply.text, "logprobs": None, "finish_reason": reply.finish}],
        "usage": _usage(question, reply),
    }


def completion_stream(question: Question, reply: Reply) -> Iterator[bytes]:
    """The same, as chunks."""
    chunks = _Chunks("cmpl", "text_completion", question)
    for piece in pieces(reply.text):
        yield chunks.chunk({"text": piece})
    yield chunks.chunk({"text": ""}, reply.finish)
    yield from chunks.end(reply)


class _Chunks:
    def __init__(self, prefix: str, kind: str, question: Question) -> None:
        self._question = question
        self._head = _head(prefix, kind, question)
        options: object = question.body.get("stream_options")
        self._counts = isinstance(options, Mapping) and cast("Mapping[str, Any]", options).get("include_usage") is True
        if self._counts:
            self._head["usage"] = None

    def chunk(self, said: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish}
        return chat_event({**self._head, "choices": [choice]})

    def end(self, reply: Reply) -> Iterator[bytes]:
        if self._counts:
            yield chat_event({**self._head, "choices": [], "usage": _usage(self._question, reply)})
        yield DONE


def _head(prefix: str, kind: str, question: Question) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": question.choice.model,
    }


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id or f"call_{uuid.uuid4().hex[:24]}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.json()},
    }


def _usage(question: Question, reply: Reply) -> dict[str, int]:
    usage = Usage.of(question, reply)
    return {"prompt_tokens": usage.read, "completion_tokens": usage.written, "total_tokens": usage.read + usage.written}
