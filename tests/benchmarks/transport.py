"""Clients of the SDK, of either major, whose requests are answered within the process: only the client's time counts."""

from __future__ import annotations

import importlib
import json
from typing import Any

import openai

CHUNKS = 200

http = importlib.import_module("httpx2" if openai.__version__.startswith("3.") else "httpx")

_HEAD = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-x"}
_ANSWER = json.dumps(
    {
        **_HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "The Großglockner, at 3,798 metres."},
            }
        ],
        "usage": {"prompt_tokens": 40, "completion_tokens": 12, "total_tokens": 52},
    }
).encode()


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {**_HEAD, "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


_EVENTS = b"".join(
    (
        *(_event({"role": "assistant", "content": "word "}) for _ in range(CHUNKS - 1)),
        _event({}, "stop"),
        b"data: [DONE]\n\n",
    )
)


def answer(request: Any) -> Any:
    return http.Response(200, headers={"content-type": "application/json"}, content=_ANSWER)


def _answer_in_chunks(request: Any) -> Any:
    return http.Response(200, headers={"content-type": "text/event-stream"}, content=_EVENTS)


def client(kind: str, base_url: str, *, stream: bool = False, respond: Any = None) -> Any:
    """A client of that kind (``sync`` or ``async``); ``respond`` makes the response to a request."""
    transport = http.MockTransport(respond or (_answer_in_chunks if stream else answer))
    sdk, inner = (openai.AsyncOpenAI, http.AsyncClient) if kind == "async" else (openai.OpenAI, http.Client)
    return sdk(api_key="key", base_url=base_url, max_retries=0, http_client=inner(transport=transport))
