"""Test only: a Hermes user plugin that writes down what can be seen at each of the host's doors.

Each line of ``$PROBE_FILE`` is an object: ``door`` (``llm_request``, the name of a hook, or ``http`` for the moment
in which the OpenAI client is asked to send), ``told`` (the keyword arguments that are plain values), ``session`` (the
session variables), ``conversation`` (the conversation context) and ``thread`` (its name).
"""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.portal_tags import get_conversation_context
from gateway.session_context import get_session_env
from openai._base_client import AsyncAPIClient, SyncAPIClient

HOOKS = (
    "pre_llm_call",
    "pre_api_request",
    "post_api_request",
    "on_session_start",
    "on_session_end",
    "on_session_reset",
    "on_session_finalize",
    "subagent_start",
    "pre_gateway_dispatch",
    "pre_auxiliary_call",
)
SESSION = (
    "PLATFORM",
    "SOURCE",
    "CHAT_ID",
    "CHAT_NAME",
    "THREAD_ID",
    "USER_ID",
    "USER_NAME",
    "KEY",
    "ID",
    "MESSAGE_ID",
    "PROFILE",
)

_writing = threading.Lock()


def note(door: str, told: dict[str, Any]) -> None:
    """Write one line down."""
    seen = {
        "door": door,
        "told": {name: value for name, value in told.items() if isinstance(value, str | int | float | bool | None)},
        "names": sorted(told),
        "session": {name: get_session_env(f"HERMES_SESSION_{name}", "") for name in SESSION},
        "conversation": get_conversation_context(),
        "thread": threading.current_thread().name,
    }
    with _writing, Path(os.environ["PROBE_FILE"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(seen) + "\n")


def register(ctx: Any) -> None:
    """Called by the host when the plugin is enabled."""

    def middleware(**told: Any) -> None:
        note("llm_request", {**told, "request_keys": ",".join(sorted(told["request"]))})

    ctx.register_middleware("llm_request", middleware)
    for hook in HOOKS:
        ctx.register_hook(hook, _noting(hook))
    for client in (SyncAPIClient, AsyncAPIClient):
        _watch(client)


def _noting(hook: str) -> Callable[..., None]:
    def noted(**told: Any) -> None:
        note(hook, told)

    return noted


def _watch(client: type[Any]) -> None:
    send = client.request
    if hasattr(send, "__wrapped__"):
        return

    @functools.wraps(send)
    def watched(self: Any, cast_to: Any, options: Any, *rest: Any, **more: Any) -> Any:
        note("http", {"url": options.url, "stream": bool(more.get("stream"))})
        return send(self, cast_to, options, *rest, **more)

    client.request = watched
