"""The aiohttp middleware, in a server on loopback."""

from __future__ import annotations

import asyncio
import json

import pytest

from hermes_hints.context import current
from hermes_hints.inbound import Admission

aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
web = pytest.importorskip("aiohttp.web")

from hermes_hints.inbound.aiohttp import identity_of, middleware, setup  # noqa: E402

API_KEY = "only-for-tests-0123456789"
BEARER = {"Authorization": f"Bearer {API_KEY}"}


def here():
    return current().identity.fields()


async def places(request):
    body = await request.text()
    thread = await asyncio.to_thread(here)
    given = identity_of(request)
    return web.json_response({"here": here(), "thread": thread, "given": given and given.fields(), "body": body})


async def stream(request):
    asked = await request.json()
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(asked["words"]):
        await asyncio.sleep(0)
        await response.write(json.dumps([number, here()]).encode() + b"\n")
    return response


async def named_already(_request):
    return web.json_response({}, headers={"X-Hermes-User-Id": "the applications own"})


def serving(work, prepare=setup, admission=None):
    """Runs ``work(client)`` against a server."""

    async def run():
        app = web.Application(client_max_size=4096)
        app.add_routes([web.post("/places", places), web.post("/stream", stream), web.post("/named", named_already)])
        prepare(app, admission or Admission(key=API_KEY))
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
                return await work(client)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


async def ask(client, path, body, **headers):
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post(path, json=body, headers=lines) as response:
        return response.status, response.headers, await response.json()


def test_everything_that_a_request_brings_about_is_for_whom_it_names():
    alice = {"user_id": "alice", "user_name": "Zoë"}

    async def work(client):
        return await ask(client, "/places", {"m": 1}, **BEARER, X_Hermes_User_Id="alice", X_Hermes_User_Name="Zo%C3%AB")

    status, headers, found = serving(work)
    assert status == 200
    assert json.loads(found.pop("body")) == {"m": 1}
    assert found == dict.fromkeys(("here", "thread", "given"), alice)
    assert (headers["X-Hermes-User-Id"], headers["X-Hermes-User-Name"]) == ("alice", "Zo%C3%AB")


def test_the_bodys_user_is_enough_and_the_handler_reads_the_body_all_the_same():
    async def work(client):
        return await ask(client, "/places", {"user": "alice"}, **BEARER)

    _, headers, found = serving(work)
    assert found["here"] == {"user_id": "alice"}
    assert json.loads(found["body"]) == {"user": "alice"}
    assert headers["X-Hermes-User-Id"] == "alice"


def test_a_request_that_names_nobody_is_unchanged():
    async def work(client):
        return await ask(client, "/places", {"user": "alice"})

    _, headers, found = serving(work)
    assert (found["here"], found["given"]) == ({}, None)
    assert not [name for name in headers if name.lower().startswith("x-hermes")]


@pytest.mark.parametrize(
    ("headers", "status", "param"),
    [
        ({"X_Hermes_User_Id": "alice"}, 401, "X-Hermes-User-Id"),
        ({**BEARER, "X_Hermes_User_Id": "a%0D%0Ab"}, 400, "X-Hermes-User-Id"),
        ({**BEARER, "X_Hermes_Chat_Type": "x" * 300}, 400, "X-Hermes-Chat-Type"),
    ],
)
def test_what_is_refused_never_reaches_the_handler(headers, status, param):
    async def work(client):
        return await ask(client, "/places", {"user": "alice"}, **headers)

    answered, lines, found = serving(work)
    assert (answered, found["error"]["param"]) == (status, param)
    assert "alice" not in json.dumps(found)
    assert not [name for name in lines if name.lower().startswith("x-hermes")]


def test_people_who_ask_at_once_are_not_mixed_up_while_their_answers_stream():
    async def work(client):
        async def one(number):
            named = {"X-Hermes-User-Id": f"user-{number}"} if number % 3 else {}
            async with client.post("/stream", json={"words": 40}, headers={**BEARER, **named}) as response:
                echoed = response.headers.get("X-Hermes-User-Id")
                return named, echoed, [json.loads(line)[1] for line in (await response.text()).splitlines()]

        return await asyncio.gather(*map(one, range(40)))

    for named, echoed, told in serving(work):
        user = named.get("X-Hermes-User-Id")
        assert echoed == user
        assert told == [{"user_id": user} if user else {}] * 40


def test_an_answers_own_header_stays():
    async def work(client):
        return await ask(client, "/named", {}, **BEARER, X_Hermes_User_Id="alice")

    assert serving(work)[1].getall("X-Hermes-User-Id") == ["the applications own"]


def test_a_body_over_the_applications_limit_is_answered_as_without():
    async def work(client):
        async with client.post("/places", json={"user": "a", "text": "x" * 5000}, headers=BEARER) as response:
            return response.status

    assert serving(work) == 413


def test_the_middleware_alone_binds_and_leaves_the_answer_alone():
    async def work(client):
        return await ask(client, "/places", {}, **BEARER, X_Hermes_User_Id="alice")

    _, headers, found = serving(work, lambda app, admission: app.middlewares.append(middleware(admission)))
    assert found["here"] == {"user_id": "alice"}
    assert "X-Hermes-User-Id" not in headers
