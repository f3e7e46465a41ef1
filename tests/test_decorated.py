"""Scopes as decorators: of functions, coroutine functions, generators and async generators."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest

from hermes_hints import identify
from hermes_hints.context import current


def who():
    return current().identity.user_id


def in_a_thread(function):
    """The result of ``function`` in a fresh thread, with a context of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(10)


def test_a_decorated_function():
    @identify(user_id="alice")
    def ask(question, *, loud=False):
        """Ask."""
        return question, loud, who()

    assert ask("?", loud=True) == ("?", True, "alice")
    assert who() is None
    assert (ask.__name__, ask.__doc__) == ("ask", "Ask.")
    assert str(inspect.signature(ask)) == "(question, *, loud=False)"


def test_a_decorated_method_that_calls_itself():
    class Counter:
        @identify(user_id="alice")
        def count(self, number):
            return [who()] if number == 0 else [who(), *self.count(number - 1)]

    assert Counter().count(3) == ["alice"] * 4
    assert who() is None


def test_a_decorated_coroutine_function():
    @identify(user_id="alice")
    async def ask():
        await asyncio.sleep(0)
        return who()

    async def main():
        pending = ask()
        return who(), await pending, who()

    assert inspect.iscoroutinefunction(ask)
    assert asyncio.run(main()) == (None, "alice", None)


def test_a_decorated_coroutine_function_that_is_cancelled():
    @identify(user_id="alice")
    async def ask(started):
        started.set()
        await asyncio.Event().wait()

    async def main():
        started = asyncio.Event()
        task = asyncio.create_task(ask(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return who()

    assert asyncio.run(main()) is None


def test_a_decorated_generator_is_covered_at_each_step_and_only_there():
    @identify(user_id="alice")
    def steps():
        received = []
        for number in range(3):
            reply = yield number, who()
            received.append(reply)
        return received, who()

    def consume():
        received = yield from running
        results.append(received)

    results = []
    running = steps()
    outer = consume()
    assert inspect.isgeneratorfunction(steps)
    assert next(outer) == (0, "alice")
    assert who() is None
    with identify(user_id="bob"):
        assert outer.send("a") == (1, "alice")
        assert who() == "bob"
    assert outer.send("b") == (2, "alice")
    with pytest.raises(StopIteration):
        outer.send("c")
    assert results == [(["a", "b", "c"], "alice")]
    assert who() is None


def test_throwing_into_a_decorated_generator():
    @identify(user_id="alice")
    def steps():
        try:
            yield "first"
        except KeyError:
            yield "caught", who()
        raise ValueError(who())

    running = steps()
    next(running)
    assert running.throw(KeyError()) == ("caught", "alice")
    assert who() is None
    with pytest.raises(ValueError, match="alice"):
        next(running)
    assert who() is None
    other = steps()
    next(other)
    with pytest.raises(IndexError):
        other.throw(IndexError())


def test_closing_a_decorated_generator():
    cleaned = []

    @identify(user_id="alice")
    def steps():
        try:
            yield 1
        finally:
            cleaned.append(who())

    for end in (lambda running: running.close(), lambda running: None):
        running = steps()
        next(running)
        end(running)
        del running
    assert cleaned == ["alice", "alice"]
    assert who() is None


def test_a_decorated_generator_run_by_several_threads_in_turn():
    @identify(user_id="alice")
    def steps():
        for _ in range(4):
            yield who()

    running = steps()
    assert [in_a_thread(lambda: next(running)) for _ in range(4)] == ["alice"] * 4


def test_a_decorated_async_generator_is_covered_at_each_step_and_only_there():
    @identify(user_id="alice")
    async def steps():
        received = None
        while received != "stop":
            await asyncio.sleep(0)
            received = yield received, who()

    async def main():
        running = steps()
        seen = [await anext(running), who(), await running.asend("a"), who()]
        with identify(user_id="bob"):
            seen += [await running.asend("b"), who()]
        with pytest.raises(StopAsyncIteration):
            await running.asend("stop")
        return [*seen, who()]

    assert inspect.isasyncgenfunction(steps)
    assert asyncio.run(main()) == [(None, "alice"), None, ("a", "alice"), None, ("b", "alice"), "bob", None]


def test_throwing_into_and_closing_a_decorated_async_generator():
    cleaned = []

    @identify(user_id="alice")
    async def steps():
        try:
            try:
                yield "first"
            except KeyError:
                yield "caught", who()
            yield "more"
        finally:
            await asyncio.sleep(0)
            cleaned.append(who())

    async def main():
        running = steps()
        await anext(running)
        caught = await running.athrow(KeyError())
        await running.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(running)
        other = steps()
        await anext(other)
        with pytest.raises(IndexError):
            await other.athrow(IndexError())
        return caught, who()

    assert asyncio.run(main()) == (("caught", "alice"), None)
    assert cleaned == ["alice", "alice"]


def test_two_decorated_async_generators_interleaved():
    @identify(chat_id="room")
    async def steps(name):
        with identify(user_id=name):
            inside = current().identity.fields()
        for _ in range(3):
            yield inside, current().identity.fields()

    async def main():
        return [pair async for first in steps("alice") async for pair in steps(first[0]["user_id"] + "'s friend")]

    assert asyncio.run(main()) == [({"user_id": "alice's friend", "chat_id": "room"}, {"chat_id": "room"})] * 9
