"""Who takes part: the bare client, ours in several settings, and the same fields passed by hand.

A contender is a function that makes one call; of an async client, one that returns the coroutine.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hermes_hints import Settings, identify
from hermes_hints.isolation import TRIAL
from hermes_hints.openai import _ClientDoor
from hermes_hints.pipeline import Pipeline
from hermes_hints.plugins import Registry

from . import transport
from .names import BARE, BY_HAND, BY_HAND_EXTRA, BY_HAND_FRESH, FLOOR, OFF, OURS, SCOPED
from .timing import Call
from .workload import BASE_URL, IDENTITY, PATIENCE_MS, PUBLIC_URL, Plugin


def contenders(
    kind: str, request: Mapping[str, Any], *, stream: bool = False, among: Collection[str] = ()
) -> dict[str, Call]:
    """The bare client and all others that need no installing, or those ``among`` them."""

    def calls(client: Any, **more: Any) -> Call:
        return lambda: client.chat.completions.create(**request, **more)

    def plain() -> Any:
        return transport.client(kind, BASE_URL, stream=stream)

    def scoped() -> Call:
        call = calls(wrapped(kind, plain(), 5, identity=None))
        return _identified_async(call) if kind == "async" else _identified(call)

    body, headers = sent_by_ours()
    metadata, hermes = body["metadata"], body["hermes"]

    def made() -> Call:
        client = plain()

        def call() -> Any:
            number = secrets.token_hex(16)
            return client.chat.completions.create(
                **request,
                metadata={**metadata, "hermes_request_id": number},
                extra_body={"hermes": {**hermes, "request_id": number}},
                extra_headers={**headers, "X-Hermes-Request-Id": number},
            )

        return call

    extra = {"metadata": metadata, "hermes": hermes}
    makers: dict[str, Callable[[], Call]] = {
        BARE: lambda: calls(plain()),
        **{name: lambda count=count: calls(wrapped(kind, plain(), count)) for count, name in OURS.items()},
        SCOPED: scoped,
        OFF: lambda: calls(wrapped(kind, transport.client(kind, PUBLIC_URL, stream=stream), 0)),
        BY_HAND: lambda: calls(plain(), metadata=metadata, extra_body={"hermes": hermes}, extra_headers=headers),
        BY_HAND_FRESH: made,
        BY_HAND_EXTRA: lambda: calls(plain(), extra_body=extra, extra_headers=headers),
        FLOOR: lambda: calls(_completed(plain(), extra, headers)),
    }
    return {name: make() for name, make in makers.items() if not among or name in among}


def wrapped(kind: str, client: Any, plugins: int, *, identity: Any = IDENTITY) -> Any:
    """``client`` as `hermes_hints.wrap` leaves it, but with hint plugins of its own: those of a process are shared."""
    settings = Settings(budget_ms=PATIENCE_MS)
    registry = Registry()
    registry.load(settings)
    for number in range(plugins):
        registry.register(Plugin(number), f"plugin-{number}")
    trust(registry)
    pipeline = Pipeline(settings, **({} if identity is None else {"identity": identity}), plugins=registry)
    _ClientDoor(pipeline, asynchronous=kind == "async").fit(client)
    return client


def trust(registry: Registry) -> None:
    """Have its plugins run in the caller's own thread, as they do once they have passed their trial."""
    for implementation in registry._contributors:
        implementation.passed = TRIAL


def sent_by_ours() -> tuple[dict[str, Any], dict[str, str]]:
    """The body and the headers of ours that arrive with five plugins: what the others then pass by hand."""
    arrived: list[Any] = []

    def respond(request: Any) -> Any:
        arrived.append(request)
        return transport.answer(request)

    client = wrapped("sync", transport.client("sync", BASE_URL, respond=respond), 5)
    client.chat.completions.create(model="gpt-x", messages=[])
    headers = {name: value for name, value in arrived[-1].headers.items() if name.startswith("x-hermes-")}
    return json.loads(arrived[-1].content), {name.title(): value for name, value in headers.items()}


def _completed(client: Any, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
    """``client``, whose requests get these as bytes where it has built them: nothing is asked, known or looked at."""
    lines = [(name.encode(), name.lower().encode(), value.encode()) for name, value in headers.items()]
    tail = b"," + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()[1:]
    build = client._build_request

    def completed(*args: Any, **kwargs: Any) -> Any:
        request = build(*args, **kwargs)
        held_in, writer = type(request.stream), io.BytesIO(request._content)
        del request._content, request.stream
        writer.seek(-1, io.SEEK_END)
        writer.write(tail)
        request._content = writer.getvalue()
        request.stream = held_in(request._content)
        held = request.headers._list
        length = [name for _, name, _ in held].index(b"content-length")
        held[length] = (b"Content-Length", b"content-length", b"%d" % len(request._content))
        held.extend(lines)
        return request

    client._build_request = completed
    return client


def _identified(call: Call) -> Call:
    def scoped() -> Any:
        with identify(IDENTITY):
            return call()

    return scoped


def _identified_async(call: Call) -> Call:
    async def scoped() -> Any:
        with identify(IDENTITY):
            return await call()

    return scoped
