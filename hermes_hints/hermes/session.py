"""Who is calling, as the host says it where the code runs."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Any

from ..identity import NOBODY, Identity
from .host import Host

__all__ = ["Sessions"]

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
_MOST = 4096


class Sessions:
    """Reads identity from the host's session context, and remembers which session is whose subagent."""

    __slots__ = ("_host", "_parents", "_profile")

    def __init__(self, host: Host, profile: str | None) -> None:
        self._host = host
        self._profile = profile
        self._parents: OrderedDict[str, str] = OrderedDict()

    def started(self, child: str | None, parent: str | None) -> None:
        """Remember a subagent's session; the oldest of 4,096 is forgotten."""
        if child and parent and child != parent:
            self._parents[child] = parent
            if len(self._parents) > _MOST:
                self._parents.popitem(last=False)

    def ended(self, child: str | None) -> None:
        """Forget a subagent's session."""
        if child:
            self._parents.pop(child, None)

    def parent(self, session_id: str | None) -> str | None:
        """The session whose subagent this one is."""
        return self._parents.get(session_id) if session_id else None

    def identity(self, session_id: str | None, platform: str | None) -> Identity:
        """Who is calling in the running thread or task.

        ``session_id`` and ``platform`` are what the host passed to the door, which it knows better than the context.
        """
        read = self._host.session_variable
        values = tuple(read(name, "") for name in _VARIABLES.values()) if read is not None else ()
        root = self._host.conversation() if self._host.conversation is not None else None
        return _identity(
            values,
            root or "",
            session_id or "",
            self.parent(session_id) or "",
            platform or "",
            self._host.agent or "",
            self._profile or "",
        )


@lru_cache(maxsize=1024)
def _identity(  # every argument hashable, so that the steps of one turn share one value
    values: tuple[str, ...], root: str, session_id: str, parent: str, platform: str, agent: str, profile: str
) -> Identity:
    fields: dict[str, Any] = dict(zip(_VARIABLES, values, strict=False))
    if platform and not fields.get("platform"):
        fields["platform"] = platform
    fields["chat_type"] = _chat_type(fields.get("session_key") or "")
    fields["session_id"] = session_id
    fields["parent_session_id"] = parent
    fields["conversation_id"] = root or session_id
    fields["agent"] = agent
    fields["profile"] = fields.get("profile") or profile
    return Identity(**fields) if any(fields.values()) else NOBODY


def _chat_type(session_key: str) -> str:
    """The chat type, which the host keeps only in ``agent:main:<platform>:<chat_type>:<chat_id>[:…]``."""
    parts = session_key.split(":")
    return parts[3] if len(parts) > 3 and parts[0] == "agent" else ""  # noqa: PLR2004 - its place in the key
