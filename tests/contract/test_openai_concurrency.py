"""One client, many people at once: nobody carries another's identity."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from clients import UNHURRIED, ask, each
from upstream import Answer

from hermes_hints import hint, hookimpl, identify, register, unwrap, wrap

THREADS, TASKS, TURNS = 32, 100, 3

sync_only = pytest.mark.parametrize("kind", ["sync"], indirect=True)
async_only = pytest.mark.parametrize("kind", ["async"], indirect=True)


def check(received, people):
    """Each request's model tells who sent it."""
    assert len(received) == people * TURNS
    for request in received:
        who = request.json["model"]
        assert request.hermes["user_id"] == request.lines["user-id"] == request.metadata["hermes_user_id"] == who
        assert request.hermes["user_intent"] == request.lines["user-intent"] == f"intent of {who}"
        assert request.hermes["cost_center"] == f"plugin saw {who}"
    assert len({request.hermes["request_id"] for request in received}) == len(received)


class Seeing:
    @hookimpl
    def contribute_hints(self, call, identity):
        assert call.model == identity.user_id
        return {"cost_center": f"plugin saw {identity.user_id}"}


@pytest.fixture
def client(clients):
    register(Seeing())
    return wrap(clients.make(), identity={"user_id": "nobody in particular"}, settings=UNHURRIED)


@sync_only
def test_threads(client, clients, upstream):
    together = threading.Barrier(THREADS)

    def person(n):
        with identify(user_id=f"user-{n}"), hint(user_intent=f"intent of user-{n}"):
            for turn in range(TURNS):
                together.wait(30)
                if turn % 2:
                    list(client.chat.completions.create(model=f"user-{n}", messages=[], stream=True))
                else:
                    client.with_options(timeout=60).chat.completions.create(model=f"user-{n}", messages=[])

    async def main():
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(person, range(THREADS)))

    clients.run(main())
    check(upstream.received, THREADS)


@async_only
def test_tasks(client, clients, upstream):
    async def person(n, together):
        async with identify(user_id=f"user-{n}"):
            with hint(user_intent=f"intent of user-{n}"):
                for turn in range(TURNS):
                    await together.wait()
                    answer = await ask(client, model=f"user-{n}", stream=bool(turn % 2))
                    if turn % 2:
                        await each(answer)

    async def main():
        together = asyncio.Barrier(TASKS)
        await asyncio.gather(*(person(n, together) for n in range(TASKS)))

    clients.run(main())
    check(upstream.received, TASKS)


FORKING = """
import os, sys
from openai import OpenAI
from hermes_hints import wrap

def ask():
    wrap(OpenAI(api_key="k", base_url=sys.argv[1])).chat.completions.create(model="x", messages=[])

ask()
child = os.fork()
ask()
if child == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@sync_only
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_forked_processes_give_no_id_twice(clients, upstream):
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING, upstream.base_url], check=True, timeout=60)
    assert len({request.hermes["request_id"] for request in upstream.received}) == 3


@async_only
def test_a_task_keeps_the_scope_it_was_started_in(clients, upstream):
    client = wrap(clients.make(), identity={"user_id": "nobody in particular"})

    async def main():
        left = asyncio.Event()

        async def later():
            await left.wait()
            await ask(client)

        with identify(user_id="alice"):
            task = asyncio.create_task(later())
        left.set()
        with identify(user_id="bob"):
            await task

    clients.run(main())
    assert upstream.only.hermes["user_id"] == "alice"


@sync_only
@pytest.mark.parametrize(
    ("start", "expected"), [("to_thread", "alice"), ("copied context", "alice"), ("plain thread", "the client's")]
)
def test_threads_started_inside_a_scope(start, expected, clients, upstream):
    client = wrap(clients.make(), identity={"user_id": "the client's"})

    def call():
        client.chat.completions.create(model="m", messages=[])

    async def main():
        with identify(user_id="alice"):
            if start == "to_thread":
                await asyncio.to_thread(call)
                return
            target = (contextvars.copy_context().run, call) if start == "copied context" else (call,)
            thread = threading.Thread(target=target[0], args=target[1:])
            thread.start()
            thread.join()

    clients.run(main())
    assert upstream.only.hermes["user_id"] == expected


def test_a_stream_belongs_to_whom_it_was_opened_for(clients, upstream):
    """Consumed outside the scope, or inside another's."""

    async def main():
        client = wrap(clients.make())
        with identify(user_id="alice"):
            stream = await ask(client, stream=True)
        with identify(user_id="bob"):
            await each(stream)
            await ask(client)

    clients.run(main())
    assert [request.hermes["user_id"] for request in upstream.received] == ["alice", "bob"]


@async_only
def test_a_cancelled_call_leaves_nothing_behind(clients, upstream):
    arrived, never = threading.Event(), threading.Event()

    def hold(request):
        if request.json["model"] != "held":
            return None
        arrived.set()
        return Answer(wait_for=never)

    upstream.rules.append(hold)

    async def main():
        client = wrap(clients.make(), identity={"user_id": "alice"})
        cancelled = asyncio.timeout(None)

        async def cancel():
            await asyncio.to_thread(arrived.wait, 30)
            cancelled.reschedule(0)

        task = asyncio.create_task(cancel())
        with pytest.raises(TimeoutError):
            async with cancelled:
                await ask(client, model="held")
        await task
        await ask(client)
        never.set()

    clients.run(main())
    assert [request.hermes["user_id"] for request in upstream.received] == ["alice", "alice"]


@sync_only
def test_two_clients_of_different_people_in_one_thread(clients, upstream):
    async def main():
        alice = wrap(clients.make(), identity={"user_id": "alice"})
        bob = wrap(alice.copy(), identity={"user_id": "bob"})
        for client in (alice, bob, alice):
            await ask(client)

    clients.run(main())
    assert [request.hermes["user_id"] for request in upstream.received] == ["alice", "bob", "alice"]


@sync_only
def test_one_client_that_many_threads_wrap_at_once(clients, upstream):
    client = clients.make()
    before = {name: value for name, value in vars(client).items() if name != "_hermes_hints"}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: wrap(client, identity={"user_id": "alice"}), range(160)))
    finally:
        sys.setswitchinterval(interval)
    clients.run(ask(client))
    unwrap(client)
    assert upstream.only.hermes["user_id"] == "alice"
    assert {
        name: value for name, value in vars(client).items() if name in (*before, "request", "copy")
    }.keys() == before.keys()


@async_only
def test_a_call_that_is_given_up_in_another_context(clients, upstream):
    """As by a loop that ends with calls under way."""
    never = threading.Event()
    upstream.rules.append(lambda _: Answer(wait_for=never))

    async def main():
        calling = ask(wrap(clients.make(), identity={"user_id": "alice"}))
        task = contextvars.copy_context().run(calling.send, None)
        assert task is not None
        contextvars.copy_context().run(calling.close)

    clients.run(main())
    never.set()
