"""What a scripted model answers in the wire formats of Anthropic's Messages API and Bedrock's Converse API.

Sources: platform.claude.com/docs/en/api/messages and "Streaming messages"; botocore's model of ``bedrock-runtime``, and
the event-stream encoding of smithy.io/2.0/aws/amazon-eventstream.html.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator

from .replies import Reply

_USAGE = {"input_tokens": 10, "output_tokens": 5}


def message(reply: Reply, number: int, model: str) -> dict[str, object]:
    """A whole ``message`` object of Anthropic's API."""
    blocks: list[dict[str, object]] = [{"type": "text", "text": reply.text}] if reply.text else []
    blocks += [
        {"type": "tool_use", "id": f"toolu_{number}_{index}", "name": call.name, "input": dict(call.arguments)}
        for index, call in enumerate(reply.tool_calls)
    ]
    ended = {"stop_reason": "tool_use" if reply.tool_calls else "end_turn", "stop_sequence": None}
    return {**_message_head(number, model), "content": blocks, **ended, "usage": _USAGE}


def message_events(reply: Reply, number: int, model: str) -> Iterator[bytes]:
    """The same as Anthropic's server-sent events."""
    whole = message(reply, number, model)
    begun = {**_message_head(number, model), "content": [], "stop_reason": None, "stop_sequence": None, "usage": _USAGE}
    yield _event("message_start", message=begun)
    blocks = whole["content"]
    assert isinstance(blocks, list)
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield _event("content_block_start", index=index, content_block=empty)
        yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage={"output_tokens": 5})
    yield _event("message_stop")


def converse(reply: Reply, _number: int, _model: str) -> dict[str, object]:
    """A whole answer of Bedrock's Converse."""
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": reply.text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
        "metrics": {"latencyMs": 1},
    }


def converse_events(reply: Reply, _number: int, _model: str) -> Iterator[bytes]:
    """The same as ConverseStream's events. Tool calls are not written."""
    yield _binary_event("messageStart", {"role": "assistant"})
    yield _binary_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": reply.text}})
    yield _binary_event("contentBlockStop", {"contentBlockIndex": 0})
    yield _binary_event("messageStop", {"stopReason": "end_turn"})
    usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
    yield _binary_event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})


def _message_head(number: int, model: str) -> dict[str, object]:
    return {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": model}


def _event(kind: str, **content: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **content})}\n\n".encode()


def _binary_event(kind: str, content: object) -> bytes:
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in named.items()
    )
    payload = json.dumps(content).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))
