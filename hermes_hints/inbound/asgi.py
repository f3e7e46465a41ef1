"""The other way in, as an ASGI middleware: for a dispatcher or agent server on Starlette, FastAPI, Litestar and the like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..context import identify
from .admission import Admission, Refused

__all__ = ["KEY", "MAX_BODY", "Inbound"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

KEY = "hermes_hints.identity"
"""Where the application finds the `Identity`: in the ASGI scope, which Starlette's requests are mappings of."""

MAX_BODY = 10_000_000
"""Bytes of a body that are read before the application does; a longer one names nobody and is passed on as it comes."""


class Inbound:
    """Attributes what an HTTP request brings about to whom the request names.

    All that the application does for it, in its task, tasks started there and threads with a copied context, is inside
    ``identify(…)``. The answer repeats the identity headers. A request that names nobody passes unchanged, and so does
    everything but HTTP.

    ::

        app = Inbound(app, Admission(key=os.environ["API_KEY"]))
    """

    __slots__ = ("_admission", "_app")

    def __init__(self, app: App, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, body = scope["headers"], None
        if self._admission.wants_body(headers):
            body, receive = await _read(receive)
        try:
            admitted = self._admission.admit(headers, body)
        except Refused as refused:
            await _refuse(send, refused)
            return
        if admitted is None:
            await self._app(scope, receive, send)
            return
        echo = [(name.lower().encode(), value.encode()) for name, value in admitted.echo]

        async def echoing(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = list(message.get("headers", ()))
                present = {bytes(name).lower() for name, _ in said}
                message = {**message, "headers": [*said, *(line for line in echo if line[0] not in present)]}
            await send(message)

        with identify(admitted.identity):
            await self._app({**scope, KEY: admitted.identity}, receive, echoing)


async def _read(receive: Receive) -> tuple[bytes | None, Receive]:
    """The whole body, unless it is too long or the client is gone, and a ``receive`` that gives it out again."""
    messages: list[Message] = []
    size = 0
    body: bytes | None = None
    while size <= MAX_BODY:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            break
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            body = b"".join(part.get("body", b"") for part in messages)
            break
    again = iter(messages)

    async def replay() -> Message:
        for message in again:
            return message
        return await receive()

    return body, replay


async def _refuse(send: Send, refused: Refused) -> None:
    content = refused.body()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
