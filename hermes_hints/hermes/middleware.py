"""The door for main turns: the host's ``llm_request`` middleware, which runs where identity is readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wire import TICKET
from .levers import Levers
from .session import Sessions

__all__ = ["NAME", "Middleware"]

NAME = "hermes-hints"

_OPENAI_MODES = frozenset({"chat_completions", "codex_responses"})
_FACTS = {"turn_id": "turn_id", "task_id": "task_id", "call": "api_call_count"}
_PURPOSES = {"subagent": "subagent", "cron": "cron"}


class Middleware:
    """Says of a main turn's or tool-loop step's request who it is for.

    The request leaves from another thread, and not always to the ``base_url`` that is told here (a fallback, a mixture of
    agents), so it is stamped where it leaves. Here it only gets a ticket, in ``extra_headers``: they pass the host's
    preflight for Responses, its copies and every wrapper around the SDK as they are, and the ticket is taken off again
    before anything is sent.
    """

    __slots__ = ("_levers", "_sessions")

    def __init__(self, sessions: Sessions, levers: Levers) -> None:
        self._sessions = sessions
        self._levers = levers

    def __call__(
        self,
        *,
        request: Mapping[str, Any],
        session_id: str | None = None,
        platform: str | None = None,
        api_mode: str | None = None,
        api_request_id: str | None = None,
        **told: Any,
    ) -> dict[str, Any] | None:
        """The request with its ticket, in the form that the host wants; ``None`` for an API that has no door."""
        facts = {field: told[argument] for field, argument in _FACTS.items() if told.get(argument)}
        facts["purpose"] = _PURPOSES.get(platform or "", "main")
        turn = self._sessions.turn(session_id, platform, facts)
        if api_mode not in _OPENAI_MODES:
            return None
        plain = self._levers.heard(facts.get("turn_id"), session_id, request.get("messages"))
        known = {**facts, **self._levers.wishes(facts.get("turn_id"), session_id)}
        ticket = self._sessions.issue(api_request_id or f"{session_id}:api", (turn.identity, known))
        before: Mapping[str, Any] = request.get("extra_headers") or {}
        changed: dict[str, Any] = {**request, "extra_headers": {**before, TICKET: ticket}}
        if plain is not None:
            changed["messages"] = plain
        return {"request": changed, "source": NAME}
