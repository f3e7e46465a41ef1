"""Who asks, where, in which conversation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import model_validator

from .values import Id, Name, Value

__all__ = ["NOBODY", "Identity"]


class Identity(Value):
    """Who asks, where, in which conversation and through which agent. Frozen; every field is optional.

    The names are the identity keyword arguments of Hermes' ``AIAgent.__init__``, which may be passed as they are
    (``gateway_session_key`` is taken as ``session_key``); ``None`` and ``""`` mean absent. Numbers become text.
    An id is at most 512 characters (a longer one is replaced by its SHA-256), a name is cut there.
    Without ``conversation_id`` it is the ``session_id``.

    Raises:
        pydantic.ValidationError: a field that does not exist, or a value that is neither text nor a whole number.
    """

    if TYPE_CHECKING:  # pydantic gives a frozen model its hash at run time

        def __hash__(self) -> int: ...

    accepted_aliases: ClassVar[Mapping[str, str]] = {"gateway_session_key": "session_key"}

    user_id: Id = None
    """Who asks: the platform's own id of the person."""
    user_id_alt: Id = None
    """Another id of the same person."""
    user_name: Name = None
    """What the person is called."""
    platform: Id = None
    """The messenger (``matrix``, ``slack``, …), or ``cli``, ``cron``, ``api_server``."""
    chat_id: Id = None
    """The room, channel or private chat."""
    chat_name: Name = None
    """What the chat is called."""
    chat_type: Id = None
    """What kind of chat it is, such as ``dm`` or ``group``."""
    thread_id: Id = None
    """The thread within the chat."""
    message_id: Id = None
    """The message that is being answered."""
    session_id: Id = None
    """The session in the host's history; another one after a compression."""
    conversation_id: Id = None
    """One for all sessions of a conversation, its subagents' too."""
    session_key: Id = None
    """Hermes' own key of platform, chat and person."""
    parent_session_id: Id = None
    """Of a subagent: the session that started it."""
    agent: Id = None
    """The calling program and its version."""
    profile: Id = None
    """Hermes' profile, where it has several."""

    @model_validator(mode="before")
    @classmethod
    def _conversation(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = cast("Mapping[str, object]", data)
        conversation = given.get("conversation_id")
        if conversation is None or (isinstance(conversation, str) and not conversation.strip()):
            return {**given, "conversation_id": given.get("session_id")}
        return given

    def over(self, outer: Identity) -> Identity:
        """This identity, completed by an ``outer`` one.

        Naming another ``platform``, ``user_id``, ``chat_id`` or ``session_id`` drops what the outer identity said of the
        old one (its names, message, thread, conversation), so that two people are never mixed into one.
        """
        return self if outer is NOBODY else _over(self, outer)


NOBODY = Identity.model_construct()  # unlike a validated one, it costs an importing process nothing

_HEADS: Mapping[str, tuple[str, ...]] = {
    "platform": (
        *("user_id", "user_id_alt", "user_name", "chat_id", "chat_name", "chat_type"),
        *("thread_id", "message_id", "session_key"),
    ),
    "user_id": ("user_id_alt", "user_name", "message_id", "session_key"),
    "chat_id": ("chat_name", "chat_type", "thread_id", "message_id", "session_key"),
    "session_id": ("conversation_id", "session_key", "parent_session_id"),
}


@lru_cache(maxsize=1024)
def _over(inner: Identity, outer: Identity) -> Identity:
    said = inner.fields()
    kept = outer.fields()
    for head, rest in _HEADS.items():
        if head in said and said[head] != kept.get(head, said[head]):
            for field in rest:
                kept.pop(field, None)
    return Identity(**{**kept, **said})
