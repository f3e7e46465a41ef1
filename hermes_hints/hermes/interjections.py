"""Commands in messages that come while their sender's turn is under way.

The host hands such a message to no hook, but its platform's adapter asks a handler about it first
(``set_busy_session_handler``, the same in 0.19 and 0.22). Ours reads commands and leaves everything else to the host's.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, cast
from weakref import WeakSet

from ..notices import once
from .levers import Levers
from .turns import Recent

__all__ = ["Interjections"]

_Handler = Callable[[Any, str], Awaitable[bool]]
_Chat = tuple[str, str]


class Interjections:
    """Has the levers read messages that come during a turn, for as long as ``wanted`` says so."""

    def __init__(self, levers: Levers, wanted: Callable[[], bool]) -> None:
        self._levers = levers
        self._wanted = wanted
        self._adapters: WeakSet[Any] = WeakSet()

    def arrived(self, *, event: Any, gateway: Any = None, **more: Any) -> dict[str, str] | None:
        """A message begins a turn (hook ``pre_gateway_dispatch``): from now on, others may come during it."""
        for adapter in _adapters(gateway):
            handler: Any = getattr(adapter, "_busy_session_handler", None)
            if not callable(handler):
                continue
            first = handler if isinstance(handler, _First) else _First(adapter, cast("_Handler", handler))
            if first is not handler:
                adapter.set_busy_session_handler(first)
            first.readers.put(_chat(event), (self, gateway))
            self._adapters.add(adapter)
        return self._levers.arrived(event=event, gateway=gateway, **more)

    def leave(self) -> None:
        """Leave messages during turns to the host's own handlers alone."""
        for adapter in self._adapters:
            if isinstance(adapter._busy_session_handler, _First):  # noqa: SLF001 - the host has no way to ask
                adapter.set_busy_session_handler(adapter._busy_session_handler.handler)  # noqa: SLF001
        self._adapters.clear()

    def read(self, event: Any, gateway: Any) -> str | None:
        """What to answer a message at once; ``None`` where the host is to go on with it."""
        if not self._wanted():
            self.leave()
            return None
        try:
            return self._levers.interjected(event=event, gateway=gateway)
        except Exception as error:  # noqa: BLE001 - an event or a gateway of another version; the message goes on as it is
            message = "hermes-hints: a message during a turn was not read"
            once(logging.WARNING, ("interjection",), message, cause=error, private=True)
            return None


class _First:
    """What an adapter asks about a message that comes during a turn: first a reader of commands, then the host."""

    def __init__(self, adapter: Any, handler: _Handler) -> None:
        self.handler = handler
        self.readers: Recent[_Chat, tuple[Interjections, Any]] = Recent()
        """By chat, for a gateway may serve several profiles, each with commands of its own."""
        self._send = adapter.send

    async def __call__(self, event: Any, session_key: str) -> bool:
        """Whether the adapter is to do nothing more about the message."""
        reader, gateway = self.readers.get(_chat(event), (None, None))
        answer = None if reader is None else reader.read(event, gateway)
        if answer is None:
            return await self.handler(event, session_key)
        thread_id = event.source.thread_id
        metadata = {"thread_id": thread_id} if thread_id else None
        await self._send(event.source.chat_id, answer, reply_to=event.message_id, metadata=metadata)
        return True


def _chat(event: Any) -> _Chat:
    return str(event.source.platform), str(event.source.chat_id)


def _adapters(gateway: Any) -> Iterator[Any]:
    """Those that can be given a handler, of every profile."""
    own: Mapping[Any, Any] = getattr(gateway, "adapters", None) or {}
    of_profiles: Mapping[str, Mapping[Any, Any]] = getattr(gateway, "_profile_adapters", None) or {}
    for adapters in (own, *of_profiles.values()):
        for adapter in adapters.values():
            if callable(getattr(adapter, "set_busy_session_handler", None)):
                yield adapter
