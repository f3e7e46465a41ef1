"""Passing requests on, and their answers back, byte for byte."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import httpcore
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ..loopback import error_body, is_local
from ..signature import Keys
from .calls import Calls, State
from .lines import passed_back
from .noting import Noting
from .requests import Incoming
from .upstream import Upstream, connections

__all__ = ["Passing"]

_FAILURES = (
    *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException),
    *(httpcore.ProxyError, httpcore.UnsupportedProtocol, OSError),
)


class Passing:
    """An ASGI application that passes every request on to ``upstream``, and its answer back.

    Nothing is decoded, held back, tried again, redirected or added. LLM calls are noted in ``calls``; ``carriers`` and ``key``
    are those of `read_request`. The name that was asked for must be this machine's: a web page that makes its own name lead
    here would otherwise ask the endpoint under the name that the endpoint trusts.
    """

    def __init__(
        self, upstream: Upstream, calls: Calls, *, carriers: frozenset[str] = frozenset(), key: Keys | None = None
    ) -> None:
        self._upstream = upstream
        self._calls = calls
        self._carriers = carriers
        self._key = key
        self._pool = connections(upstream)
        self._turns = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._pass(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Keep connections to the endpoint as long as the server lives."""
        await receive()
        async with self._pool:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_local(Request(scope)):
            await _refuse(send, 403, "hermes-hints inspect is for this machine alone: ask 127.0.0.1 or localhost")
            return
        if not scope["raw_path"].startswith(b"/"):
            await _refuse(send, 400, "hermes-hints inspect is no proxy for other hosts: ask for a path")
            return
        noting = Noting(self._calls, scope, self._carriers, self._key, self._turns)
        incoming = Incoming(scope, receive, noting)
        exchange = asyncio.ensure_future(self._exchange(incoming, send, noting))
        gone = asyncio.ensure_future(incoming.client_goes())
        try:
            await asyncio.wait({exchange, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if noting.state is None:
                exchange.cancel()
            with suppress(asyncio.CancelledError, ConnectionAbortedError):
                await exchange
            await noting.end()

    async def _exchange(self, incoming: Incoming, send: Send, noting: Noting) -> None:
        request = await incoming.passed_on_to(self._upstream)
        try:
            response = await self._pool.handle_async_request(request)
        except ConnectionAbortedError:
            raise
        except _FAILURES as error:
            await incoming.rest()
            noting.refused(502)
            where = self._upstream.base_url
            await _refuse(
                send, 502, f"hermes-hints inspect got no answer from {where} ({type(error).__name__}: {error})"
            )
            return
        try:
            noting.state = await _pass_back(response, send, noting)
        finally:
            await response.aclose()


async def _pass_back(response: httpcore.Response, send: Send, noting: Noting) -> State:
    """Send what comes as it comes; where the endpoint breaks off, what the client gets is never ended either."""
    noting.began(response.status, response.headers)
    head = {"type": "http.response.start", "status": response.status, "headers": passed_back(response.headers)}
    await send(head)
    try:
        async for piece in response.aiter_stream():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            noting.saw(piece)
    except _FAILURES:
        return "broken off"
    noting.state = "done"
    await send({"type": "http.response.body"})
    return "done"


async def _refuse(send: Send, status: int, message: str) -> None:
    content = json.dumps(error_body(status, message)).encode("ascii")
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode("ascii"))]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": content})
