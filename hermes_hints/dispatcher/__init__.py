"""The embedded dispatcher: an OpenAI-compatible endpoint that reads hints, chooses a model by rules, and shows why.

It is for trying, testing and inspecting on one machine: its models are canned, and it listens on loopback alone. For
production use LiteLLM (https://docs.litellm.ai), which can act on the same hints.

It needs starlette, uvicorn and PyYAML: ``pip install 'hermes-hints[dispatcher]'``.
"""

from __future__ import annotations

try:
    from .app import create_app
    from .calls import CallLog, LoggedCall
    from .replies import Question, Reply, Respond, ToolCall, canned
    from .server import running, serve
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in {"starlette", "uvicorn", "yaml"}:
        raise
    msg = f"the embedded dispatcher needs {missing}: pip install 'hermes-hints[dispatcher]'"
    raise ModuleNotFoundError(msg, name=missing) from error

__all__ = [
    "CallLog",
    "LoggedCall",
    "Question",
    "Reply",
    "Respond",
    "ToolCall",
    "canned",
    "create_app",
    "running",
    "serve",
]
