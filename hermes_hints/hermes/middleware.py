"""The door for main turns: the host's ``llm_request`` middleware, which runs where identity is readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..endpoints import CONVERSE
from ..outgoing import Outgoing
from ..pipeline import Pipeline, Testimony
from ..wire import TICKET
from .homes import stand_at_anthropic, standing
from .levers import Levers
from .session import Sessions
from .stack import forked

__all__ = ["NAME", "Middleware"]

NAME = "hermes-hints"

_APIS = {
    "chat_completions": "chat.completions",
    "codex_responses": "responses",
    "anthropic_messages": "messages",
    "bedrock_converse": CONVERSE,
}
_FACTS = {"turn_id": "turn_id", "task_id": "task_id", "call": "api_call_count"}
_PURPOSES = {"subagent": "subagent", "cron": "cron", "curator": "curator"}
_NOWHERE = "moa:"


class Middleware:
    """Says of a main turn's or tool-loop step's request who it is for.

    The request leaves from another thread, and not always to the ``base_url`` that is told here. So it only gets a ticket in
    ``extra_headers`` and is stamped where it leaves. Where no door of ours stands before the client (boto3's, or any where
    the host runs plugins in a process of their own, ``isolated``), what can be sent without one is written here.
    """

    __slots__ = ("_isolated", "_levers", "_pipeline", "_sessions")

    def __init__(self, sessions: Sessions, levers: Levers, pipeline: Pipeline, *, isolated: bool = False) -> None:
        self._sessions = sessions
        self._levers = levers
        self._pipeline = pipeline
        self._isolated = isolated

    def __call__(
        self,
        *,
        request: Mapping[str, Any],
        session_id: str | None = None,
        platform: str | None = None,
        api_mode: str | None = None,
        api_request_id: str | None = None,
        base_url: object = None,
        **told: Any,
    ) -> dict[str, Any] | None:
        """The request with its ticket or stamped, in the form that the host wants; ``None`` for an API not known here."""
        facts = {field: told[argument] for field, argument in _FACTS.items() if told.get(argument)}
        facts["purpose"] = forked() or _PURPOSES.get(platform or "", "main")
        said = request.get("messages") or request.get("input")
        self._levers.joined(facts.get("turn_id"), session_id, said)
        plain = self._levers.heard(facts.get("turn_id"), session_id, request.get("messages"))
        facts.update(self._levers.wishes(facts.get("turn_id"), session_id))
        turn = self._sessions.turn(session_id, platform, facts)
        changed: dict[str, Any] = {**request} if plain is None else {**request, "messages": plain}
        api = _APIS.get(api_mode or "")
        if api is not None:
            ticket = self._sessions.issue(
                api_request_id or f"{session_id}:api", self._sessions.joined(turn.identity, facts)
            )
            if self._has_door(api):
                _add_headers(changed, {TICKET: ticket})
            else:
                self._stamp(changed, api, str(base_url or ""), self._sessions.redeem(ticket))
        return None if changed == request else {"request": changed, "source": NAME}

    def _has_door(self, api: str) -> bool:
        if self._isolated or api == CONVERSE or not standing():
            return False
        return stand_at_anthropic() if api == "messages" else True

    def _stamp(self, changed: dict[str, Any], api: str, base_url: str, testimony: Testimony | None) -> None:
        """Write what the endpoint may have, as far as no endpoint refuses it: nobody could take it back here."""
        if base_url.startswith(_NOWHERE) or testimony is None:
            return
        outgoing = Outgoing(
            api=api,
            body=changed,
            extra=None,
            headers=changed.get("extra_headers"),
            body_allowed=api in ("messages", CONVERSE),
            strict=True,
            headers_allowed=api != CONVERSE,
        )
        stamp = self._pipeline.stamp(outgoing, self._pipeline.decide(base_url), *testimony)
        if stamp is not None:
            changed.update(stamp.carriers.body)
            _add_headers(changed, stamp.carriers.headers)


def _add_headers(changed: dict[str, Any], lines: Mapping[str, str]) -> None:
    if lines:
        changed["extra_headers"] = {**(changed.get("extra_headers") or {}), **lines}
