"""The ambient scope: who is calling, and what they wish, for the code that runs inside a ``with``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar, cast

from .call import CALL_FIELDS, Call
from .hints import NO_HINTS, Hints, merge_hints
from .identity import NOBODY, Identity

__all__ = ["Ambient", "Scope", "calling", "current", "hint", "identify"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_V = TypeVar("_V", Identity, Hints, Call)


class Ambient(NamedTuple):
    """What the scopes in force say together."""

    identity: Identity = NOBODY
    hints: Mapping[str, Any] = MappingProxyType({})
    call: Mapping[str, Any] = MappingProxyType({})


class _Node(NamedTuple):
    """One entered scope on top of those below it."""

    owner: Scope
    below: _Node | None
    ambient: Ambient


_NOTHING = Ambient()
_top: ContextVar[_Node | None] = ContextVar("hermes_hints_scope", default=None)


def current() -> Ambient:
    """What the scopes around the running code say together."""
    node = _top.get()
    return _NOTHING if node is None else node.ambient


class Scope:
    """A part of the ambient scope: use it with ``with``, ``async with`` or as a decorator.

    It holds for the code inside, for asyncio tasks started there and for threads started with a copied context
    (``asyncio.to_thread``, ``contextvars.copy_context().run``). It nests, may be entered again and shared by threads.
    As a decorator it takes functions, coroutine functions, generators and async generators; of the last two it covers
    each step and is not in force while they are suspended, as a ``with`` inside their bodies would be.
    """

    __slots__ = ("_call", "_hints", "_identity")

    def __init__(self, identity: Identity = NOBODY, hints: Hints = NO_HINTS, call: Call | None = None) -> None:
        self._identity = identity
        self._hints = hints.fields()
        self._call = {} if call is None else {key: value for key, value in call.fields().items() if key in CALL_FIELDS}

    def __enter__(self) -> Self:
        below = _top.get()
        _top.set(_Node(self, below, self._over(_NOTHING if below is None else below.ambient)))
        return self

    def __exit__(self, *_: object) -> None:
        _top.set(_without(_top.get(), self))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _over(self, outer: Ambient) -> Ambient:
        return Ambient(
            self._identity.over(outer.identity),
            merge_hints(dict(outer.hints), self._hints) if self._hints else outer.hints,
            {**outer.call, **self._call} if self._call else outer.call,
        )

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Run every call of ``function`` inside this scope."""
        wrapped: Any
        if inspect.isasyncgenfunction(function):
            wrapped = _around_async_generator(self, function)
        elif inspect.iscoroutinefunction(function):
            wrapped = _around_coroutine(self, function)
        elif inspect.isgeneratorfunction(function):
            wrapped = _around_generator(self, function)
        else:
            wrapped = _around_function(self, function)
        return cast("Callable[_P, _R]", functools.update_wrapper(wrapped, function))


def _without(node: _Node | None, owner: Scope) -> _Node | None:
    """The stack without the topmost entry of ``owner``: also when scopes are left in another order than entered."""
    if node is None or node.owner is owner:
        return None if node is None else node.below
    below = _without(node.below, owner)
    return _Node(node.owner, below, node.owner._over(_NOTHING if below is None else below.ambient))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _around_function(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    def inside(*args: Any, **kwargs: Any) -> Any:
        with scope:
            return function(*args, **kwargs)

    return inside


def _around_coroutine(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    async def inside(*args: Any, **kwargs: Any) -> Any:
        with scope:
            return await function(*args, **kwargs)

    return inside


def _around_generator(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    def inside(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        step: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with scope:
                    produced = step()
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield produced
            except GeneratorExit:
                with scope:
                    generator.close()
                raise
            except BaseException as error:  # noqa: BLE001 - handed to the generator, which decides
                step = functools.partial(generator.throw, error)
            else:
                step = functools.partial(generator.send, sent)

    return inside


def _around_async_generator(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    async def inside(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        step: Callable[[], Any] = generator.__anext__
        while True:
            try:
                with scope:
                    produced = await step()
            except StopAsyncIteration:
                return
            try:
                sent = yield produced
            except GeneratorExit:
                with scope:
                    await generator.aclose()
                raise
            except BaseException as error:  # noqa: BLE001 - handed to the generator, which decides
                step = functools.partial(generator.athrow, error)
            else:
                step = functools.partial(generator.asend, sent)

    return inside


def identify(identity: Identity | None = None, /, **fields: Any) -> Scope:
    """Attribute the calls inside to a person, a place and a conversation.

    Takes an `Identity`, or its fields as keyword arguments; those given beside it go over it (see `Identity.over`), as
    inner scopes go over outer ones.

    Raises:
        pydantic.ValidationError: a field that does not exist, or a value that is neither text nor a whole number.
    """
    said = Identity(**fields)
    return Scope(identity=said if identity is None else said.over(_only(Identity, identity)))


def hint(hints: Hints | None = None, /, **fields: Any) -> Scope:
    """Send hints with the calls inside: ``hint(user_intent="force-cloud", ext={"acme.region": "eu"})``.

    Takes `Hints`, or its fields as keyword arguments. Inner scopes win over outer ones; ``labels`` and ``ext`` add up.

    Raises:
        pydantic.ValidationError: a field that does not exist, or a value outside the limits of `Hints`.
    """
    return Scope(hints=_given(Hints, hints, fields))


def calling(call: Call | None = None, /, **fields: Any) -> Scope:
    """Say what the calls inside are for: ``calling(purpose="title_generation", turn_id="t-7")``.

    Takes a `Call`, or its fields as keyword arguments; only those that go on the wire count.

    Raises:
        pydantic.ValidationError: a field that does not exist, or a value outside the limits of `Call`.
    """
    return Scope(call=_given(Call, call, fields))


def _given(kind: type[_V], value: _V | None, fields: dict[str, Any]) -> _V:
    if value is None:
        return kind(**fields)
    return kind(**{**_only(kind, value).fields(), **fields}) if fields else _only(kind, value)


def _only(kind: type[_V], value: _V) -> _V:
    """``value`` without what a subclass adds to it, as `Record` does."""
    if type(value) is kind:
        return value
    return kind(**{field: said for field, said in value.fields().items() if field in kind.model_fields})
