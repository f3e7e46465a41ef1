"""What was seen of turns, kept for the code that works on one of them where nothing else tells which."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..identity import Identity
from ..pipeline import Testimony

__all__ = ["MOST", "WHO", "Recent", "Turn", "Turns", "without_who"]

MOST = 4096

_K = TypeVar("_K")
_V = TypeVar("_V")


class Recent(OrderedDict[_K, _V], Generic[_K, _V]):
    """The 4,096 entries that were put last."""

    def put(self, key: _K, value: _V) -> None:
        """Set an entry as the newest, and forget the oldest."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > MOST:
            self.popitem(last=False)


WHO = ("user_id", "user_id_alt", "user_name", "message_id")


def without_who(values: Mapping[str, Any]) -> dict[str, Any]:
    """Identity fields without those that tell one person from another in the same place."""
    return {name: value for name, value in values.items() if name not in WHO}


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn: whose, what joins its calls, and where it runs: the session context and the host's conversation context."""

    identity: Identity
    facts: Mapping[str, Any]
    context: Mapping[str, str]
    root: str | None


@dataclass(frozen=True, slots=True)
class _Conversation:
    identity: Identity
    """Of its latest turn."""
    users: frozenset[str | None]


class Turns:
    """The turns of this process, the latest 4,096 of them. Safe under threads.

    Their ids do not repeat, so one memory serves every registration of the plugin: a turn that is under way while the host
    loads it again goes on as it began.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: Recent[str, Turn] = Recent()
        self._senders: Recent[str, str] = Recent()
        self._said: Recent[tuple[str, int], str | None] = Recent()
        self._only: Recent[str, str | None] = Recent()
        self._answering: Recent[tuple[str, str], str] = Recent()
        self._parents: Recent[str, Identity] = Recent()
        self._outer: Recent[str, str] = Recent()
        self._conversations: Recent[str, _Conversation] = Recent()
        self._roots: Recent[str, str] = Recent()
        self._tickets: Recent[str, Testimony] = Recent()
        self._redeemed: Recent[str, bool] = Recent()
        self._others: Recent[tuple[str, str], str] = Recent()

    def started(self, turn_id: str, session_id: str, sender: str, said: object) -> None:
        """A turn begins: whom it answers, by the host's own word, and what they said."""
        with self._lock:
            if sender:
                self._senders.put(turn_id, sender)
            self._only.put(session_id, turn_id if self._only.get(session_id, turn_id) == turn_id else None)
            if isinstance(said, str):
                # Two turns that were asked the same in one session cannot be told apart by it.
                key = (session_id, hash(said))
                self._said.put(key, turn_id if self._said.get(key, turn_id) == turn_id else None)

    def also_known(self, platform: str, user_id: str, other: str) -> None:
        """A person's other id on their platform, by the platform's own word (Signal's UUID, Feishu's union id)."""
        with self._lock:
            self._others.put((platform, user_id), other)

    def other_id(self, platform: str, user_id: str) -> str:
        """That id; empty where it was not told."""
        return self._others.get((platform, user_id), "")

    def sender(self, turn_id: str) -> str:
        """Whom a turn answers; empty where the host did not say."""
        return self._senders.get(turn_id, "")

    def put(self, turn_id: str, turn: Turn) -> None:
        """Remember a turn by one of its calls."""
        context, identity = turn.context, turn.identity
        with self._lock:
            self._turns.put(turn_id, turn)
            message = (context.get("session_key", ""), context.get("message_id", ""))
            if message[1]:
                self._answering.setdefault(message, turn_id)
                self._answering.put(message, self._answering[message])
            root = turn.root or identity.session_id
            if root is not None and identity.session_id is not None:
                known = self._conversations.get(root)
                users = frozenset({identity.user_id, *(known.users if known is not None else ())})
                self._conversations.put(root, _Conversation(identity, users))
                self._roots.put(identity.session_id, root)

    def get(self, turn_id: str | None) -> Turn | None:
        """The turn of that id, from its first call on."""
        return None if turn_id is None else self._turns.get(turn_id)

    def asked(self, session_id: str, said: str) -> Turn | None:
        """The one turn of a session in which this was said, or its only turn; ``None`` where there are several.

        What the host hands on as said may carry a note of its own.
        """
        key = (session_id, hash(said))
        return self.get(self._said[key] if key in self._said else self._only.get(session_id))

    def borrowed(self, context: Mapping[str, str], turn_id: str | None) -> bool:
        """Whether a session context is that of another turn's message.

        One that waited for its session to be free is answered within the context of the one before it.
        """
        first = self._answering.get((context.get("session_key", ""), context.get("message_id", "")))
        return first is not None and first != turn_id

    def adopted(self, child: str, parent: Identity, turn_id: str | None) -> None:
        """A subagent's session begins, for whomever its parent's turn is, as a part of the turn that somebody waits for."""
        with self._lock:
            self._parents.put(child, parent)
            outer = self._outer.get(parent.session_id or "") or turn_id
            if outer is not None:
                self._outer.put(child, outer)

    def outer(self, session_id: str | None) -> str | None:
        """The turn that a subagent's session is a part of; ``None`` for any other session."""
        return self._outer.get(session_id or "")

    def parent(self, session_id: str | None) -> Identity | None:
        """For whom the turn is that a subagent's session works on; ``None`` for any other session."""
        return self._parents.get(session_id or "")

    def conversation(self, root: str | None, session_id: str | None = None) -> Identity | None:
        """What all turns of a conversation have in common, as far as they were seen; found by its root or a session."""
        known = self._conversations.get(root or self._roots.get(session_id or "", ""))
        if known is None:
            return None
        fields = known.identity.fields()
        fields.pop("message_id", None)
        return Identity(**(fields if len(known.users) == 1 else without_who(fields)))

    def issue(self, ticket: str, testimony: Testimony) -> str:
        """Leave what is known of a request under a ticket, for where it leaves; the ticket, made unique.

        The host repeats its id when it tries again, with another key or at another provider.
        """
        identity, facts = testimony
        with self._lock:
            unique, attempt = ticket, 1
            while unique in self._tickets:
                attempt += 1
                unique = f"{ticket}.{attempt}"
            self._tickets.put(unique, (identity, {**facts, "request_id": unique}))
        return unique

    def redeem(self, ticket: str) -> Testimony | None:
        """What was left under a ticket. It stays valid, for another request each time.

        The host may send one request again as it is, such as whole where a stream was refused.
        """
        found = self._tickets.get(ticket)
        if found is None:
            return None
        with self._lock:
            again = ticket in self._redeemed
            self._redeemed.put(ticket, True)
        return self._tickets.get(self.issue(ticket, found)) if again else found

    def told(self, ticket: str) -> Testimony | None:
        """What was left under a ticket, for another call on the way of its request."""
        return self._tickets.get(ticket)
