"""Who is calling, as the host says it where the code runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from ..identity import NOBODY, Identity
from ..pipeline import Testimony
from .host import Host
from .stack import Agent, Stack, stack_here
from .turns import WHO, Recent, Turn, Turns, without_who

__all__ = ["Sessions"]

_VARIABLES = {
    "platform": "HERMES_SESSION_PLATFORM",
    "chat_id": "HERMES_SESSION_CHAT_ID",
    "chat_name": "HERMES_SESSION_CHAT_NAME",
    "chat_type": "HERMES_SESSION_CHAT_TYPE",
    "thread_id": "HERMES_SESSION_THREAD_ID",
    "user_id": "HERMES_SESSION_USER_ID",
    "user_id_alt": "HERMES_SESSION_USER_ID_ALT",
    "user_name": "HERMES_SESSION_USER_NAME",
    "session_key": "HERMES_SESSION_KEY",
    "message_id": "HERMES_SESSION_MESSAGE_ID",
    "profile": "HERMES_SESSION_PROFILE",
}
# HERMES_SESSION_ID is not among them: where it is unset it falls back to the process's environment, which every new
# agent overwrites, so that it may name somebody else's session.

_SENDER = ("user_id", "user_id_alt", "user_name", "chat_id", "chat_name", "chat_type", "thread_id", "message_id")

_JOINING = ("turn_id", "task_id")
_OF_THE_CALL = ("purpose", "call", "request_id")
_WISHED = frozenset({"summary", "moa_aggregator"})
"""Calls that give the answer which the user sees: what was asked for with the message counts for them too."""
_LOOK_AGAIN_SECONDS = 1.0

_turn: ContextVar[Turn | None] = ContextVar("hermes_hints_turn", default=None)
"""The turn that the running code works on, for what the host starts with a copy of the context."""


class Sessions:
    """Reads identity from the host's session context, and keeps what only some threads can see for those that cannot."""

    __slots__ = ("_begun", "_enabled", "_host", "_looked", "_profile", "_turns")

    def __init__(
        self,
        host: Host,
        profile: str | None,
        turns: Turns | None = None,
        enabled: Callable[[], bool] | None = None,
    ) -> None:
        """``enabled`` tells whether the host still wants the plugin, where the host does not say so by itself."""
        self._host = host
        self._profile = profile
        self._turns = Turns() if turns is None else turns
        self._enabled = enabled
        self._looked = -_LOOK_AGAIN_SECONDS
        self._begun: Recent[str, str] = Recent()

    def arrived(self, source: Any) -> None:
        """A message has come in: by which other id its platform knows its sender (0.19 tells it nowhere else)."""
        other = getattr(source, "user_id_alt", None)
        if other and source.user_id:
            platform = getattr(source.platform, "value", source.platform)
            self._turns.also_known(str(platform), str(source.user_id), str(other))

    def subagent_started(self, child: str | None, parent: str | None, turn_id: str | None = None) -> None:
        """Remember for whom a subagent's session works; called where its parent's turn runs."""
        if not child or not parent or child == parent:
            return
        turn = self._turns.get(turn_id)
        identity = self._turns.parent(parent) if turn is None else turn.identity
        if identity is None:
            identity, _ = self._around(stack_here())
        self._turns.adopted(child, Identity(**{**identity.fields(), "session_id": parent}), turn_id)

    def turn_started(
        self, turn_id: str | None, session_id: str | None, sender: str | None, said: object = None
    ) -> None:
        """Remember whom a turn answers, which the host knows better than its session context."""
        if turn_id:
            self._turns.started(turn_id, session_id or "", sender or "", said)

    def turn(self, session_id: str | None, platform: str | None, facts: Mapping[str, Any]) -> Turn:
        """The turn that a main call belongs to; remembered for the calls that it brings about."""
        context, turn_id = self.context(), facts.get("turn_id")
        turn = Turn(self._of_turn(context, turn_id, session_id, platform), facts, context, self._root())
        _turn.set(turn)
        if turn_id:
            self._turns.put(turn_id, turn)
        return turn

    def issue(self, ticket: str, testimony: Testimony) -> str:
        """Leave what is known of a request under a ticket, for where it leaves; the ticket, made unique."""
        return self._turns.issue(ticket, testimony)

    def redeem(self, ticket: str) -> Testimony | None:
        """What was left under a ticket."""
        return self._turns.redeem(ticket)

    def here(self) -> Testimony | None:
        """Who the running code works for, outside a main call; ``None`` when the plugin is no longer enabled.

        What is left over from an earlier turn is not used, and where the sources disagree on who, nobody is named.
        """
        if not self._wanted():
            return None
        stack = stack_here()
        identity, facts = self._around(stack)
        if stack.agent is not None and stack.agent.user_id not in (None, identity.user_id or stack.agent.user_id):
            identity = Identity(**{**without_who(identity.fields()), "user_id": stack.agent.user_id})
        kept = [name for name in facts if name not in _OF_THE_CALL] if stack.purpose in _WISHED else _JOINING
        said = {name: facts[name] for name in kept if name in facts}
        return self.joined(identity, said if stack.purpose is None else {**said, "purpose": stack.purpose})

    def joined(self, identity: Identity, facts: Mapping[str, Any]) -> Testimony:
        """What is said of a call: what a subagent does is a part of the turn that began it."""
        outer = self._turns.outer(identity.session_id)
        return identity, facts if outer is None else {**facts, "turn_id": outer}

    def relayed(self, source: object, session_id: str | None, session_key: str | None) -> Testimony:
        """Whom the host asks another Hermes for, in the gateway's proxy mode: the sender of a message, its ``SessionSource``."""
        platform: object = getattr(source, "platform", None)
        place = {"platform": getattr(platform, "value", platform), "session_key": session_key}
        told = {**{field: getattr(source, field, None) for field in _SENDER}, **place}
        said = {field: str(value) for field, value in told.items() if value}
        return self._identity(said, session_id, session_id, None), {"purpose": "main"}

    def _around(self, stack: Stack) -> Testimony:
        """The turn that the running code works on, by the first of those that can tell: a ticket, the host, its own."""
        told = None if stack.ticket is None else self._turns.told(stack.ticket)
        if told is not None:
            return told
        agent = self._agent() or stack.agent
        turn_id = None if agent is None else agent.turn_id
        known = self._turns.get(turn_id)
        if known is None and turn_id is None:
            known = self._copied() if stack.asked is None else self._turns.asked(*stack.asked)
        if known is not None:
            return known.identity, known.facts
        if agent is not None and turn_id is not None:
            # Before its first call: compression of what is too long to begin with, 0.22's titles and mixtures.
            identity = self._of_turn(self.context(), turn_id, agent.session_id, None, agent.user_id)
            return identity, {"turn_id": turn_id, **({"task_id": agent.task_id} if agent.task_id else {})}
        return self._of_conversation(None if agent is None else agent.session_id), {}

    def _agent(self) -> Agent | None:
        """The turn that the host itself says the running code works on (0.22)."""
        turn = None if self._host.current_turn is None else self._host.current_turn()
        if turn is None:
            return None
        found = (getattr(turn, "lease", None), "session_id"), (turn, "turn_id"), (turn, "task_id")
        session_id, turn_id, task_id = (str(value) if (value := getattr(*place, None)) else None for place in found)
        return Agent(None, session_id or "", turn_id, task_id)

    def _copied(self) -> Turn | None:
        """The turn that this code was started in, if it is still in that turn's conversation and session context."""
        turn = _turn.get()
        if turn is None or turn.root is None or turn.root != self._root() or self.context() != turn.context:
            return None
        return turn

    def _of_turn(
        self,
        context: Mapping[str, str],
        turn_id: str | None,
        session_id: str | None,
        platform: str | None,
        sender: str | None = None,
    ) -> Identity:
        parent = self._turns.parent(session_id)
        if parent is not None:
            own = {"session_id": session_id, "parent_session_id": parent.session_id}
            return Identity(**{**parent.fields(), **own})
        who: Mapping[str, Any] = context
        conversation = self._conversation(session_id)
        sender = sender or self._turns.sender(turn_id or "")
        before = _turn.get()
        borrowed = self._turns.borrowed(context, turn_id)
        if sender:
            who = context if sender == context.get("user_id") else {**without_who(context), "user_id": sender}
            if borrowed:
                who = {name: value for name, value in who.items() if name != "message_id"}
        elif (
            before is not None
            and before.context == context
            and before.identity.session_id == session_id
            and before.facts.get("turn_id") != turn_id
        ):
            # The host's own agent that looks back on a turn: it answers nobody, and works for whom the turn was.
            said = before.identity.fields()
            who = {**without_who(context), **{name: said[name] for name in WHO if name in said}}
            conversation = before.identity.conversation_id
        elif borrowed:
            who = without_who(context)
        return self._identity(who, conversation, session_id, platform)

    def _of_conversation(self, session_id: str | None) -> Identity:
        """What the session context says, or what the turns of the conversation have in common; nobody where they differ."""
        context, root = self.context(), self._root()
        common = self._turns.conversation(root, session_id)
        if common is None:
            return self._identity(context, root, session_id, None)
        if not (context.get("user_id") or context.get("chat_id")):
            return common
        if common.user_id != context.get("user_id"):
            context = without_who(context)
        return self._identity(context, common.conversation_id, common.session_id, None)

    def _wanted(self) -> bool:
        if self._enabled is None or time.monotonic() < self._looked + _LOOK_AGAIN_SECONDS:
            return True
        wanted = self._enabled()
        if wanted:
            self._looked = time.monotonic()
        return wanted

    def context(self) -> Mapping[str, str]:
        """The session context of the running code, by wire field; fields without a value are absent."""
        read = self._host.session_variable
        if read is None:
            return {}
        return {name: value for name, variable in _VARIABLES.items() if (value := read(variable, ""))}

    def _root(self) -> str | None:
        return self._host.conversation() if self._host.conversation is not None else None

    def _conversation(self, session_id: str | None) -> str | None:
        """The first of the sessions that compression made of one.

        The host's conversation context is older where a session was begun after another in the same chat (0.22).
        """
        root = self._root() or session_id
        if session_id is None or root == session_id or self._host.lineage is None:
            return root
        begun = self._begun.get(session_id) or self._host.lineage(session_id)
        if begun is not None:
            self._begun.put(session_id, begun)
        return begun or root

    def _identity(
        self, values: Mapping[str, str], conversation: str | None, session_id: str | None, platform: str | None
    ) -> Identity:
        told = "" if platform == "subagent" else platform or ""
        other = self._turns.other_id(values.get("platform") or told, values.get("user_id", ""))
        return _identity(
            (
                ("user_id_alt", other),
                *values.items(),
                ("conversation_id", conversation or ""),
                ("session_id", session_id or ""),
                ("platform", values.get("platform") or told),
                ("profile", values.get("profile") or self._profile or ""),
                ("chat_type", values.get("chat_type") or _chat_type(values.get("session_key", ""))),
                ("agent", self._host.agent or ""),
            )
        )


@lru_cache(maxsize=1024)
def _identity(fields: tuple[tuple[str, str], ...]) -> Identity:
    """Hashable in, so that the steps of one turn share one validated value."""
    present = {name: value for name, value in fields if value}
    return Identity(**present) if present else NOBODY


def _chat_type(session_key: str) -> str:
    """The chat type, which 0.19 keeps only in ``agent:main:<platform>:<chat_type>:<chat_id>[:…]``."""
    parts = session_key.split(":")
    return parts[3] if len(parts) > 3 and parts[0] == "agent" else ""  # noqa: PLR2004 - its place in the key
