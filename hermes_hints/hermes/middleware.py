"""The door for main turns: the host's ``llm_request`` middleware, which runs where identity is readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..pipeline import Outgoing, Pipeline
from .session import Sessions

__all__ = ["NAME", "Middleware"]

NAME = "hermes-hints"

_FACTS = {"request_id": "api_request_id", "turn_id": "turn_id", "task_id": "task_id", "call": "api_call_count"}
_APIS = {"chat_completions": "chat.completions", "codex_responses": "responses"}


class Middleware:
    """Stamps a main turn's or tool-loop step's keyword arguments."""

    __slots__ = ("_pipeline", "_sessions")

    def __init__(self, pipeline: Pipeline, sessions: Sessions) -> None:
        self._pipeline = pipeline
        self._sessions = sessions

    def __call__(
        self,
        *,
        request: Mapping[str, Any],
        session_id: str | None = None,
        platform: str | None = None,
        base_url: str | None = None,
        api_mode: str | None = None,
        **told: Any,
    ) -> dict[str, Any] | None:
        """The request with hints, in the form the host wants; ``None`` where there is nothing to add.

        Everything goes into ``extra_body`` and ``extra_headers``: they pass the host's preflight for Responses, which
        refuses any top-level keyword argument that it does not know, and every wrapper around the SDK.
        """
        api = _APIS.get(api_mode or "")
        if api is None:
            return None
        decision = self._pipeline.decide(base_url or "")
        if decision.profile.silent:
            return None
        purpose = "cron" if platform == "cron" else "main"
        facts = {field: told[argument] for field, argument in _FACTS.items() if told.get(argument)}
        turn = self._sessions.turn(session_id, platform, facts)
        if turn.identity.parent_session_id is not None:
            purpose = "subagent"
        stamp = self._pipeline.stamp(
            Outgoing(api, request, request.get("extra_body"), request.get("extra_headers")),
            decision,
            turn.identity,
            {**facts, "purpose": purpose},
        )
        if stamp is None:
            return None
        changed = dict(request)
        if stamp.carriers.body:
            changed["extra_body"] = stamp.extra_body()
        if stamp.carriers.headers:
            changed["extra_headers"] = stamp.header_lines()
        return {
            "request": changed,
            "source": NAME,
            "reason": f"{stamp.decision.profile.name} ({stamp.decision.reason})",
        }
