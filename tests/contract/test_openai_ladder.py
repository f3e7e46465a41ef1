"""No request fails because of hints: an endpoint that refuses them is asked again with less, and only it."""

from __future__ import annotations

import logging
import socket
import threading

import openai
import pytest
from clients import KINDS, PLAIN, ask, each, entered, result
from upstream import Answer, refusal

from hermes_hints import wrap

WHO = {"user_id": "alice", "chat_id": "room", "session_id": "conversation-1"}
TEXT = '{"answer": 42}'


def names_hermes(request):
    if "hermes" in request.json:
        return refusal(400, "Unrecognized request argument supplied: hermes", param="hermes")
    return None


def names_metadata(request):
    if "metadata" in request.json:
        return refusal(400, "property 'metadata' is unsupported")
    return None


def forbids_extra(request):
    """As FastAPI and pydantic answer."""
    if extra := [key for key in ("hermes", "metadata") if key in request.json]:
        found = [
            {"type": "extra_forbidden", "loc": ["body", key], "msg": "Extra inputs are not permitted"} for key in extra
        ]
        return Answer(422, {"detail": found})
    return None


def names_a_header(request):
    return refusal(400, "Header X-Hermes-User-Id is not allowed") if request.lines else None


def forbids_a_header(request):
    """As a Hermes API server without a key does."""
    if "user-id" in request.lines:
        return refusal(403, "X-Hermes-User-Id requires API key authentication.")
    return None


def is_opaque(request):
    return None if request.bare else Answer(400, b"Bad Request")


def is_opaque_in_json(request):
    return None if request.bare else refusal(400, "We could not parse your request.")


def has_little_room_for_headers(request):
    return Answer(431, b"") if len(request.head) > 900 or request.lines else None


def has_little_room_for_a_body(request):
    return refusal(413, "Request too large") if "hermes" in request.json else None


def wants_another_type(request):
    return None if request.bare else Answer(415, b"Unsupported Media Type")


NAMING = (names_hermes, names_metadata, forbids_extra)
NOT_NAMING = (names_a_header, forbids_a_header, is_opaque, is_opaque_in_json, has_little_room_for_headers)
NOT_NAMING = (*NOT_NAMING, has_little_room_for_a_body, wants_another_type)


async def plain(client):
    return (await ask(client)).choices[0].message.content


async def streamed(client):
    chunks = await each(await ask(client, stream=True))
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


async def stream_helper(client):
    async with entered(client.chat.completions.stream(model="m", messages=[])) as stream:
        await each(stream)
        return (await result(stream.get_final_completion())).choices[0].message.content


async def streaming_response(client):
    async with entered(client.chat.completions.with_streaming_response.create(model="m", messages=[])) as raw:
        return (await result(raw.parse())).choices[0].message.content


async def raw_response(client):
    raw = await result(client.chat.completions.with_raw_response.create(model="m", messages=[]))
    return raw.parse().choices[0].message.content


WAYS = (plain, streamed, stream_helper, streaming_response, raw_response)


@pytest.mark.parametrize(
    ("way", "kind"), [(way, kind) for way in WAYS for kind in (KINDS if way is plain else PLAIN)], indirect=["kind"]
)
@pytest.mark.parametrize("refuses", [*NAMING, *NOT_NAMING])
def test_the_caller_gets_the_good_answer(refuses, way, clients, upstream):
    """At the price of one extra request the first time, and of none from then on."""
    upstream.rules.append(refuses)

    async def main():
        client = wrap(clients.make(), identity=WHO)
        assert [await way(client) for _ in range(3)] == [TEXT] * 3

    clients.run(main())
    refused, first, second, third = upstream.received
    assert refused.hermes["user_id"] == "alice"
    for good in (first, second, third):
        assert "hermes" not in good.json
        assert "metadata" not in good.json
        if refuses in NAMING:
            assert good.lines["user-id"] == "alice"
            assert good.json.get("user") == (None if refuses is forbids_extra else "alice")
        else:
            assert good.bare
            assert "user" not in good.json
    assert refused.lines["request-id"] not in (second.lines.get("request-id"), third.lines.get("request-id"))
    if refuses in NAMING:
        assert first.lines["request-id"] == refused.lines["request-id"]


@pytest.mark.parametrize("refuses", NAMING)
def test_the_callers_own_user_stays_on_a_lower_rung(refuses, clients, upstream):
    upstream.rules.append(refuses)
    clients.run(ask(wrap(clients.make(), identity=WHO), user="mine"))
    assert [request.json["user"] for request in upstream.received] == ["mine", "mine"]


def test_what_the_caller_added_stays_on_a_lower_rung(clients, upstream):
    """Also where it is the caller's own part that is refused: that is its own business."""
    upstream.rules.append(names_hermes)
    own = {"hermes": {"user_intent": "local"}, "metadata": {"team": "red"}, "other": 1}
    with pytest.raises(openai.BadRequestError):
        clients.run(ask(wrap(clients.make(), identity=WHO), extra_body=own, extra_headers={"X-Other": "1"}))
    last = upstream.last
    assert (last.hermes, last.metadata, last.json["other"]) == ({"user_intent": "local"}, {"team": "red"}, 1)
    assert last.header("X-Other") == "1"


def test_the_rung_is_kept_for_each_model(clients, upstream):
    def refuses_for_small(request):
        return names_hermes(request) if request.json["model"] == "small" else None

    upstream.rules.append(refuses_for_small)

    async def main():
        client = wrap(clients.make(), identity=WHO)
        for model in ("small", "small", "large", "small"):
            await ask(client, model=model)

    clients.run(main())
    found = [(request.json["model"], "hermes" in request.json) for request in upstream.received]
    assert found == [("small", True), ("small", False), ("small", False), ("large", True), ("small", False)]


def test_the_rung_is_kept_for_every_client_of_the_endpoint(clients, upstream):
    upstream.rules.append(names_hermes)

    async def main():
        for _ in range(2):
            await ask(wrap(clients.make(), identity=WHO))

    clients.run(main())
    assert ["hermes" in request.json for request in upstream.received] == [True, False, False]


def test_it_is_said_once_and_without_naming_anyone(clients, upstream, caplog):
    upstream.rules.append(names_hermes)

    async def main():
        client = wrap(clients.make(), identity=WHO)
        for _ in range(3):
            await ask(client)

    with caplog.at_level(logging.INFO, "hermes_hints"):
        clients.run(main())
    (said,) = [record.getMessage() for record in caplog.records if record.name == "hermes_hints"]
    assert upstream.origin in said
    assert "400" in said
    assert "endpoints" in said
    assert "alice" not in said


def bare_and_ours(clients, call):
    """The error of a bare client and of a wrapped one."""
    errors = []

    async def main():
        for client in (clients.make(), wrap(clients.make(), identity=WHO)):
            with pytest.raises(openai.APIError) as raised:
                await call(client)
            errors.append(raised.value)

    clients.run(main())
    return errors


def check_same(ours, bare):
    assert type(ours) is type(bare)
    assert str(ours) == str(bare)
    assert ours.body == bare.body
    assert getattr(ours, "status_code", None) == getattr(bare, "status_code", None)
    assert type(ours.__cause__) is type(bare.__cause__)
    assert type(ours.__context__) is type(bare.__context__)


OWN_FAULTS = {
    "a parameter": refusal(400, "Unknown parameter: 'temprature'.", param="temprature", code="unknown_parameter"),
    "our word in another sense": refusal(400, "There is no model 'hermes-3'; check the metadata of your project."),
    "our word in a model's name": refusal(400, "registry.ollama.ai/library/hermes3:latest does not support tools"),
    "our part repeated": Answer(
        422,
        {
            "detail": [
                {"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": {"hermes": {"v": 1}}}
            ]
        },
    ),
    "no reason": Answer(400, b""),
    "validation": Answer(422, {"detail": [{"loc": ["body", "messages"], "msg": "field required", "type": "missing"}]}),
    "size": refusal(413, "Too large"),
    "type": Answer(415, b"Unsupported"),
    "headers": Answer(431, b""),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", OWN_FAULTS.values(), ids=OWN_FAULTS)
def test_the_callers_own_fault_is_its_own(answer, way, clients, upstream):
    upstream.rules.append(lambda _: answer)
    bare, ours = bare_and_ours(clients, way)
    check_same(ours, bare)
    asked, *again = upstream.received[1:]
    assert asked.hermes["user_id"] == "alice"
    (once_more,) = again
    assert once_more.bare
    assert (once_more.head, once_more.body) == (upstream.received[0].head, upstream.received[0].body)


def test_the_callers_own_fault_is_not_held_against_the_endpoint(clients, upstream):
    async def main():
        client = wrap(clients.make(), identity=WHO)
        upstream.queue.extend([OWN_FAULTS["a parameter"], OWN_FAULTS["a parameter"]])
        with pytest.raises(openai.BadRequestError):
            await ask(client, temperature=9)
        await ask(client)

    clients.run(main())
    assert upstream.last.hermes["user_id"] == "alice"


NOT_OURS = {
    "400 too long": refusal(400, "Too many tokens", code="context_length_exceeded"),
    "401": refusal(401, "Incorrect API key provided: hermes"),
    "403": refusal(403, "hermes is not allowed here"),
    "404": refusal(404, "The model `hermes` does not exist", code="model_not_found"),
    "409": refusal(409, "metadata conflict"),
    "429": refusal(429, "Slow down"),
    "500": refusal(500, "hermes crashed"),
    "503": Answer(503, b"metadata store is down"),
}


@pytest.mark.parametrize("answer", NOT_OURS.values(), ids=NOT_OURS)
def test_other_answers_are_never_asked_again(answer, clients, upstream):
    upstream.rules.append(lambda _: answer)
    bare, ours = bare_and_ours(clients, plain)
    check_same(ours, bare)
    assert len(upstream.received) == 2


@pytest.mark.parametrize("status", [429, 500])
def test_the_clients_own_retries_are_as_many_as_ever(status, clients, upstream):
    upstream.rules.append(lambda _: Answer(status, {}, {"retry-after-ms": "1"}))

    async def main():
        for client in (clients.make(max_retries=2), wrap(clients.make(max_retries=2), identity=WHO)):
            with pytest.raises(openai.APIStatusError):
                await ask(client)

    clients.run(main())
    assert [request.bare for request in upstream.received] == [True] * 3 + [False] * 3


def test_a_timeout_is_the_callers(clients, upstream):
    never = threading.Event()
    upstream.rules.append(lambda _: Answer(wait_for=never))

    async def main():
        return await ask(wrap(clients.make(timeout=0.5), identity=WHO))

    with pytest.raises(openai.APITimeoutError):
        clients.run(main())
    never.set()
    assert upstream.only.hermes["user_id"] == "alice"


def test_a_lost_connection_is_the_callers(clients, upstream):
    upstream.rules.append(lambda _: Answer(drop=True))
    bare, ours = bare_and_ours(clients, plain)
    check_same(ours, bare)
    assert type(ours) is openai.APIConnectionError
    assert len(upstream.received) == 2


def test_a_port_where_nobody_listens(clients):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"

        async def call(client):
            return await ask(client.with_options(base_url=base_url))

        bare, ours = bare_and_ours(clients, call)
    check_same(ours, bare)


def test_an_answer_that_cannot_be_read_is_the_callers(clients, upstream):
    upstream.rules.append(lambda _: Answer(200, b"{", {"content-type": "application/json"}))
    errors = []

    async def main():
        for client in (clients.make(), wrap(clients.make(), identity=WHO)):
            with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever the SDK raises, compared below
                await ask(client)
            errors.append(raised.value)

    clients.run(main())
    assert type(errors[1]) is type(errors[0])
    assert str(errors[1]) == str(errors[0])
    assert len(upstream.received) == 2
