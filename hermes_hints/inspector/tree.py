"""Where a call stands in the tree of its turn. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["Branch", "Placed", "branch_of"]

_OF_THE_TURN = frozenset({"main", "title_generation", "summary", "compression", "background_review", "cron"})
"""Calls that belong to the turn as a whole, not to one of its steps."""

_DELEGATES = "delegate_task"
"""The tool by which Hermes begins a subagent."""


class Branch(NamedTuple):
    """Where a call belongs."""

    turn: str | None
    """What the calls of one turn share, or those of a conversation that say of no turn; ``None`` where neither is said."""
    parent: int | None
    """The number of the call that it was made for; ``None`` where it hangs from the turn itself."""


class Placed(NamedTuple):
    """An earlier call, as far as others are placed by it."""

    number: int
    record: Mapping[str, Any]
    branch: Branch
    tools: tuple[str, ...] = ()
    """What its answer has asked for so far."""


def branch_of(record: Mapping[str, Any], earlier: Iterable[Placed]) -> Branch:
    """Place a call behind the ``earlier`` ones, which are in the order of their arrival.

    The steps of a turn hang from the turn, and so do its title, its compression and its summary. A subagent's steps hang
    from the step, of the session that began the subagent, that asked for one last before its first came: a subagent in the
    background comes when its parent has gone on. What a tool asks a model hangs from the step before it.
    """
    turn = _turn(record)
    if turn is None:
        return Branch(None, None)
    same = [placed for placed in earlier if placed.branch.turn == turn]
    session, begun_by = record.get("session_id"), record.get("parent_session_id")
    purpose = record.get("purpose")
    if purpose == "subagent":
        for placed in same:
            if placed.record.get("purpose") == "subagent" and placed.record.get("session_id") == session:
                return Branch(turn, placed.branch.parent)
        steps = _steps(same, begun_by)
        return Branch(turn, _last([step for step in steps if _DELEGATES in step.tools] or steps))
    return Branch(turn, None if purpose in _OF_THE_TURN else _last(_steps(same, session)))


def _turn(record: Mapping[str, Any]) -> str | None:
    """Turns of two conversations are never one, whatever they call themselves."""
    turn, conversation = record.get("turn_id"), record.get("conversation_id")
    return None if turn is None and conversation is None else f"{conversation or ''}\n{turn or ''}"


def _steps(calls: list[Placed], session: object) -> list[Placed]:
    """The steps of a session; the turn's own where that session has none."""
    steps = [placed for placed in calls if placed.record.get("purpose") in ("main", "subagent")]
    own = [placed for placed in steps if placed.record.get("session_id") == session]
    return own or [placed for placed in steps if placed.record.get("purpose") == "main"]


def _last(steps: list[Placed]) -> int | None:
    return steps[-1].number if steps else None
