"""What a call outside the main loop is for, read off the call stack.

Titles, compression, vision and the like go through ``agent.auxiliary_client.call_llm`` or ``async_call_llm``, whose argument
``task`` names them; the host hands it to no door that runs where the request is made. The stack of the thread that makes
the request holds it. Nothing in the host is changed, and where the names are others, the purpose is absent.
"""

from __future__ import annotations

import inspect
from types import FrameType

__all__ = ["purpose_here"]

_MODULE = "agent.auxiliary_client"
_FUNCTIONS = frozenset({"call_llm", "async_call_llm"})
_SUMMARY = frozenset({"handle_max_iterations", "_handle_max_iterations"})
_DEEPEST = 120


def purpose_here() -> str | None:
    """The purpose of the call that the running thread is making; ``None`` where the stack does not tell."""
    frame: FrameType | None = inspect.currentframe()
    for _ in range(_DEEPEST):
        if frame is None:
            return None
        name = frame.f_code.co_name
        if name in _FUNCTIONS and frame.f_globals.get("__name__") == _MODULE:
            task = frame.f_locals.get("task")
            return task if isinstance(task, str) and task else "auxiliary"
        if name in _SUMMARY:
            return "summary"
        frame = frame.f_back
    return None
