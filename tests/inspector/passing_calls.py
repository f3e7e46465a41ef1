"""An afternoon of invented people at an inspector: turns with tools, a subagent and a title; a refusal; a call without hints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from upstream import Answer, Received, Upstream

from hermes_hints.carriers import body_object, headers, metadata
from hermes_hints.inspector import Inspector, Options, parse_upstream, running
from hermes_hints.inspector.calls import PassedCall
from hermes_hints.profiles import BUILTIN
from hermes_hints.settings import Settings

KEY = "sk-never-to-be-seen-anywhere-1234567890"
MARK_UP = "<img src=x onerror=\"document.title='XSS'\">"

ANN = {"user_id": "@ann:example.org", "user_name": "Ann", "chat_id": "!ops:example.org", "chat_name": "Ops"}
BEN = {"user_id": "@ben:example.org", "user_name": MARK_UP, "chat_id": "!lab:example.org", "chat_name": "Lab"}
TOOLS = ["delegate_task", "read_file", "web_search", "terminal"]

ROOT = "20261126_101500_a1b2c3d4"
WEEK = {
    "platform": "matrix",
    "session_id": ROOT,
    "conversation_id": ROOT,
    "turn_id": "turn-1",
    "agent": "hermes-agent/0.22.2",
}
CHILD = {
    **WEEK,
    "session_id": "20261126_101507_5e6f7a8b",
    "parent_session_id": WEEK["session_id"],
    "purpose": "subagent",
}
CALLS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({**ANN, **WEEK, "purpose": "main", "call": 1}, "local-large", {"asks": "delegate_task"}),
    ({**ANN, **CHILD, "call": 1, "priority": "low"}, "local-small", {"asks": "read_file"}),
    ({**ANN, **CHILD, "call": 2, "priority": "low"}, "local-small", {"results": 1}),
    ({**ANN, **WEEK, "purpose": "main", "call": 2}, "local-large", {"results": 1}),
    ({**ANN, **WEEK, "purpose": "title_generation"}, "local-small", {"stream": False}),
    ({**BEN, "platform": "matrix", "session_id": "20261126_102100_0c0d0e0f", "turn_id": "turn-2", "purpose": "main",
      "call": 1, "user_intent": "force-cloud", "requested_model": "cloud-large", "ext": {"acme.region": "eu"}},
     "cloud-large", {"asks": "web_search"}),
    ({**BEN, "platform": "matrix", "session_id": "20261126_102100_0c0d0e0f", "turn_id": "turn-2", "purpose": "main",
      "call": 2, "user_intent": "force-cloud", "requested_model": "cloud-large"}, "cloud-large", {"results": 1, "carry": "headers"}),
    ({}, "local-small", {"carry": "nothing", "stream": False}),
    ({"platform": "cron", "session_id": "cron_9f8e7d6c_20261126", "purpose": "cron", "turn_id": "turn-3"},
     "gone-model", {"stream": False, "status": 404}),
]  # fmt: skip


def answered(request: Received) -> Answer | None:
    """A model with another name than was asked for, which calls the tool that the test's own header says."""
    if request.method != "POST":
        return None
    asked, served = request.json["model"], f"{request.json['model']}-2026-11"
    status = int(request.header("x-answer-status") or 200)
    usage = {"prompt_tokens": 1200, "completion_tokens": 84}
    if status != 200:
        return Answer(status, {"error": {"message": f"there is no {asked}", "type": "invalid_request_error"}})
    tool = request.header("x-answer-tool")
    calls = [{"index": 0, "id": "c", "type": "function", "function": {"name": tool, "arguments": "{}"}}] if tool else []
    if not request.json.get("stream"):
        message = {"role": "assistant", "content": "Well.", "tool_calls": calls or None}
        return Answer(content={"model": served, "choices": [{"index": 0, "message": message}], "usage": usage})
    deltas = [{"role": "assistant", "content": "Well."}, {"tool_calls": calls} if calls else {}]
    chunks = [{"model": served, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return Answer(
        events=[(None, part) for part in (*chunks, {"model": served, "choices": [], "usage": usage}, "[DONE]")]
    )


def ask(base_url: str, record: dict[str, Any], model: str, how: dict[str, Any]) -> httpx.Response:
    """One call, with a key, that carries a record in all three carriers unless ``how`` says otherwise."""
    record = (
        {"conversation_id": record["session_id"], "request_id": f"request-{len(str(record))}", **record}
        if record
        else {}
    )
    results = [{"role": "tool", "content": "a result", "tool_call_id": "c"}] * how.get("results", 0)
    tools = [{"type": "function", "function": {"name": name}} for name in TOOLS]
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": "a secret message"}, *results],
        "tools": tools,
        "stream": how.get("stream", True),
        "metadata": {"team": "a caller's own value"},
    }
    lines = {"authorization": f"Bearer {KEY}", "x-answer-status": str(how.get("status", 200))}
    lines |= {"x-answer-tool": how["asks"]} if "asks" in how else {}
    if how.get("carry") != "nothing":
        lines |= headers(record, ())
    if "carry" not in how:
        body["hermes"] = body_object(record)
        body["metadata"] |= metadata(record, body["metadata"])
    with httpx.Client() as client:
        return client.post(f"{base_url}/chat/completions", json=body, headers=lines, timeout=60)


@contextmanager
def inspecting(upstream: Any, options: Options | None = None, **settings: Any) -> Iterator[Inspector]:
    """An inspector before ``upstream``, with a page."""
    inspector = Inspector(parse_upstream(upstream.base_url), options or Options(), Settings(**settings), BUILTIN)
    with running(inspector):
        yield inspector


@contextmanager
def populated(*, ben: str = MARK_UP) -> Iterator[Inspector]:
    """An inspector that `CALLS` have passed; ``ben`` is what one of the people calls himself."""
    with Upstream() as upstream:
        upstream.rules.append(answered)
        with inspecting(upstream) as inspector:
            for record, model, how in CALLS:
                named = {**record, "user_name": ben} if record.get("user_id") == BEN["user_id"] else record
                ask(inspector.base_url, named, model, how)
            ended(inspector, len(CALLS))
            yield inspector


def wait_until(wanted: Callable[[], object]) -> None:
    """Wait half a minute at most. Raises TimeoutError."""
    until = time.monotonic() + 30
    while not wanted():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.02)


def ended(inspector: Inspector, count: int) -> tuple[PassedCall, ...]:
    """The calls that are kept, when so many of them have ended: the last bytes pass before that is noted."""
    wait_until(lambda: sum(call.answered.ended for call in inspector.calls.kept()) >= count)
    return inspector.calls.kept()
