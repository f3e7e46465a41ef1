"""The gateway's proxy mode: what the host relays to another Hermes by aiohttp says who is asking."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace

import pytest
from host_in_process import ALICE, BOB, Place
from upstream import Answer, refusal

from hermes_hints import uninstall
from hermes_hints.hermes.gateway_proxy import leave_proxy

aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")

POST = aiohttp.ClientSession.post
IN_OPS = Place(ALICE)
FEATURES = {
    f"{name}_header": f"X-Hermes-{name.title().replace('_', '-')}" for name in ("user_id", "chat_id", "session_key")
}
WHO = {"user-id": ALICE, "chat-id": "!ops:example.org", "session-key": "key-1"}
HOSTS_OWN = {"session-id": "session-1"}


def source_of(user_id, chat_id="!ops:example.org"):
    """The host's SessionSource."""
    return SimpleNamespace(
        platform=SimpleNamespace(value="matrix"), user_id=user_id, user_name=None, chat_id=chat_id, chat_type="group"
    )


async def _run_agent_via_proxy(url, source, session_id="session-1", session_key="key-1", awaited=False):
    """As the host's: 0.19 and 0.22 differ in nothing that counts here."""
    body = {"model": "hermes-agent", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    lines = {"Content-Type": "application/json", "Authorization": "Bearer k", "X-Hermes-Session-Id": session_id}
    async with aiohttp.ClientSession() as session:
        if awaited:
            answer = await session.post(f"{url}/v1/chat/completions", json=body, headers=lines)
            return answer.status, await answer.text()
        async with session.post(f"{url}/v1/chat/completions", json=body, headers=lines) as answer:
            return answer.status, await answer.text()


async def something_else(url):
    async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/chat/completions", json={}) as answer:
        return answer.status


@pytest.fixture
def relays(host, upstream, monkeypatch):
    """A host of either version that relays; ``relays(settings)`` loads the plugin."""
    monkeypatch.setenv("GATEWAY_PROXY_URL", upstream.origin)
    said = Answer(content={"features": FEATURES})
    upstream.rules.append(lambda request: said if request.path == "/v1/capabilities" else None)

    def relays(settings=None, *, newer=True):
        hermes = host(newer=newer, settings=settings)
        hermes.load()
        return hermes

    yield relays
    uninstall()
    leave_proxy()
    assert aiohttp.ClientSession.post is POST


def relay(upstream, user_id=ALICE, **more):
    return asyncio.run(_run_agent_via_proxy(upstream.origin, source_of(user_id), **more))


def posted(upstream):
    return [request for request in upstream.received if request.method == "POST"]


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("newer", [False, True], ids=["0.19", "0.22"])
def test_it_says_who_is_asking_beside_what_the_host_says(relays, upstream, newer, awaited):
    relays(newer=newer)

    status, text = relay(upstream, awaited=awaited)

    assert status == 200
    assert "choices" in json.loads(text)
    asked, request = upstream.received
    assert (asked.path, asked.header("authorization")) == ("/v1/capabilities", "Bearer k")
    assert asked.bare
    assert request.lines == {**WHO, **HOSTS_OWN}
    assert request.json == {
        "model": "hermes-agent",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
    }


def test_people_who_ask_at_once_are_not_mixed_up_and_it_is_asked_once(relays, upstream):
    relays()
    people = [f"@person{number}:example.org" for number in range(12)]

    async def work():
        await asyncio.gather(
            *(
                _run_agent_via_proxy(upstream.origin, source_of(person), session_id=f"session of {person}")
                for person in people
            )
        )

    asyncio.run(work())

    assert len(upstream.received) == 13
    told = {(request.lines["user-id"], request.lines["session-id"]) for request in posted(upstream)}
    assert told == {(person, f"session of {person}") for person in people}


def test_what_others_post_is_left_alone(relays, upstream):
    relays()

    assert asyncio.run(something_else(upstream.origin)) == 200

    assert upstream.only.bare


def test_where_nothing_is_relayed_aiohttps_client_is_not_touched(host, upstream):
    host().load()

    assert aiohttp.ClientSession.post is POST


def test_it_is_put_back_when_the_plugin_goes(relays, upstream):
    hermes = relays()
    assert aiohttp.ClientSession.post is not POST

    for callback in hermes.context.unloading:
        callback()

    assert aiohttp.ClientSession.post is POST


def test_loaded_again_it_says_it_once(relays, upstream):
    hermes = relays(newer=False)
    hermes.load()

    relay(upstream)

    assert posted(upstream)[0].lines == {**WHO, **HOSTS_OWN}


def test_what_configuration_names_counts_as_well(relays, upstream, monkeypatch):
    monkeypatch.delenv("GATEWAY_PROXY_URL")
    monkeypatch.setattr(
        "host_in_process.Hermes.configuration",
        lambda self: {"plugins": {"enabled": ["hermes-hints"]}, "gateway": {"proxy_url": upstream.origin}},
    )
    relays()

    relay(upstream)

    assert posted(upstream)[0].lines["user-id"] == ALICE


@pytest.mark.parametrize("rule", [{"profile": "off"}, {"profile": "hermes", "privacy": "none"}], ids=["off", "none"])
def test_the_operators_word_counts(relays, upstream, rule):
    relays({"endpoints": [{"match": "127.0.0.1", **rule}]})

    assert relay(upstream)[0] == 200

    assert posted(upstream)[0].lines == HOSTS_OWN


def test_one_that_refuses_it_is_asked_without_and_that_is_remembered(relays, upstream, caplog):
    relays()
    upstream.rules.insert(
        0, lambda request: refusal(400, "X-Hermes-User-Id is not welcome") if "user-id" in request.lines else None
    )

    assert [relay(upstream, user_id=user)[0] for user in (ALICE, BOB)] == [200, 200]

    assert [request.lines for request in posted(upstream)] == [{**WHO, **HOSTS_OWN}, HOSTS_OWN, HOSTS_OWN]
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 1


@pytest.mark.parametrize("status", [401, 429, 500])
def test_other_refusals_are_the_hosts_business(relays, upstream, status):
    relays()
    upstream.rules.insert(0, lambda request: refusal(status, "no") if request.method == "POST" else None)

    assert relay(upstream) == (status, json.dumps(refusal(status, "no").content))

    assert len(posted(upstream)) == 1


def test_a_redirect_is_followed_without_it(relays, upstream):
    relays()
    away = Answer(307, headers={"location": "/elsewhere"})
    upstream.rules.insert(0, lambda request: away if request.path == "/v1/chat/completions" else None)

    relay(upstream)

    first, again, elsewhere = posted(upstream)
    assert first.lines == {**WHO, **HOSTS_OWN}
    assert again.lines == HOSTS_OWN
    assert (elsewhere.path, "user-id" in elsewhere.lines) == ("/elsewhere", False)


def test_a_host_that_tells_nothing_is_asked_for_nobody(relays, upstream):
    relays()

    asyncio.run(_run_agent_via_proxy(upstream.origin, None, session_key=""))

    assert posted(upstream)[0].lines == HOSTS_OWN


def test_a_failure_of_ours_leaves_it_as_it_is_and_is_said_once(relays, upstream, caplog):
    relays()

    class Odd:
        @property
        def user_id(self):
            raise ValueError(ALICE)

    for _ in range(2):
        assert asyncio.run(_run_agent_via_proxy(upstream.origin, Odd()))[0] == 200

    assert [request.lines for request in posted(upstream)] == [HOSTS_OWN] * 2
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.levelname for record in said] == ["ERROR"]
    assert ALICE not in said[0].getMessage()
