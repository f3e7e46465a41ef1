"""Who is calling, as the host says it where the code runs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar

from ..identity import NOBODY, Identity
from .host import Host

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

_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that is under way: whose, and what joins its calls."""

    identity: Identity
    facts: Mapping[str, Any]


@dataclass(slots=True)
class _Conversation:
    """What was seen of one conversation."""

    identity: Identity
    turn_id: str | None
    users: set[str | None] = field(default_factory=set[str | None])


class _Recent(OrderedDict[str, _V], Generic[_V]):
    """The 4,096 entries that were set last."""

    def put(self, key: str, value: _V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > 4096:  # noqa: PLR2004 - as the docstring says
            self.popitem(last=False)


_turn: ContextVar[Turn | None] = ContextVar("hermes_hints_turn", default=None)


class Sessions:
    """Reads identity from the host's session context, and keeps what only some threads can see for those that cannot."""

    __slots__ = ("_conversations", "_host", "_parents", "_profile", "_senders")

    def __init__(self, host: Host, profile: str | None) -> None:
        self._host = host
        self._profile = profile
        self._parents: _Recent[str] = _Recent()
        self._senders: _Recent[str] = _Recent()
        self._conversations: _Recent[_Conversation] = _Recent()

    def subagent_started(self, child: str | None, parent: str | None) -> None:
        """Remember whose subagent a session is."""
        if child and parent and child != parent:
            self._parents.put(child, parent)

    def turn_started(self, session_id: str | None, sender: str | None) -> None:
        """Remember who a session's present turn answers, which the host knows better than its session context.

        A message that waited for the session to be free is answered within the context of the one before it.
        """
        if session_id:
            self._senders.put(session_id, sender or "")

    def turn(self, session_id: str | None, platform: str | None, facts: Mapping[str, Any]) -> Turn:
        """The turn that a main call belongs to; remembered for the calls that it brings about."""
        values = self._values()
        sender = self._senders.get(session_id or "", "")
        if sender and sender != values.get("user_id"):
            values = {**{name: value for name, value in values.items() if name not in _WHO}, "user_id": sender}
        parent = self._parents.get(session_id or "")
        identity = self._identity(values, self._root() or session_id, session_id, parent, platform)
        turn = Turn(identity, facts)
        _turn.set(turn)
        if identity.conversation_id is not None:
            known = self._conversations.get(identity.conversation_id)
            users = known.users if known is not None else set[str | None]()
            users.add(identity.user_id)
            told = facts.get("turn_id")
            self._conversations.put(identity.conversation_id, _Conversation(identity, told, users))
        return turn

    def here(self) -> Turn:
        """Who the running code works for, outside a main call: from its turn, its session context or its conversation.

        What is left over from an earlier turn is not used, and where the sources disagree on who, nobody is named.
        """
        values = self._values()
        root = self._root()
        turn = _turn.get()
        if turn is not None and self._is_current(turn, root):
            return turn
        seen = self._conversations.get(root) if root else None
        if values.get("user_id") or values.get("chat_id"):
            if seen is not None and values.get("user_id") and seen.identity.user_id not in (None, values["user_id"]):
                values = {name: value for name, value in values.items() if name not in _WHO}
            session_id = None if seen is None else seen.identity.session_id
            return Turn(self._identity(values, root, session_id, None, None), {})
        if seen is None:
            return Turn(self._identity(values, root, None, None, None), {})
        known = seen.identity
        if len(seen.users) > 1:
            known = Identity(**{name: value for name, value in known.fields().items() if name not in _WHO})
        return Turn(known, {})

    def _is_current(self, turn: Turn, root: str | None) -> bool:
        conversation = turn.identity.conversation_id
        if conversation is None or (root is not None and root != conversation):
            return False
        seen = self._conversations.get(conversation)
        return seen is not None and (
            seen.turn_id == turn.facts.get("turn_id") or turn.identity.parent_session_id is not None
        )

    def _values(self) -> dict[str, str]:
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
        return _identity(
            (
                *values.items(),
                ("conversation_id", root or ""),
                ("session_id", session_id or ""),
                ("parent_session_id", parent or ""),
                ("platform", values.get("platform") or platform or ""),
                ("profile", values.get("profile") or self._profile or ""),
                ("chat_type", _chat_type(values.get("session_key", ""))),
                ("agent", self._host.agent or ""),
            )
        )


@lru_cache(maxsize=1024)
def _identity(fields: tuple[tuple[str, str], ...]) -> Identity:
    """Hashable in, so that the steps of one turn share one validated value."""
    present = {name: value for name, value in fields if value}
    return Identity(**present) if present else NOBODY


def _chat_type(session_key: str) -> str:
    """The chat type, which the host keeps only in ``agent:main:<platform>:<chat_type>:<chat_id>[:…]``."""
    parts = session_key.split(":")
    return parts[3] if len(parts) > 3 and parts[0] == "agent" else ""  # noqa: PLR2004 - its place in the key
