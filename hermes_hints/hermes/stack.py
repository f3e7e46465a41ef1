"""What the call stack tells of a call outside the main loop.

Titles, compression, vision and the like go through ``agent.auxiliary_client.call_llm`` or ``async_call_llm``, whose
argument ``task`` names them; the host hands it to no door that runs where the request is made. The stack of the thread that
makes the request holds it, also through coroutines. Nothing in the host is changed; where its names are others, what they
would have told is absent.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

__all__ = ["Stack", "stack_here"]

_AUXILIARY = "agent.auxiliary_client"
_PLUGIN = "agent.plugin_llm"
_SUMMARY = "handle_max_iterations"
_DISPATCH = "_dispatch_nonstreaming_api_request"
"""Where 0.22 makes the summary's request, in a thread of its own."""
_DEEPEST = 120


@dataclass(frozen=True, slots=True)
class Stack:
    """What was found on the stack of the running thread."""

    purpose: str | None
    """The task's own name; ``summary``; ``plugin`` for a plugin's own call; ``auxiliary`` for a task without a name."""
    user_id: str | None
    """Whom the agent that makes the call works for, by its own word; ``None`` where none is on the stack."""


def stack_here() -> Stack:
    """Read the stack of the running thread; some 5 to 15 µs."""
    purpose: str | None = None
    fallback: str | None = None
    user_id: str | None = None
    for frame in _frames():
        module, code = frame.f_globals.get("__name__", ""), frame.f_code
        if purpose is None and module == _AUXILIARY:
            fallback = fallback or "auxiliary"
            purpose = _text_local(frame, "task")
        elif fallback in (None, "auxiliary") and module == _PLUGIN:
            fallback = "plugin"
        elif purpose is None and code.co_name in (_SUMMARY, _DISPATCH):
            purpose = "summary"
        elif user_id is None and "agent" in code.co_varnames and module.startswith(("agent.", "run_agent")):
            found = getattr(frame.f_locals.get("agent"), "_user_id", None)
            user_id = found if isinstance(found, str) and found else None
    return Stack(purpose or fallback, user_id)


def _frames() -> Iterator[FrameType]:
    frame = inspect.currentframe()
    for _ in range(_DEEPEST):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _text_local(frame: FrameType, name: str) -> str | None:
    code = frame.f_code
    if name not in code.co_varnames and name not in code.co_freevars:
        return None
    found = frame.f_locals.get(name)
    return found if isinstance(found, str) and found else None
