"""The door for the gateway's proxy mode (``gateway.proxy_url``), in which the host asks another Hermes by aiohttp.

None of the host's hooks sees such a request. This door stands at aiohttp's own client and looks at what the relay posts.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple, cast

from ..ladder import Rung
from ..notices import once
from ..openai import installed
from ..outgoing import Outgoing
from ..pipeline import Pipeline, Stamp, Testimony
from ..policy import Decision
from ..profiles import BUILTIN
from ..profiles.advertised import MOST_SECONDS, ask_async
from .homes import standing
from .session import Sessions
from .stack import frames_here

__all__ = ["leave_proxy", "stand_at_proxy"]

_URL = "GATEWAY_PROXY_URL"
_RELAY = "_run_agent_via_proxy"
"""The host's own function (``GatewayRunner`` in gateway/run.py of 0.19, gateway/run_turn.py of 0.22)."""
_NEAR = 6
_QUESTION = "/chat/completions"
_REFUSED = 300

_Post = Callable[..., Any]
_changing = threading.Lock()
"""The host loads the plugins of several profiles in threads."""
_stood: list[tuple[Any, _Post, _Post]] = []
"""aiohttp's client class, its ``post`` as it was and as it is, while the door stands."""


def stand_at_proxy(configuration: Mapping[str, Any]) -> None:
    """Say who is asking in what the gateway relays, where it is configured to; a no-op where the door stands."""
    gateway: object = configuration.get("gateway")
    configured = cast("Mapping[str, object]", gateway).get("proxy_url") if isinstance(gateway, Mapping) else None
    if not (os.environ.get(_URL, "").strip() or configured):
        return
    try:
        kind: Any = import_module("aiohttp").ClientSession
    except ImportError:
        return  # the relay cannot work without it, and says so
    with _changing:
        if not _stood:
            _stood.append(_stand_at(kind))


def _stand_at(kind: Any) -> tuple[Any, _Post, _Post]:
    before: _Post = kind.post

    @functools.wraps(before)
    def post(session: Any, url: Any, **kwargs: Any) -> Any:
        relayed = _relayed(session, url, kwargs)
        if relayed is None:
            return before(session, url, **kwargs)
        return _Relay(functools.partial(before, session, url), relayed)

    kind.post = post
    return kind, before, post


def leave_proxy() -> None:
    """Put aiohttp's client back as it was, once no home has hermes-hints enabled."""
    with _changing:
        while _stood and not standing():
            kind, before, post = _stood.pop()
            if kind.post is post:
                kind.post = before


class _Relayed(NamedTuple):
    """A request of the relay's, as it made it, and who it is for."""

    pipeline: Pipeline
    decision: Decision
    testimony: Testimony
    session: Any
    arguments: Mapping[str, Any]

    def outgoing(self) -> Outgoing:
        given = self.arguments
        return Outgoing("chat.completions", given.get("json"), None, given.get("headers"), body_allowed=False)


def _relayed(session: Any, url: object, arguments: Mapping[str, Any]) -> _Relayed | None:
    """What is known of a request; ``None`` where it is not the relay's, or gets nothing. Never raises."""
    try:
        frame = next((frame for frame in islice(frames_here(), _NEAR) if frame.f_code.co_name == _RELAY), None)
        pipeline = installed()
        witness = None if frame is None or pipeline is None else pipeline.witness
        if frame is None or pipeline is None or not isinstance(witness, Sessions):
            return None
        decision = pipeline.decide(str(url).removesuffix(_QUESTION))
        if decision.profile.silent:
            return None
        if not decision.profile.advertised:  # what is asked here is a Hermes, whatever its address is taken for
            decision = decision._replace(profile=BUILTIN["hermes"], recognisable=False)
        told = frame.f_locals
        testimony = witness.relayed(told.get("source"), told.get("session_id"), told.get("session_key"))
    except Exception as error:  # noqa: BLE001 - no request fails because of hints
        _told(error)
        return None
    return _Relayed(pipeline, decision, testimony, session, arguments)


class _Relay:
    """A request on its way, to be awaited or entered as aiohttp's own is."""

    def __init__(self, post: Callable[..., Awaitable[Any]], relayed: _Relayed) -> None:
        self._post = post
        self._relayed = relayed
        self._response: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._send().__await__()

    async def __aenter__(self) -> Any:
        self._response = await self._send()
        return await self._response.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        await self._response.__aexit__(*raised)

    async def _send(self) -> Any:
        arguments = self._relayed.arguments
        stamp = await self._stamp()
        if stamp is None:
            return await self._post(**arguments)
        given: Mapping[str, str] = arguments.get("headers") or {}
        lines = {**given, **stamp.carriers.headers}
        # aiohttp would carry X- headers to wherever a redirect leads; it is followed bare instead.
        response = await self._post(**{**arguments, "headers": lines, "allow_redirects": False})
        if response.status < _REFUSED:
            return response
        refusal = _Refusal(response.status, await response.text(errors="replace"))
        down = self._relayed.pipeline.step_down(stamp, refusal)
        if down is None:
            return response
        response.release()
        response = await self._post(**arguments)
        if response.status < _REFUSED:
            self._relayed.pipeline.settle(stamp, Rung.BARE, refusal, named=down[1])
        return response

    async def _stamp(self) -> Stamp | None:
        pipeline, decision, (identity, facts), session, arguments = self._relayed
        try:
            question = pipeline.question(decision)
            if question is not None:
                address = decision.endpoint.origin + decision.endpoint.path
                await ask_async(_Asking(session, address, arguments.get("headers")), question)
            return pipeline.stamp(self._relayed.outgoing(), decision, identity, facts)
        except Exception as error:  # noqa: BLE001 - likewise
            _told(error)
            return None


class _Asking:
    """aiohttp's client, as far as it is asked with."""

    def __init__(self, session: Any, address: str, headers: Any) -> None:
        self._session = session
        self._address = address
        lines = cast("Mapping[str, str]", headers or {})
        self._key = {name: line for name, line in lines.items() if name.lower() == "authorization"}

    async def get(self, path: str, **_: object) -> object:
        limit = import_module("aiohttp").ClientTimeout(total=MOST_SECONDS)
        async with self._session.get(self._address + path, headers=self._key, timeout=limit) as response:
            response.raise_for_status()
            return cast("object", await response.json())


class _Refusal(Exception):  # noqa: N818 - an answer, which the ladder reads as one
    """An answer of the other Hermes, as the SDKs raise it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__()
        self.status_code = status
        self.response = self
        self.body = text


def _told(error: Exception) -> None:
    message = "hermes-hints: what the gateway relays goes on without who is asking"
    once(logging.ERROR, ("proxy", type(error)), message, cause=error, private=True)
