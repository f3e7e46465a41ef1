"""A profile that asks first: what another Hermes says that it takes is asked once, and nothing else is sent there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading

import openai
import pytest
from upstream import Answer, Upstream

from hermes_hints import install, wrap
from hermes_hints.profiles import advertised

WHO = {"user_id": "alice", "user_name": "Zoë", "chat_id": "!ops", "session_key": "k-1", "conversation_id": "c-1"}
OURS = {"user-id", "user-name", "chat-id", "session-key", "conversation-id"}
OLD = {"session_continuity_header": "X-Hermes-Session-Id", "session_key_header": "X-Hermes-Session-Key"}
NEW = {**OLD, **{f"{name.replace('-', '_')}_header": f"X-Hermes-{name.title()}" for name in OURS}}


def capabilities(features):
    return Answer(content={"object": "hermes.api_server.capabilities", "features": features})


@pytest.fixture
def hermes():
    """An endpoint that says what it takes, as `said` has it."""
    with Upstream() as upstream:
        upstream.said = capabilities(NEW)
        upstream.arrived = threading.Event()

        def answer(request):
            upstream.arrived.set()
            return upstream.said if request.path == "/v1/capabilities" else None

        upstream.rules.append(answer)
        yield upstream


def settings(upstream, **more):
    return {"endpoints": [{"match": upstream.origin.partition("://")[2], "profile": "hermes"}], **more}


def client_of(upstream, **options):
    return openai.OpenAI(base_url=upstream.base_url, api_key="key-of-alice", max_retries=2, **options)


def plain(client):
    client.chat.completions.create(model="m", messages=[])


def targets(upstream):
    return [request.path.removeprefix("/v1") for request in upstream.received]


def test_it_is_asked_once_before_the_first_request_with_the_clients_own_key(hermes):
    with wrap(client_of(hermes), identity=WHO, settings=settings(hermes)) as client:
        for _ in range(3):
            plain(client)
        client.responses.create(model="m", input="Hi")

    assert targets(hermes) == ["/capabilities", *["/chat/completions"] * 3, "/responses"]
    asked, *requests = hermes.received
    assert (asked.method, asked.header("authorization")) == ("GET", "Bearer key-of-alice")
    assert asked.bare
    assert [set(request.lines) for request in requests] == [OURS] * 4
    assert requests[0].lines["user-name"] == "Zo%C3%AB"


def test_one_that_takes_only_the_session_key_gets_only_that_and_it_is_said_once(hermes, caplog):
    hermes.said = capabilities(OLD)
    with wrap(client_of(hermes), identity=WHO, settings=settings(hermes)) as client:
        for _ in range(2):
            plain(client)

    assert [request.lines for request in hermes.received] == [{}, *[{"session-key": "k-1"}] * 2]
    (said,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert hermes.origin in said
    assert "inbound: true" in said


def test_one_that_takes_nothing_gets_nothing(hermes):
    hermes.said = capabilities({"chat_completions": True, "session_continuity_header": "X-Hermes-Session-Id"})
    with wrap(client_of(hermes), identity=WHO, settings=settings(hermes)) as client:
        plain(client)

    assert hermes.last.bare


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, {"error": {"message": "no such place"}}),
        Answer(401, {"error": {"message": "Incorrect API key: key-of-alice"}}),
        Answer(500, b"broken"),
        Answer(content=b"<html>"),
        Answer(content=[1, 2]),
        Answer(content={"features": "many"}),
        Answer(drop=True),
    ],
    ids=["404", "401", "500", "no json", "a list", "no features", "dropped"],
)
def test_one_that_does_not_say_gets_what_the_operator_named_it_for(answer, hermes, caplog):
    hermes.said = answer
    caplog.set_level(logging.INFO, "hermes_hints")
    with wrap(client_of(hermes), identity=WHO, settings=settings(hermes)) as client:
        for _ in range(2):
            plain(client)

    assert targets(hermes) == ["/capabilities", *["/chat/completions"] * 2]
    assert [set(request.lines) for request in hermes.received[1:]] == [OURS] * 2
    said = [record for record in caplog.records if record.name == "hermes_hints"]
    assert [record.levelname for record in said] == ["INFO"]
    assert "key-of-alice" not in caplog.text


def test_one_that_hangs_holds_up_the_first_request_and_no_other(hermes, monkeypatch):
    monkeypatch.setattr("hermes_hints.profiles.advertised.MOST_SECONDS", 0.05)
    never = threading.Event()
    hermes.said = Answer(content={}, wait_for=never)
    with wrap(client_of(hermes), identity=WHO, settings=settings(hermes)) as client:
        for _ in range(2):
            plain(client)
    never.set()

    assert targets(hermes) == ["/capabilities", *["/chat/completions"] * 2]
    assert set(hermes.last.lines) == OURS


def test_it_is_asked_again_when_the_answer_is_old(hermes, monkeypatch):
    monkeypatch.setattr(advertised, "ASK_AGAIN_SECONDS", -1.0)
    hermes.said = capabilities(OLD)
    with wrap(client_of(hermes), identity=WHO, settings=settings(hermes)) as client:
        plain(client)
        hermes.said = capabilities(NEW)
        plain(client)

    assert targets(hermes) == ["/capabilities", "/chat/completions"] * 2
    assert [set(request.lines) for request in hermes.received[1::2]] == [{"session-key"}, OURS]


def test_a_crowd_of_threads_asks_once_and_all_wait_for_the_answer(hermes):
    go = threading.Event()
    hermes.said = Answer(content=capabilities(OLD).content, wait_for=go)
    with wrap(client_of(hermes), identity=WHO, settings=settings(hermes)) as client:
        threads = [threading.Thread(target=plain, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        go.set()
        for thread in threads:
            thread.join(30)

    assert sorted(targets(hermes)) == ["/capabilities", *["/chat/completions"] * 8]
    assert [request.lines for request in hermes.received if request.method == "POST"] == [{"session-key": "k-1"}] * 8


def test_a_crowd_of_tasks_likewise(hermes):
    async def main():
        async with openai.AsyncOpenAI(base_url=hermes.base_url, api_key="k") as client:
            wrap(client, identity=WHO, settings=settings(hermes))
            await asyncio.gather(*(client.chat.completions.create(model="m", messages=[]) for _ in range(8)))

    asyncio.run(main())
    assert sorted(targets(hermes)) == ["/capabilities", *["/chat/completions"] * 8]
    assert [set(request.lines) for request in hermes.received[1:]] == [OURS] * 8


def test_a_task_that_is_cancelled_while_it_asks_leaves_the_question_to_the_next(hermes):
    never = threading.Event()
    hermes.said = Answer(content={}, wait_for=never)

    async def main():
        async with openai.AsyncOpenAI(base_url=hermes.base_url, api_key="k") as client:
            wrap(client, identity=WHO, settings=settings(hermes))
            task = asyncio.create_task(client.chat.completions.create(model="m", messages=[]))
            await asyncio.to_thread(hermes.arrived.wait, 30)
            task.cancel()
            waiting = asyncio.create_task(client.chat.completions.create(model="m", messages=[]))
            hermes.said = capabilities(OLD)
            with pytest.raises(asyncio.CancelledError):
                await task
            await waiting
            await client.chat.completions.create(model="m", messages=[])

    asyncio.run(main())
    never.set()
    assert targets(hermes) == ["/capabilities", "/capabilities", *["/chat/completions"] * 2]
    assert [request.lines for request in hermes.received[2:]] == [{"session-key": "k-1"}] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_is_forked_while_it_is_asked_waits_for_nobody(hermes, monkeypatch):
    monkeypatch.setattr(advertised, "MOST_SECONDS", 30)
    go = threading.Event()
    hermes.said = Answer(content=capabilities(OLD).content, wait_for=go)
    with wrap(client_of(hermes), identity=WHO, settings=settings(hermes)) as client:
        thread = threading.Thread(target=plain, args=(client,))
        thread.start()
        hermes.arrived.wait(30)
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            with contextlib.suppress(BaseException):
                hermes.said = None
                with client_of(hermes, timeout=5) as another:
                    plain(wrap(another, identity=WHO, settings=settings(hermes)))
            os._exit(0)
        hermes.said = capabilities(OLD)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        go.set()
        thread.join(30)
    assert ended == 0
    assert targets(hermes)[:3] == ["/capabilities", "/capabilities", "/chat/completions"]


def test_every_client_of_the_process_knows(hermes):
    install(identity=WHO, settings=settings(hermes))
    for _ in range(2):
        with client_of(hermes) as client:
            plain(client)

    assert targets(hermes) == ["/capabilities", *["/chat/completions"] * 2]


def test_other_endpoints_are_asked_nothing(hermes):
    with wrap(client_of(hermes), identity=WHO) as client:
        plain(client)

    assert targets(hermes) == ["/chat/completions"]


def test_a_profile_of_the_operators_own_may_ask_too(hermes):
    hermes.said = capabilities({"user_id_header": "x-hermes-user-id", "tenant_header": "X-Tenant"})
    mine = {"headers": True, "advertised": True, "native_headers": {"X-Tenant": "chat_id", "X-Other": "user_id"}}
    declared = {"endpoints": [{"match": "127.0.0.1", "profile": "mine"}], "profiles": {"mine": mine}}
    with wrap(client_of(hermes), identity=WHO, settings=declared) as client:
        plain(client)

    assert hermes.last.lines == {"user-id": "alice"}
    assert (hermes.last.header("x-tenant"), hermes.last.header("x-other")) == ("!ops", None)
