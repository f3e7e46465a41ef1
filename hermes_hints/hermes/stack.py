"""What the call stack tells of a call outside the main loop.

Titles, compression, vision and the like go through ``agent.auxiliary_client.call_llm`` or ``async_call_llm``, whose
argument ``task`` names them, and agents hold the ids of their turn. The stack of the thread that makes the request holds
both. Where its names are others, that is absent.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast

from ..wire import TICKET

__all__ = ["Agent", "Stack", "forked", "frames_here", "stack_here"]

_HOST = ("agent.", "run_agent")
_AUXILIARY = "agent.auxiliary_client"
_PLUGIN = "agent.plugin_llm"
_TITLE = "agent.title_generator"
_MIXTURE = "agent.moa_loop"
_REVIEW = "agent.background_review"
_SUMMARY = "handle_max_iterations"
_DISPATCH = "_dispatch_nonstreaming_api_request"
"""Where 0.22 makes the summary's request, in a thread of its own."""
_DEEPEST = 120


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent for which the host's code makes a call, by the agent's own word."""

    user_id: str | None
    session_id: str
    turn_id: str | None
    task_id: str | None


@dataclass(frozen=True, slots=True)
class Stack:
    """What was found on the stack of the running thread."""

    purpose: str | None = None
    """The task's own name; ``summary``; ``plugin`` for a plugin's own call; ``auxiliary`` for a task without a name."""
    agent: Agent | None = None
    asked: tuple[str, str] | None = None
    """The session, and what was said in it, that a title is made from."""
    ticket: str | None = None
    """The ticket of the main call on whose way to its provider, a mixture of agents, this call is made."""


def stack_here() -> Stack:
    """Read the stack of the running thread; some 5 to 15 µs."""
    purpose = fallback = ticket = None
    agent: Agent | None = None
    asked: tuple[str, str] | None = None
    for frame in _frames(inspect.currentframe()):
        module: str = frame.f_globals.get("__name__", "")
        if not module.startswith(_HOST):
            continue
        if module == _AUXILIARY:
            fallback = fallback or "auxiliary"
            purpose = purpose or _text(_local(frame, "task"))
        elif module == _PLUGIN:
            fallback = "plugin"
        elif module == _TITLE:
            session_id, said = _text(_local(frame, "session_id")), _text(_local(frame, "user_message"))
            asked = (session_id, said) if session_id and said else asked
        elif module == _MIXTURE:
            ticket = ticket or _mixing(frame)
        elif frame.f_code.co_name in (_SUMMARY, _DISPATCH):
            fallback = fallback or "summary"
        if agent is None and module != _AUXILIARY:
            agent = _agent(_local(frame, "agent"))
    return Stack(purpose or fallback, agent, asked, ticket)


def forked() -> str | None:
    """``background_review`` where the running agent is the host's own, made to look back on a turn that is over."""
    modules = (frame.f_globals.get("__name__", "") for frame in _frames(inspect.currentframe()))
    return "background_review" if _REVIEW in modules else None


def frames_here() -> Iterator[FrameType]:
    """The frames of whoever calls this, the nearest first."""
    return _frames(inspect.currentframe())


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(_DEEPEST):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _local(frame: FrameType, name: str) -> object:
    """A local of that name; the locals of a frame are dear, so they are only read where it has one."""
    code = frame.f_code
    return frame.f_locals.get(name) if name in code.co_varnames or name in code.co_freevars else None


def _text(found: object) -> str | None:
    return found if isinstance(found, str) and found else None


def _agent(found: Any) -> Agent | None:
    session_id = _text(getattr(found, "session_id", None))
    names = ("_user_id", "_current_turn_id", "_current_task_id")
    user_id, turn_id, task_id = (_text(getattr(found, name, None)) for name in names)
    return None if session_id is None else Agent(user_id, session_id, turn_id, task_id)


def _mixing(frame: FrameType) -> str | None:
    """The ticket in a frame of the mixture, or in that of the thread that waits for the call that is made here."""
    ticket = _carried(_local(frame, "api_kwargs"))
    if ticket is not None:
        return ticket
    messages = _local(frame, "ref_messages")
    return None if messages is None else _awaiting(messages)


def _carried(kwargs: object) -> str | None:
    headers = cast("Mapping[str, object]", kwargs).get("extra_headers") if isinstance(kwargs, Mapping) else None
    return _text(cast("Mapping[str, object]", headers).get(TICKET)) if isinstance(headers, Mapping) else None


def _awaiting(messages: object) -> str | None:
    """0.19 asks the models of a mixture in threads that know nothing, handing each of them the very same list."""
    for top in list(sys._current_frames().values()):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        shared = False
        for frame in _frames(top):
            if frame.f_globals.get("__name__", "") != _MIXTURE:
                continue
            shared = shared or _local(frame, "ref_messages") is messages
            ticket = _carried(_local(frame, "api_kwargs")) if shared else None
            if ticket is not None:
                return ticket
    return None
