"""The door for OpenAI clients: one client with `wrap`, or every client of the process with `install`.

Stamping happens at ``client.request``, which every call of the SDK passes once, before its own retries. What is stamped joins
a request where the SDK has built it (``client._build_request``), or, where a client builds in another way, its options. What
is wrapped is looked up at each call, so that others may wrap too.
"""

from __future__ import annotations

import contextvars
import functools
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from .endpoints import parse_endpoint
from .errors import ConfigError
from .identity import NOBODY, Identity
from .notices import once
from .pipeline import Pipeline
from .plugins import registry
from .privacy import Privacy
from .profiles import find_profile
from .profiles.advertised import Question, ask, ask_async
from .sending import Sending, prepared
from .settings import Settings

if TYPE_CHECKING:
    from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

    AnyClient = OpenAI | AsyncOpenAI | AzureOpenAI | AsyncAzureOpenAI

__all__ = ["install", "install_at", "install_pipeline", "installed", "uninstall", "unwrap", "wrap"]

_Client = TypeVar("_Client", bound="AnyClient")

_STATE: Final = "_hermes_hints"
_COPIES: Final = ("copy", "with_options")
_BUILD: Final = "_build_request"


def wrap(
    client: _Client,
    *,
    identity: Identity | Mapping[str, Any] | None = None,
    profile: str | None = None,
    privacy: Privacy | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
) -> _Client:
    """Stamp what this client sends, from now on; the same client object is returned.

    Args:
        client: an ``OpenAI``, ``AsyncOpenAI``, ``AzureOpenAI`` or ``AsyncAzureOpenAI`` of openai 2.24 to 3.x.
        identity: for calls outside any `identify` scope; scopes complete and override it.
        profile: how to write to this client's endpoint. Without it the endpoint policy decides: loopback and private
            addresses get everything, public hosts nothing. It holds for the origin of the client's present ``base_url``;
            a copy of the client that leads elsewhere follows the policy.
        privacy: ``raw``, ``pseudonymous`` or ``none``; where the settings name one too, the stricter counts.
        settings: `Settings`, or a mapping of them.

    Copies made with ``copy`` and ``with_options`` are stamped too. Wrapping again replaces the arguments. Realtime
    websockets are not requests and carry nothing.

    Raises:
        ConfigError: an unknown profile or privacy, or a wrong setting.
        pydantic.ValidationError: an unknown identity field.
        TypeError: ``client`` is not such a client.
    """
    door = _ClientDoor(_pipeline(client, identity, profile, privacy, settings), asynchronous=_is_async(client))
    with _changing:
        unwrap(client)
        door.fit(client)
    return client


def unwrap(client: _Client) -> _Client:
    """Undo `wrap`: the client is exactly what it was before. A client that is not wrapped stays as it is."""
    with _changing:
        door = _attributes(client).get(_STATE)
        if isinstance(door, _ClientDoor):
            door.leave(client)
    return client


def install(
    *,
    identity: Identity | Mapping[str, Any] | None = None,
    privacy: Privacy | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
) -> None:
    """Stamp what every OpenAI client in this process sends, whoever made it and when; see `wrap` for the arguments.

    The endpoint policy decides for each request, by its own base URL. Installing again replaces the arguments.

    Raises:
        ConfigError: an unknown privacy, or a wrong setting.
        pydantic.ValidationError: an unknown identity field.
    """
    install_pipeline(_pipeline(None, identity, None, privacy, settings))


def install_pipeline(pipeline: Pipeline) -> None:
    """As `install`, with a pipeline of the host's own making."""
    sync, asynchronous, *azure = _client_classes()
    with _changing:
        uninstall()
        # Azure's classes inherit the doors, unless another wrapper has already put a method of its own there.
        kinds = (sync, asynchronous, *(kind for kind in azure if "request" in _attributes(kind)))
        _installed.extend(_ClassDoor(pipeline, kind, asynchronous=issubclass(kind, asynchronous)) for kind in kinds)


def install_at(kinds: Iterable[type[Any]]) -> None:
    """Have what is installed stamp the requests of other client classes too: of an SDK that is built as OpenAI's is.

    A class whose name begins with ``Async`` is awaited. A no-op for one that has its door, and where nothing is installed.
    """
    with _changing:
        standing = {door.kind for door in _installed}
        for kind in kinds:
            if standing and kind not in standing:
                _installed.append(
                    _ClassDoor(_installed[0].pipeline, kind, asynchronous=kind.__name__.startswith("Async"))
                )


def installed() -> Pipeline | None:
    """What `install` or `install_pipeline` had stamp the requests of every client; ``None`` where nothing does."""
    return _installed[0].pipeline if _installed else None


def uninstall() -> None:
    """Undo `install`: the client classes are exactly what they were before."""
    with _changing:
        while _installed:
            door = _installed.pop()
            door.leave(door.kind)


def _pipeline(
    client: AnyClient | None,
    identity: Identity | Mapping[str, Any] | None,
    profile: str | None,
    privacy: Privacy | None,
    settings: Settings | Mapping[str, Any] | None,
) -> Pipeline:
    if privacy not in (None, "raw", "pseudonymous", "none"):
        msg = f"privacy: there is no {privacy!r}; use one of raw, pseudonymous, none"
        raise ConfigError(msg)
    loaded = settings if isinstance(settings, Settings) else Settings.load(settings)
    named = None
    registry.load(loaded if settings is not None else None)
    if profile is not None and client is not None:
        known = {**loaded.known_profiles(), **registry.profiles}
        named = (parse_endpoint(str(client.base_url)), find_profile(profile, known=known))
        if not named[0].host:
            msg = f"base_url: {str(client.base_url)!r} has no host for which profile {profile!r} could hold; give the client a whole URL"
            raise ConfigError(msg)
    who = identity if isinstance(identity, Identity) else Identity(**identity) if identity else NOBODY
    return Pipeline(loaded, identity=who, privacy=privacy, named=named)


def _client_classes() -> tuple[type[Any], ...]:
    # Importing hermes_hints must not import openai.
    from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

    return OpenAI, AsyncOpenAI, AzureOpenAI, AsyncAzureOpenAI


def _is_async(client: object) -> bool:
    sync, asynchronous, *_ = _client_classes()
    if isinstance(client, asynchronous):
        return True
    if isinstance(client, sync):
        return False
    msg = f"wrap() takes an OpenAI, AsyncOpenAI, AzureOpenAI or AsyncAzureOpenAI client, not {type(client).__name__}"
    raise TypeError(msg)


class _Door:
    """Stands at one ``request`` method: stamps, sends, and steps down the ladder where an endpoint refuses."""

    __slots__ = ("_before", "_fitted", "active", "pipeline")

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.active = True
        self._before: dict[str, Any] = {}
        self._fitted: dict[str, Any] = {}

    def stand_at(self, holder: Any, fitted: dict[str, Any]) -> None:
        """Put the attributes ``fitted`` in the place of those that ``holder``, a client or a class of them, has itself."""
        present = _attributes(holder)
        self._before = {name: present[name] for name in fitted if name in present}
        self._fitted = fitted
        for name, value in fitted.items():
            setattr(holder, name, value)

    def leave(self, holder: Any) -> None:
        """Put back what was there. Where another wrapper has come on top since, only step aside."""
        self.active = False
        present = _attributes(holder)
        for name, value in self._fitted.items():
            if present.get(name) is not value:
                continue
            if name in self._before:
                setattr(holder, name, self._before[name])
            else:
                delattr(holder, name)

    def builds(self, client: Any) -> bool:
        """Whether the requests of ``client`` pass `build`, with nothing in front, and nobody before it has seen their bytes."""
        kind: Any = client.__class__
        building = client.__dict__.get(_BUILD) or getattr(kind, _BUILD, None)
        if building is None or building is not self._fitted.get(_BUILD):
            return False
        http_client: Any = getattr(client, "_client", None)
        return "build_request" not in getattr(http_client, "__dict__", ()) and _plain(kind, http_client.__class__)

    def build(self, inner: Callable[..., Any], client: Any, options: Any, rest: dict[str, Any]) -> Any:
        """Call ``inner``, the client's own ``_build_request``, through the request of this client that is in hand."""
        in_hand = _in_hand.get()
        sending = in_hand[0] if in_hand else None
        if sending is not None and sending.door is self and sending.client is client:
            return sending.build(inner, options, rest)
        return inner(options, **rest)

    def begin(self, client: Any, options: Any, *, asked: bool = False) -> Sending | Question | None:
        """The request as it is to be sent, or what is to be ``asked`` first; ``None`` when it is to go on as it is.

        Never raises.
        """
        in_hand = _in_hand.get()
        outer = in_hand[0] if in_hand else None
        if not self.active:
            return None
        if outer is not None and outer.client is client and (outer.door is not self or outer.same_as(options)):
            return None
        begun = None
        try:
            begun = prepared(self, client, options, outer, asked=asked)
        except Exception as error:  # noqa: BLE001 - no request fails because of hints
            message = "hermes-hints: a request could not be read and goes on as it is"
            once(logging.ERROR, ("prepare", type(error)), message, cause=error, private=True)
        # One that is made on the way of another has its place in hand too, so that nothing joins it that is the other's.
        return Sending(self, client, options) if begun is None and outer is not None else begun

    def send(self, inner: Callable[..., Any], client: Any, cast_to: Any, options: Any, rest: dict[str, Any]) -> Any:
        """Call ``inner``, the client's own ``request``."""
        sending = self.begin(client, options)
        while isinstance(sending, Question):
            ask(client, sending)
            sending = self.begin(client, options, asked=not sending.dropped)
        if not isinstance(sending, Sending):
            return inner(cast_to, options, **rest)
        in_hand = [sending]
        token = _in_hand.set(in_hand)
        try:
            while True:
                try:
                    answer = inner(cast_to, sending.options, **rest)
                except Exception as error:
                    if not sending.step_down(error):
                        raise
                else:
                    sending.answered()
                    return answer
        finally:
            in_hand.clear()
            _in_hand.reset(token)
            if sending.watch is not None:
                sending.watch.end()

    async def send_async(
        self, inner: Callable[..., Any], client: Any, cast_to: Any, options: Any, rest: dict[str, Any]
    ) -> Any:
        """Await ``inner``, the client's own ``request``."""
        sending = self.begin(client, options)
        while isinstance(sending, Question):
            await ask_async(client, sending)
            sending = self.begin(client, options, asked=not sending.dropped)
        if not isinstance(sending, Sending):
            return await inner(cast_to, options, **rest)
        in_hand = [sending]
        token = _in_hand.set(in_hand)
        try:
            while True:
                try:
                    answer = await inner(cast_to, sending.options, **rest)
                except Exception as error:
                    if not sending.step_down(error):
                        raise
                else:
                    sending.answered()
                    return answer
        finally:
            in_hand.clear()
            with suppress(ValueError):  # from another context, where a coroutine that nobody awaits any more is closed
                _in_hand.reset(token)
            if sending.watch is not None:
                sending.watch.end()


class _ClientDoor(_Door):
    """The door of one client."""

    __slots__ = ("_asynchronous",)

    def __init__(self, pipeline: Pipeline, *, asynchronous: bool) -> None:
        super().__init__(pipeline)
        self._asynchronous = asynchronous

    def fit(self, client: Any) -> None:
        """Stand in front of ``client.request``, see what it builds, and follow its copies."""
        fitted = {
            "request": self._request_of(client),
            **{name: self._copy_of(client, name) for name in _COPIES},
            _STATE: self,
        }
        if hasattr(client, _BUILD):
            fitted[_BUILD] = self._build_of(client)
        self.stand_at(client, fitted)

    def _inner(self, client: Any, name: str) -> Callable[..., Any]:
        if name in self._before:
            return cast("Callable[..., Any]", self._before[name])
        return _bound(getattr(cast("Any", type(client)), name), client)

    def _request_of(self, client: Any) -> Callable[..., Any]:
        if self._asynchronous:

            async def request_async(cast_to: Any, options: Any, **rest: Any) -> Any:
                return await self.send_async(self._inner(client, "request"), client, cast_to, options, rest)

            return functools.wraps(_method(client, "request"))(request_async)

        def request(cast_to: Any, options: Any, **rest: Any) -> Any:
            return self.send(self._inner(client, "request"), client, cast_to, options, rest)

        return functools.wraps(_method(client, "request"))(request)

    def _build_of(self, client: Any) -> Callable[..., Any]:
        def build(options: Any, **rest: Any) -> Any:
            return self.build(self._inner(client, _BUILD), client, options, rest)

        return functools.wraps(_method(client, _BUILD))(build)

    def _copy_of(self, client: Any, name: str) -> Callable[..., Any]:
        def copied(*args: Any, **kwargs: Any) -> Any:
            twin = self._inner(client, name)(*args, **kwargs)
            if self.active:
                _ClientDoor(self.pipeline, asynchronous=self._asynchronous).fit(twin)
            return twin

        return functools.wraps(_method(client, name))(copied)


@functools.lru_cache(maxsize=256)
def _plain(kind: Any, http_kind: Any) -> bool:
    """Whether such clients build their requests as the SDK and httpx do: others may sign what they have built."""
    maker, http_maker = (
        getattr(found, "__module__", "") for found in (getattr(kind, _BUILD), getattr(http_kind, "build_request", None))
    )
    return maker.startswith(("openai.", "anthropic.")) and http_maker.startswith("httpx")


def _attributes(holder: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", vars(holder))


def _method(client: Any, name: str) -> Any:
    return getattr(cast("Any", type(client)), name)


def _bound(found: Any, client: Any) -> Callable[..., Any]:
    """What was found on the client's class, bound as Python would: it may be another wrapper, of any kind."""
    if type(found) is FunctionType:
        return MethodType(found, client)
    bind = getattr(cast("Any", type(found)), "__get__", None)
    return cast("Callable[..., Any]", found if bind is None else bind(found, client, type(client)))


class _ClassDoor(_Door):
    """The door of a client class, and so of every client of it and its subclasses."""

    __slots__ = ("kind",)

    def __init__(self, pipeline: Pipeline, kind: Any, *, asynchronous: bool) -> None:
        super().__init__(pipeline)
        self.kind = kind

        async def request_async(client: Any, cast_to: Any, options: Any, **rest: Any) -> Any:
            return await self.send_async(self._inner(client, "request"), client, cast_to, options, rest)

        def request(client: Any, cast_to: Any, options: Any, **rest: Any) -> Any:
            return self.send(self._inner(client, "request"), client, cast_to, options, rest)

        def build(client: Any, options: Any, **rest: Any) -> Any:
            return self.build(self._inner(client, _BUILD), client, options, rest)

        fitted: dict[str, Any] = {"request": functools.wraps(kind.request)(request_async if asynchronous else request)}
        if hasattr(kind, _BUILD):
            fitted[_BUILD] = functools.wraps(getattr(kind, _BUILD))(build)
        self.stand_at(kind, fitted)

    def _inner(self, client: Any, name: str) -> Callable[..., Any]:
        if name in self._before:
            return _bound(self._before[name], client)
        return cast("Callable[..., Any]", getattr(cast("Any", super(self.kind, client)), name))


_in_hand: contextvars.ContextVar[list[Sending] | None] = contextvars.ContextVar("hermes_hints_in_hand", default=None)
"""Holds the request that an outer door has in hand: an inner door of its client lets it pass, stamped or bare.

Emptied when the request is done, for tasks that were started on the way and live on with a copy of the context.
"""

_installed: list[_ClassDoor] = []
_changing = threading.RLock()
"""Held while doors are fitted or taken away, never over a call."""
if sys.platform != "win32":
    os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_changing.release)
