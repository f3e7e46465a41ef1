"""A request on its way in, and on its way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpcore
from starlette.types import Receive, Scope

from .lines import has_body, passed_on
from .noting import Noting
from .upstream import Upstream

__all__ = ["Incoming"]

_TIMEOUTS = {"connect": 30.0, "read": None, "write": None, "pool": None}
"""In seconds. How long an answer may take is the client's business: when it goes, so does the request."""


class Incoming:
    """One request as it comes from its client."""

    def __init__(self, scope: Scope, receive: Receive, noting: Noting) -> None:
        self._scope = scope
        self._receive = receive
        self._noting = noting
        self._complete = asyncio.Event()
        self._body = self._pieces()

    async def passed_on_to(self, upstream: Upstream) -> httpcore.Request:
        """The request as ``upstream`` gets it; its body follows as it comes in."""
        scope = self._scope
        whole = not has_body(scope["headers"])
        if whole:
            await self.rest()
        query = scope["query_string"]
        return httpcore.Request(
            scope["method"],
            upstream.url(scope["raw_path"] + (b"?" + query if query else b"")),
            headers=passed_on(scope["headers"], upstream.host),
            content=None if whole else self._body,
            extensions={"timeout": _TIMEOUTS},
        )

    async def rest(self) -> None:
        """Take in what nobody has taken, where it goes nowhere.

        Raises:
            ConnectionAbortedError: the client went before it was complete.
        """
        async for _ in self._body:
            pass

    async def _pieces(self) -> AsyncIterator[bytes]:
        """The body.

        Raises:
            ConnectionAbortedError: the client went before it was complete.
        """
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError
            more = message.get("more_body", False)
            piece = message.get("body", b"")
            self._noting.arriving(piece)
            if piece:
                yield piece
        self._complete.set()
        self._noting.arrived()

    async def client_goes(self) -> None:
        """Return when the client has gone, or has its answer."""
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
