"""The web page, and what it asks for: the calls as they pass, and what one would carry with another profile."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any, get_args

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ConfigError
from ..loopback import is_local
from ..privacy import Privacy
from .calls import Calls, PassedCall
from .elsewhere import Elsewhere

__all__ = ["create_page"]

_FOREIGN = frozenset({"cross-site", "same-site"})
"""What browsers say in ``Sec-Fetch-Site`` of a request that another page makes; a page on another port is ``same-site``."""
_QUIET_SECONDS = 15.0
"""After so long without a call a comment is sent, by which a browser that has gone is noticed."""
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def create_page(calls: Calls, elsewhere: Elsewhere, about: dict[str, Any]) -> Starlette:
    """The page as an ASGI application for loopback; ``about`` is told to it first."""
    html = resources.files("hermes_hints.inspector").joinpath("page.html").read_text("utf-8")
    page = _Page(calls, elsewhere, about, html)
    return Starlette(
        routes=[
            Route("/", page.page),
            Route("/events", page.events),
            Route("/calls/{number:int}/elsewhere", page.elsewhere),
        ],
        middleware=[Middleware(_Guard, policy=_policy(html))],
    )


def _policy(html: str) -> str:
    """Nothing but the page's own script and style, by their hashes; no other origin, no frame around it."""
    hashes = {
        kind: f"'sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
        for kind, content in _INLINE.findall(html)
    }
    return (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


class _Guard:
    """Lets nobody in but this machine's own browser on this very page, and says how it is to be shown."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        request = Request(scope)
        if not is_local(request):
            answer: ASGIApp = PlainTextResponse(
                "This page is for this machine alone: ask 127.0.0.1 or localhost.\n", 403
            )
        elif scope["path"] != "/" and request.headers.get("sec-fetch-site") in _FOREIGN:
            answer = PlainTextResponse("This is for the inspector's own page.\n", 403)
        else:
            answer = self._app
        await answer(scope, receive, guarded)


class _Page:
    def __init__(self, calls: Calls, elsewhere: Elsewhere, about: dict[str, Any], html: str) -> None:
        self._calls = calls
        self._elsewhere = elsewhere
        profiles = {name: profile.summary for name, profile in sorted(elsewhere.profiles.items())}
        self._about = {**about, "profiles": profiles, "privacies": get_args(Privacy)}
        self._html = html

    async def page(self, _: Request) -> Response:
        return Response(self._html, media_type="text/html")

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        """What is kept, then every change. A reader that is slow gets the latest state of each call, once."""
        changed: dict[int, None] = {}
        woken = asyncio.Event()

        def listener(call: PassedCall) -> None:
            changed[call.number] = None
            while len(changed) > self._calls.limit:
                del changed[next(iter(changed))]
            woken.set()

        stop = self._calls.listen(listener)
        try:
            yield _event("about", self._about)
            changed.update(dict.fromkeys(call.number for call in self._calls.kept()))
            while True:
                woken.clear()
                for number in list(changed):
                    changed.pop(number, None)
                    call = self._calls.get(number)
                    if call is not None:
                        yield _event("call", call.json())
                try:
                    await asyncio.wait_for(woken.wait(), _QUIET_SECONDS)
                except TimeoutError:
                    yield b":\n\n"
        finally:
            stop()

    async def elsewhere(self, request: Request) -> Response:
        call = self._calls.get(request.path_params["number"])
        if call is None:
            raise HTTPException(404, "That call is no longer kept.")
        asked = request.query_params
        try:
            return JSONResponse(self._elsewhere.told(call, asked.get("profile", ""), asked.get("privacy", "raw")))
        except ConfigError as error:
            raise HTTPException(400, str(error)) from None


def _event(name: str, content: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode("ascii")
