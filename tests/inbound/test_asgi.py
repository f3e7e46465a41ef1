"""The ASGI middleware, in front of applications that make calls for whoever asks."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from hermes_hints.context import current
from hermes_hints.inbound import Admission
from hermes_hints.inbound.asgi import KEY, MAX_BODY, Inbound

API_KEY = "only-for-tests-0123456789"
BEARER = {"Authorization": f"Bearer {API_KEY}"}


def here():
    return current().identity.fields()


async def places(request):
    body = await request.body()
    started = await asyncio.create_task(asyncio.to_thread(here))
    pooled = await run_in_threadpool(here)
    given = request.get(KEY)
    return JSONResponse(
        {
            "here": here(),
            "task": started,
            "pool": pooled,
            "given": given and given.fields(),
            "body": body.decode(),
        }
    )


async def stream(request):
    asked = await request.json()

    async def words():
        for number in range(asked["words"]):
            await asyncio.sleep(0)
            yield json.dumps([number, here()]) + "\n"

    return StreamingResponse(words(), media_type="application/x-ndjson")


async def named_already(request):
    return JSONResponse({}, headers={"x-hermes-user-id": "the applications own"})


def client(admission=None, routes=()):
    app = Starlette(
        routes=[
            Route("/places", places, methods=["POST", "GET"]),
            Route("/stream", stream, methods=["POST"]),
            Route("/named", named_already),
            *routes,
        ],
        middleware=[Middleware(Inbound, admission=admission or Admission(key=API_KEY))],
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent")


def run(coroutine):
    return asyncio.run(coroutine)


async def ask(path, *, body=None, headers=(), method="POST", admission=None):
    async with client(admission) as agent:
        return await agent.request(method, path, json=body, headers=list(dict(headers).items()))


def test_everything_that_a_request_brings_about_is_for_whom_it_names():
    headers = {**BEARER, "X-Hermes-User-Id": "alice", "X-Hermes-Chat-Id": "!ops"}
    alice = {"user_id": "alice", "chat_id": "!ops"}

    answer = run(ask("/places", body={"model": "m"}, headers=headers))

    found = answer.json()
    assert json.loads(found.pop("body")) == {"model": "m"}
    assert found == dict.fromkeys(("here", "task", "pool", "given"), alice)
    assert answer.headers["x-hermes-user-id"] == "alice"
    assert answer.headers["x-hermes-chat-id"] == "!ops"
    assert here() == {}


def test_the_bodys_user_is_enough_and_the_application_reads_the_body_all_the_same():
    answer = run(ask("/places", body={"user": "alice"}, headers=BEARER))

    assert answer.json()["here"] == {"user_id": "alice"}
    assert json.loads(answer.json()["body"]) == {"user": "alice"}
    assert answer.headers["x-hermes-user-id"] == "alice"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_names_nobody_is_unchanged(method):
    answer = run(ask("/places", body={"user": "alice"}, headers={}, method=method))

    assert answer.json()["here"] == {}
    assert answer.json()["given"] is None
    assert not [name for name in answer.headers if name.startswith("x-hermes")]


@pytest.mark.parametrize(
    ("headers", "status", "param"),
    [
        ({"X-Hermes-User-Id": "alice"}, 401, "X-Hermes-User-Id"),
        ({**BEARER, "X-Hermes-User-Id": "a%0D%0Ab"}, 400, "X-Hermes-User-Id"),
        ({**BEARER, "X-Hermes-Thread-Id": "x" * 300}, 400, "X-Hermes-Thread-Id"),
    ],
)
def test_what_is_refused_never_reaches_the_application(headers, status, param):
    reached = []

    async def app(scope, receive, send):
        reached.append(scope)

    async def refused():
        transport = httpx.ASGITransport(Inbound(app, Admission(key=API_KEY)))
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as agent:
            return await agent.post("/places", json={"user": "alice"}, headers=headers)

    answer = run(refused())

    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert answer.headers["content-type"] == "application/json"
    assert "alice" not in answer.text
    assert reached == []


def test_people_who_ask_at_once_are_not_mixed_up_while_their_answers_stream():
    async def crowd():
        async with client() as agent:

            async def one(number):
                named = {"X-Hermes-User-Id": f"user-{number}"} if number % 3 else {}
                asked = agent.stream("POST", "/stream", json={"words": 40}, headers={**BEARER, **named})
                async with asked as answer:
                    echoed = answer.headers.get("x-hermes-user-id")
                    return named, echoed, [json.loads(line)[1] async for line in answer.aiter_lines()]

            return await asyncio.gather(*map(one, range(50)))

    for named, echoed, told in run(crowd()):
        user = named.get("X-Hermes-User-Id")
        assert echoed == user
        assert told == [{"user_id": user} if user else {}] * 40


def test_an_answers_own_header_stays():
    answer = run(ask("/named", method="GET", headers={**BEARER, "X-Hermes-User-Id": "alice"}))

    assert answer.headers.get_list("x-hermes-user-id") == ["the applications own"]


def test_a_signature_over_the_body_is_checked():
    from hermes_hints.signature import sign

    secret = "a-signing-key-of-the-senders"
    record = {"user_id": "alice", "turn_id": "t-1"}
    headers = {"X-Hermes-User-Id": "alice", "X-Hermes-Hints-Signature": sign(record, secret.encode())}
    admission = Admission(signing_key=secret)

    good = run(ask("/places", body={"hermes": {"v": 1, **record}}, headers=headers, admission=admission))
    bad = run(ask("/places", body={"hermes": {"v": 1, "user_id": "alice"}}, headers=headers, admission=admission))

    assert good.json()["here"] == {"user_id": "alice"}
    assert (bad.status_code, bad.json()["error"]["code"]) == (401, "identity_not_signed")


class Wire:
    """One request by hand: the parts of its body as the server hands them over, and what came back."""

    def __init__(self, *parts, headers=(), kind="http"):
        self.scope = {"type": kind, "headers": [(b"content-type", b"application/json"), *headers]}
        self.parts = list(parts)
        self.sent = []

    async def receive(self):
        return self.parts.pop(0)

    async def send(self, message):
        self.sent.append(message)


AUTHORIZED = (b"authorization", f"Bearer {API_KEY}".encode())


def reading(seen):
    async def app(scope, receive, send):
        while True:
            message = await receive()
            seen.append((message, here()))
            if message["type"] == "http.disconnect" or message.get("disconnect"):
                return

    return app


def part(body, *, more):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_parts_is_handed_on_part_by_part_and_then_the_client_going_away():
    parts = [part(b'{"us', more=True), part(b'er": "al', more=True), part(b'ice"}', more=False)]
    gone = {"type": "http.disconnect"}
    wire, seen = Wire(*parts, gone, headers=[AUTHORIZED]), []

    run(Inbound(reading(seen), Admission(key=API_KEY))(wire.scope, wire.receive, wire.send))

    assert [message for message, _ in seen] == [*parts, gone]
    assert {json.dumps(who) for _, who in seen} == {'{"user_id": "alice"}'}


def test_a_body_that_is_too_long_names_nobody_and_comes_as_it_comes():
    block = b" " * (MAX_BODY // 2 + 1)
    parts = [part(block, more=True), part(block, more=True), part(b'{"user": "alice"}', more=False)]
    wire, seen = Wire(*parts, {"type": "http.disconnect"}, headers=[AUTHORIZED]), []

    run(Inbound(reading(seen), Admission(key=API_KEY))(wire.scope, wire.receive, wire.send))

    assert [message for message, _ in seen][:3] == parts
    assert all(who == {} for _, who in seen)


def test_a_client_that_goes_away_in_the_middle_names_nobody():
    gone = {"type": "http.disconnect"}
    wire, seen = Wire(part(b'{"user": "alice"', more=True), gone, headers=[AUTHORIZED]), []

    run(Inbound(reading(seen), Admission(key=API_KEY))(wire.scope, wire.receive, wire.send))

    assert [message["type"] for message, _ in seen] == ["http.request", "http.disconnect"]
    assert seen[0][1] == {}


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_http_passes(kind):
    reached = []

    async def app(scope, receive, send):
        reached.append((scope, receive, send, here()))

    wire = Wire(headers=[(b"x-hermes-user-id", b"alice")], kind=kind)
    run(Inbound(app, Admission(key=API_KEY))(wire.scope, wire.receive, wire.send))

    assert reached == [(wire.scope, wire.receive, wire.send, {})]
