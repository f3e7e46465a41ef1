"""The other way in, for aiohttp's server, which Hermes' API server is built on. aiohttp is imported when it answers."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from ..context import identify
from ..identity import Identity
from .admission import Admission, Admitted, Refused

__all__ = ["admitted", "echo", "identity_of", "middleware", "refusal", "setup"]

# aiohttp has types of its own; here they are Any, so that the package can be checked and used without it.
Handler = Callable[[Any], Awaitable[Any]]
Middleware = Callable[[Any, Handler], Awaitable[Any]]


def setup(app: Any, admission: Admission) -> None:
    """Put it before all handlers of an application that has not started, inside the middlewares that it has."""
    app.middlewares.append(middleware(admission))
    app.on_response_prepare.append(echo)


def middleware(admission: Admission) -> Middleware:
    """A middleware that attributes what a request brings about to whom the request names.

    All that its handler does, in its task, tasks started there and threads with a copied context, is inside
    ``identify(…)``. Handlers read the body by ``read``, ``text``, ``json`` or ``post``: it has been read by then, where
    ``user`` counts. A request that names nobody passes unchanged.
    """

    async def inbound(request: Any, handler: Handler) -> Any:
        try:
            found = await admitted(admission, request)
        except Refused as refused:
            return refusal(refused)
        if found is None:
            return await handler(request)
        with identify(found.identity):
            return await handler(request)

    return import_module("aiohttp.web").middleware(inbound)  # type: ignore[no-any-return]


async def admitted(admission: Admission, request: Any) -> Admitted | None:
    """Whom a request names, kept with the request for `echo` and `identity_of`; ``None`` for nobody.

    Raises:
        Refused: it may not name them, or not in that form.
    """
    headers = request.raw_headers
    body = await request.read() if admission.wants_body(headers) else None
    found = admission.admit(headers, body)
    if found is not None:
        request[_key()] = found
    return found


def identity_of(request: Any) -> Identity | None:
    """Whom a request names, for its handler; ``None`` for nobody."""
    found: Admitted | None = request.get(_key())
    return None if found is None else found.identity


async def echo(request: Any, response: Any) -> None:
    """For ``on_response_prepare``: say in the answer, also in one that is streamed, whom the request named."""
    found: Admitted | None = request.get(_key())
    for name, value in () if found is None else found.echo:
        response.headers.setdefault(name, value)


def refusal(refused: Refused) -> Any:
    """The answer to a request that was refused."""
    web: Any = import_module("aiohttp.web")
    return web.Response(body=refused.body(), status=refused.status, content_type="application/json")


@functools.cache
def _key() -> Any:
    kind: Any = getattr(import_module("aiohttp.web"), "RequestKey", None)
    return __name__ if kind is None else kind(__name__, Admitted)
