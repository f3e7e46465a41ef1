"""The ambient scope: what is in force where, in threads, tasks, generators and decorated functions."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError

from hermes_hints import Call, Hints, Identity, Record, calling, hint, identify
from hermes_hints.context import current


def who():
    return current().identity.user_id


def in_a_thread(function):
    """The result of ``function`` in a fresh thread, with a context of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(10)


def test_outside_nothing_is_said():
    assert current().identity.fields() == {}
    assert (current().hints, current().call) == ({}, {})


def test_scopes_nest_and_end():
    with identify(user_id="alice", chat_id="room"):
        with identify(thread_id="t"), hint(user_intent="local"), calling(purpose="main"):
            assert current().identity.fields() == {"user_id": "alice", "chat_id": "room", "thread_id": "t"}
            assert (current().hints, current().call) == ({"user_intent": "local"}, {"purpose": "main"})
        assert current().identity.fields() == {"user_id": "alice", "chat_id": "room"}
        assert (current().hints, current().call) == ({}, {})
    assert who() is None


def test_inner_hints_win_and_labels_and_ext_add_up():
    with (
        hint(user_intent="local", labels=["a"], ext={"x.a": 1, "x.b": 1}),
        hint(user_intent="cloud", labels=["b"], ext={"x.b": 2}),
    ):
        assert current().hints == {"user_intent": "cloud", "labels": ("a", "b"), "ext": {"x.a": 1, "x.b": 2}}


def test_inner_calls_complete_outer_ones():
    with calling(purpose="main", turn_id="t"), calling(purpose="summary", call=2):
        assert current().call == {"purpose": "summary", "turn_id": "t", "call": 2}


def test_what_is_only_for_plugins_is_not_ambient():
    with calling(purpose="main", model="m", base_url="http://u", api="responses", stream=True):
        assert current().call == {"purpose": "main"}


def test_values_are_taken_with_more_beside_them():
    alice = Identity(user_id="alice", user_name="Alice")
    with identify(alice, chat_id="room"):
        assert current().identity.fields() == {"user_id": "alice", "user_name": "Alice", "chat_id": "room"}
    with identify(alice, user_id="bob"):
        assert current().identity.fields() == {"user_id": "bob"}
    with hint(Hints(user_intent="local"), priority="high"), calling(Call(purpose="main"), call=3):
        assert (current().hints, current().call) == (
            {"user_intent": "local", "priority": "high"},
            {"purpose": "main", "call": 3},
        )


def test_a_received_record_can_be_passed_on_part_by_part():
    record = Record(user_id="alice", user_intent="cloud", purpose="main")
    with identify(user_id="proxy"), identify(record), hint(record):
        assert current().identity.fields() == {"user_id": "alice"}
        assert current().hints == {"user_intent": "cloud"}


@pytest.mark.parametrize("scope", [identify, hint, calling])
def test_a_wrong_field_is_refused_at_once(scope):
    with pytest.raises(ValidationError, match="has no field 'nonsense'"):
        scope(nonsense="x")


def test_an_exception_ends_the_scope_and_goes_on():
    with pytest.raises(KeyError), identify(user_id="alice"):
        raise KeyError
    assert who() is None


def test_one_scope_may_be_entered_again_also_inside_itself():
    scope = identify(user_id="alice")
    for _ in range(2):
        with scope:
            with identify(user_id="bob"):
                with scope:
                    assert who() == "alice"
                assert who() == "bob"
            with scope:
                assert who() == "alice"
            assert who() == "alice"
        assert who() is None


def test_scopes_left_in_another_order_than_entered():
    alice, dev, wish = identify(user_id="alice"), identify(chat_id="dev"), hint(user_intent="cloud")
    for scope in (alice, dev, wish):
        scope.__enter__()
    alice.__exit__(None, None, None)
    assert current().identity.fields() == {"chat_id": "dev"}
    assert current().hints == {"user_intent": "cloud"}
    wish.__exit__(None, None, None)
    assert current().identity.fields() == {"chat_id": "dev"}
    dev.__exit__(None, None, None)
    assert current() == type(current())()


def test_leaving_a_scope_that_is_not_in_force_changes_nothing():
    with identify(user_id="alice"):
        identify(user_id="bob").__exit__(None, None, None)
        assert who() == "alice"
    identify(user_id="bob").__exit__(None, None, None)
    assert who() is None


def test_a_fresh_thread_knows_nothing_and_one_with_a_copied_context_everything():
    with identify(user_id="alice"):
        assert in_a_thread(who) is None
        copied = contextvars.copy_context()
        assert in_a_thread(lambda: copied.run(who)) == "alice"
        assert who() == "alice"


def test_what_a_thread_with_a_copied_context_says_stays_there():
    entered, left = threading.Event(), threading.Event()
    seen = []

    def work():
        with identify(user_id="bob", chat_id="dev"):
            seen.append(current().identity.fields())
            entered.set()
            assert left.wait(10)
        seen.append(current().identity.fields())

    with identify(user_id="alice"):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
        thread.start()
        assert entered.wait(10)
        assert current().identity.fields() == {"user_id": "alice"}
    left.set()
    thread.join(10)
    assert seen == [{"user_id": "bob", "chat_id": "dev"}, {"user_id": "alice"}]


def test_one_scope_shared_by_threads_at_the_same_time():
    scope = identify(chat_id="room")
    barrier = threading.Barrier(8)

    def work(number):
        with identify(user_id=f"user-{number}"):
            for _ in range(50):
                barrier.wait(10)
                with scope:
                    barrier.wait(10)
                    inside = current().identity.fields()
                if (
                    inside != {"user_id": f"user-{number}", "chat_id": "room"}
                    or "chat_id" in current().identity.fields()
                ):
                    return inside
        return who()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [None] * 8
    assert who() is None


def test_tasks_have_what_was_in_force_where_they_were_made():
    async def main():
        go = asyncio.Event()

        async def work():
            await go.wait()
            return who()

        with identify(user_id="alice"):
            first = asyncio.create_task(work())
        with identify(user_id="bob"):
            second = asyncio.create_task(work())
        go.set()
        return await first, await second, who()

    assert asyncio.run(main()) == ("alice", "bob", None)


def test_gathered_tasks_do_not_mix():
    async def work(name, turns):
        with identify(user_id=name):
            for _ in range(turns):
                await asyncio.sleep(0)
                with hint(user_intent=name):
                    await asyncio.sleep(0)
                    assert (who(), current().hints) == (name, {"user_intent": name})
            return who()

    async def main():
        return await asyncio.gather(*(work(f"user-{n}", n % 5) for n in range(50)))

    with identify(user_id="outside"):
        assert asyncio.run(main()) == [f"user-{n}" for n in range(50)]
        assert who() == "outside"


def test_to_thread_takes_the_scope_along():
    async def main():
        async with identify(user_id="alice"):
            return await asyncio.to_thread(who)

    assert asyncio.run(main()) == "alice"


def test_async_with():
    async def main():
        async with identify(user_id="alice") as scope, hint(user_intent="cloud"):
            async with scope, identify(thread_id="t"):
                inside = current().identity.fields()
            return inside, current().identity.fields(), current().hints

    both = {"user_id": "alice"}
    assert asyncio.run(main()) == ({**both, "thread_id": "t"}, both, {"user_intent": "cloud"})


def test_a_scope_left_in_another_task_than_entered():
    """As the fixtures of async test frameworks, and ``AsyncExitStack`` over several tasks, do."""

    async def main():
        scope = identify(user_id="alice")

        async def enter():
            scope.__enter__()

        async def leave():
            scope.__exit__(None, None, None)
            return who()

        await asyncio.create_task(enter())
        return await asyncio.create_task(leave()), who()

    assert asyncio.run(main()) == (None, None)


def test_deeply_nested_scopes():
    scopes = [identify(thread_id=str(number)) for number in range(200)]
    for scope in scopes:
        scope.__enter__()
    assert current().identity.thread_id == "199"
    for scope in scopes:  # the first one first: each leaves from the bottom of the stack
        scope.__exit__(None, None, None)
    assert current().identity.fields() == {}
