"""Who is calling, as the host says it where the code runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..identity import NOBODY, Identity
from ..pipeline import Testimony
from .host import Host
from .recent import Recent
from .stack import stack_here

__all__ = ["Sessions", "Turn"]

_VARIABLES = {
    "platform": "HERMES_SESSION_PLATFORM",
    "chat_id": "HERMES_SESSION_CHAT_ID",
    "chat_name": "HERMES_SESSION_CHAT_NAME",
    "thread_id": "HERMES_SESSION_THREAD_ID",
    "user_id": "HERMES_SESSION_USER_ID",
    "user_name": "HERMES_SESSION_USER_NAME",
    "session_key": "HERMES_SESSION_KEY",
    "message_id": "HERMES_SESSION_MESSAGE_ID",
    "profile": "HERMES_SESSION_PROFILE",
}
# HERMES_SESSION_ID is not among them: where it is unset it falls back to the process's environment, which every new
# agent overwrites, so that it may name somebody else's session.

_WHO = ("user_id", "user_id_alt", "user_name", "message_id")


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that is under way: whose, and what joins its calls."""

    identity: Identity
    facts: Mapping[str, Any]
    context: Mapping[str, str]
    """The session context that it began in."""


@dataclass(frozen=True, slots=True)
class _Conversation:
    """What was seen of one conversation."""

    identity: Identity
    """Of its latest turn."""
    users: frozenset[str | None]


_turn: ContextVar[Turn | None] = ContextVar("hermes_hints_turn", default=None)


class Sessions:
    """Reads identity from the host's session context, and keeps what only some threads can see for those that cannot."""

    __slots__ = ("_conversations", "_host", "_lock", "_parents", "_profile", "_senders", "_tickets")

    def __init__(self, host: Host, profile: str | None) -> None:
        self._host = host
        self._profile = profile
        self._lock = threading.Lock()
        self._parents: Recent[str, str] = Recent()
        self._senders: Recent[str, str] = Recent()
        self._conversations: Recent[str, _Conversation] = Recent()
        self._tickets: Recent[str, Testimony] = Recent()

    def subagent_started(self, child: str | None, parent: str | None) -> None:
        """Remember whose subagent a session is."""
        if child and parent and child != parent:
            with self._lock:
                self._parents.put(child, parent)

    def turn_started(self, session_id: str | None, sender: str | None) -> None:
        """Remember who a session's present turn answers, which the host knows better than its session context.

        A message that waited for the session to be free is answered within the context of the one before it.
        """
        if session_id:
            with self._lock:
                self._senders.put(session_id, sender or "")

    def turn(self, session_id: str | None, platform: str | None, facts: Mapping[str, Any]) -> Turn:
        """The turn that a main call belongs to; remembered for the calls that it brings about."""
        context = self.context()
        sender = self._senders.get(session_id or "", "")
        values = context if sender in ("", context.get("user_id")) else {**_without_who(context), "user_id": sender}
        parent = self._parents.get(session_id or "")
        identity = self._identity(values, self._root() or session_id, session_id, parent, platform)
        turn = Turn(identity, facts, context)
        _turn.set(turn)
        if identity.conversation_id is not None:
            with self._lock:
                known = self._conversations.get(identity.conversation_id)
                users = frozenset({identity.user_id, *(known.users if known is not None else ())})
                self._conversations.put(identity.conversation_id, _Conversation(identity, users))
        return turn

    def issue(self, ticket: str, testimony: Testimony) -> str:
        """Leave what is known of a request under a ticket, for where it leaves; the ticket, made unique.

        The host repeats its id when it tries again, with another key or at another provider.
        """
        with self._lock:
            unique, attempt = ticket, 1
            while unique in self._tickets:
                attempt += 1
                unique = f"{ticket}.{attempt}"
            identity, facts = testimony
            self._tickets.put(unique, (identity, {**facts, "request_id": unique}))
        return unique

    def redeem(self, ticket: str) -> Testimony | None:
        """What was left under a ticket. It stays valid: the host may send one request again as it is."""
        return self._tickets.get(ticket)

    def here(self) -> Testimony:
        """Who the running code works for, outside a main call: from its turn, its session context or its conversation.

        What is left over from an earlier turn is not used, and where the sources disagree on who, nobody is named.
        """
        stack = stack_here()
        identity, facts = self._around()
        if stack.user_id is not None and identity.user_id not in (None, stack.user_id):
            identity = Identity(**{**_without_who(identity.fields()), "user_id": stack.user_id})
        return identity, facts if stack.purpose is None else {**facts, "purpose": stack.purpose}

    def _around(self) -> Testimony:
        context, root, turn = self.context(), self._root(), _turn.get()
        if turn is not None and root is not None and root == turn.identity.conversation_id and context == turn.context:
            return turn.identity, {name: turn.facts[name] for name in ("turn_id", "task_id") if name in turn.facts}
        seen = self._conversations.get(root) if root else None
        if context.get("user_id") or context.get("chat_id") or seen is None:
            if seen is not None and seen.identity.user_id not in (None, context.get("user_id")) and not _alone(seen):
                context = _without_who(context)
            session_id = None if seen is None else seen.identity.session_id
            return self._identity(context, root, session_id, None, None), {}
        known = seen.identity
        return (known if _alone(seen) else Identity(**_without_who(known.fields()))), {}

    def context(self) -> Mapping[str, str]:
        """The session context of the running code, by wire field; fields without a value are absent."""
        read = self._host.session_variable
        if read is None:
            return {}
        return {name: value for name, variable in _VARIABLES.items() if (value := read(variable, ""))}

    def _root(self) -> str | None:
        return self._host.conversation() if self._host.conversation is not None else None

    def _identity(
        self,
        values: Mapping[str, str],
        root: str | None,
        session_id: str | None,
        parent: str | None,
        platform: str | None,
    ) -> Identity:
        told = "" if platform == "subagent" else platform or ""
        return _identity(
            (
                *values.items(),
                ("conversation_id", root or ""),
                ("session_id", session_id or ""),
                ("parent_session_id", parent or ""),
                ("platform", values.get("platform") or told),
                ("profile", values.get("profile") or self._profile or ""),
                ("chat_type", _chat_type(values.get("session_key", ""))),
                ("agent", self._host.agent or ""),
            )
        )


def _alone(conversation: _Conversation) -> bool:
    return len(conversation.users) == 1


def _without_who(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _WHO}


@lru_cache(maxsize=1024)
def _identity(fields: tuple[tuple[str, str], ...]) -> Identity:
    """Hashable in, so that the steps of one turn share one validated value."""
    present = {name: value for name, value in fields if value}
    return Identity(**present) if present else NOBODY


def _chat_type(session_key: str) -> str:
    """The chat type, which the host keeps only in ``agent:main:<platform>:<chat_type>:<chat_id>[:…]``."""
    parts = session_key.split(":")
    return parts[3] if len(parts) > 3 and parts[0] == "agent" else ""  # noqa: PLR2004 - its place in the key
