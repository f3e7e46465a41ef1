"""The ladder beside the retries of the client and of its caller: what is asked again, by whom, and how often.

A request is asked again by us only where the endpoint itself has refused it, and never where it may have been executed.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import openai
import pytest
from clients import ask, each
from upstream import Answer, refusal

from hermes_hints import ladder, wrap

WHO = {"user_id": "alice", "session_id": "conversation-1", "user_name": "A" * 500}
TEXT = '{"answer": 42}'


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    """The SDK waits half a second and more before it tries a lost request again."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.001)


@pytest.fixture
def clock(monkeypatch):
    """The ladder's time, in seconds."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(ladder, "time", SimpleNamespace(monotonic=lambda: now.seconds, time=lambda: now.seconds))
    return now


def carried(request):
    if "hermes" in request.json:
        return "full"
    return "bare" if request.bare else "headers"


def carried_by(upstream):
    return [carried(request) for request in upstream.received]


async def plain(client):
    return (await ask(client)).choices[0].message.content


async def streamed(client):
    chunks = await each(await ask(client, stream=True))
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


# --- what strict endpoints say


def unknown_to_openai(request):
    told = "Unknown parameter: 'hermes'."
    return refusal(400, told, param="hermes", code="unknown_parameter") if "hermes" in request.json else None


def not_stored_by_openai(request):
    told = "The 'metadata' parameter is only allowed when 'store' is enabled."
    return refusal(400, told, param="metadata") if "metadata" in request.json else None


def unsupported_by_groq(request):
    told = {"message": "property 'hermes' is unsupported", "type": "invalid_request_error"}
    return Answer(400, {"error": told}) if "hermes" in request.json else None


def wrong_for_cerebras(request):
    told = {"message": "metadata: property 'metadata' is unsupported", "type": "invalid_request_error"}
    more = {"param": "validation_error", "code": "wrong_api_format"}
    return Answer(422, {**told, **more}) if "metadata" in request.json else None


def forbidden(request, *names):
    return [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": found}
        for name in names
        if (found := request.json.get(name)) is not None
    ]


def forbidden_by_tensorrt(request):
    found = forbidden(request, "hermes")
    told = {"object": "error", "message": str(found), "type": "BadRequestError", "param": None, "code": 400}
    return Answer(400, told) if found else None


def forbidden_by_mistral(request):
    """Which does not know ``user`` either."""
    found = {"detail": forbidden(request, "hermes", "user")}
    told = {"object": "error", "message": found, "type": "invalid_request_error", "param": None, "code": None}
    return Answer(422, told) if found["detail"] else None


def forbidden_by_mistral_of_late(request):
    found = forbidden(request, "hermes", "user")
    return Answer(422, {"detail": found}) if found else None


def invalid_for_gemini(request):
    told = 'Invalid JSON payload received. Unknown name "hermes": Cannot find field.'
    error = {"error": {"code": 400, "message": told, "status": "INVALID_ARGUMENT"}}
    return Answer(400, [error]) if "hermes" in request.json else None


def too_large_for_nginx(request):
    page = b"<html><head><title>413 Request Entity Too Large</title></head></html>"
    return Answer(413, page, {"content-type": "text/html"}) if len(request.body) > 250 else None


def too_long_for_nginx(request):
    page = b"<html><head><title>400 Request Header Or Cookie Too Large</title></head></html>"
    return Answer(400, page, {"content-type": "text/html"}) if len(request.head) > 950 else None


def too_long_for_envoy(request):
    return Answer(431, b"") if len(request.head) > 950 else None


HEADERS_REMAIN = [
    *(unknown_to_openai, not_stored_by_openai, unsupported_by_groq, wrong_for_cerebras),
    *(forbidden_by_tensorrt, forbidden_by_mistral, forbidden_by_mistral_of_late, invalid_for_gemini),
]
NOTHING_REMAINS = [too_large_for_nginx, too_long_for_nginx, too_long_for_envoy]


@pytest.mark.parametrize("way", [plain, streamed])
@pytest.mark.parametrize("refuses", [*HEADERS_REMAIN, *NOTHING_REMAINS])
def test_a_strict_endpoint_costs_one_request_once(refuses, way, clients, upstream):
    upstream.rules.append(refuses)

    async def main():
        assert await way(clients.make()) == TEXT  # or it would not be hints that it refuses
        client = wrap(clients.make(), identity=WHO)
        assert [await way(client) for _ in range(3)] == [TEXT] * 3

    clients.run(main())
    less = "headers" if refuses in HEADERS_REMAIN else "bare"
    assert carried_by(upstream) == ["bare", "full", less, less, less]


@pytest.mark.parametrize("profile", ["headers", "openai", "langfuse", "bifrost"])
def test_a_rung_that_another_profile_found_out_adds_nothing(profile, clients, upstream):
    """``user`` is for the profile that has an object in the body to replace."""
    upstream.rules.append(unknown_to_openai)

    async def main():
        await ask(wrap(clients.make(), identity=WHO))
        await ask(wrap(clients.make(), identity=WHO, profile=profile))

    clients.run(main())
    assert "user" not in upstream.last.json
    assert b"alice" not in upstream.last.body


@pytest.mark.parametrize(("named", "seconds"), [(True, 3600), (False, 600)])
def test_hints_are_tried_again_when_the_time_is_over(named, seconds, clock, clients, upstream):
    def refuses(request):
        return refusal(400, "unknown field: hermes" if named else "bad request") if "hermes" in request.json else None

    upstream.rules.append(refuses)
    less = "headers" if named else "bare"

    async def main():
        client = wrap(clients.make(), identity=WHO)
        await ask(client)
        clock.seconds += seconds - 1
        await ask(client)
        clock.seconds += 2
        await ask(client)  # and is refused as before
        await ask(client)
        upstream.rules.clear()
        clock.seconds += seconds + 1
        await ask(client)  # and is no more
        await ask(client)

    clients.run(main())
    assert carried_by(upstream) == ["full", less, less, "full", less, less, "full", "full"]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
@pytest.mark.parametrize("refuses", [unknown_to_openai, too_long_for_envoy])
def test_threads_that_find_out_at_the_same_time(refuses, clients, upstream):
    upstream.rules.append(refuses)
    client, crew = wrap(clients.make(), identity=WHO), 16
    together = threading.Barrier(crew)

    def work(_):
        together.wait(30)
        return client.chat.completions.create(model="m", messages=[]).choices[0].message.content

    async def main():
        with ThreadPoolExecutor(crew) as pool:
            assert list(pool.map(work, range(crew))) == [TEXT] * crew
            found = carried_by(upstream)
            assert 1 <= found.count("full") <= crew
            assert len(found) - found.count("full") == crew
            upstream.take()
            assert list(pool.map(work, range(crew))) == [TEXT] * crew
            assert len(upstream.received) == crew
            assert "full" not in carried_by(upstream)

    clients.run(main())


@pytest.mark.parametrize("kind", ["async"], indirect=True)
@pytest.mark.parametrize("refuses", [unknown_to_openai, too_long_for_envoy])
def test_tasks_that_find_out_at_the_same_time(refuses, clients, upstream):
    upstream.rules.append(refuses)
    client, crew = wrap(clients.make(), identity=WHO), 50

    async def main():
        assert await asyncio.gather(*(plain(client) for _ in range(crew))) == [TEXT] * crew
        found = carried_by(upstream)
        assert 1 <= found.count("full") <= crew
        assert len(found) - found.count("full") == crew
        upstream.take()
        assert await asyncio.gather(*(plain(client) for _ in range(crew))) == [TEXT] * crew
        assert len(upstream.received) == crew
        assert "full" not in carried_by(upstream)

    clients.run(main())


# --- beside the client's own retries

SOON = {"retry-after-ms": "1"}
NEVER = threading.Event()
GOOD = None
REFUSED = refusal(400, "Unrecognized request argument supplied: hermes")
UNCLEAR = refusal(400, "Bad request")
AGAIN = Answer(400, {"error": {"message": "hermes"}}, {**SOON, "x-should-retry": "true"})
BUSY, BROKEN = Answer(429, {}, SOON), Answer(500, {}, SOON)
DROPPED, SLOW = Answer(drop=True), Answer(wait_for=NEVER)

SCRIPTS = {
    "good at once": (2, [GOOD], ["full"], None),
    "refused": (0, [REFUSED, GOOD], ["full", "headers"], None),
    "refused without a reason": (0, [UNCLEAR, GOOD], ["full", "bare"], None),
    "refused twice": (0, [REFUSED, UNCLEAR, GOOD], ["full", "headers", "bare"], None),
    "busy, then refused": (2, [BUSY, REFUSED, GOOD], ["full", "full", "headers"], None),
    "broken, then refused": (2, [BROKEN, REFUSED, GOOD], ["full", "full", "headers"], None),
    "lost, then refused": (1, [DROPPED, REFUSED, GOOD], ["full", "full", "headers"], None),
    "refused, then busy": (2, [REFUSED, BUSY, GOOD], ["full", "headers", "headers"], None),
    "refused, then lost": (1, [REFUSED, DROPPED, GOOD], ["full", "headers", "headers"], None),
    "refused, then slow": (1, [REFUSED, SLOW, GOOD], ["full", "headers", "headers"], None),
    "refused, then busy for good": (1, [REFUSED, BUSY, BUSY], ["full", "headers", "headers"], openai.RateLimitError),
    "refused, then broken for good": (0, [REFUSED, BROKEN], ["full", "headers"], openai.InternalServerError),
    "refused, then lost for good": (0, [REFUSED, DROPPED], ["full", "headers"], openai.APIConnectionError),
    "refused, then slow for good": (0, [REFUSED, SLOW], ["full", "headers"], openai.APITimeoutError),
    "refused, and bare too": (2, [UNCLEAR, UNCLEAR], ["full", "bare"], openai.BadRequestError),
    "asked by the endpoint to try again": (1, [AGAIN, AGAIN, GOOD], ["full", "full", "headers"], None),
    "busy": (1, [BUSY, GOOD], ["full", "full"], None),
    "busy, and not tried again": (0, [BUSY], ["full"], openai.RateLimitError),
    "broken for good": (1, [BROKEN, BROKEN], ["full", "full"], openai.InternalServerError),
    "lost": (0, [DROPPED], ["full"], openai.APIConnectionError),
    "lost, and tried again": (1, [DROPPED, GOOD], ["full", "full"], None),
    "slow": (0, [SLOW], ["full"], openai.APITimeoutError),
    "slow, and tried again": (1, [SLOW, GOOD], ["full", "full"], None),
}


@pytest.mark.parametrize("way", [plain, streamed])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_who_asks_again(script, way, clients, upstream):
    """Only a refusal is ours; whatever else happens is the client's, with as many retries as it was given."""
    retries, answers, expected, error = script
    NEVER.clear()
    told = iter(answers)
    upstream.rules.append(lambda _: next(told, refusal(404, "nobody asked for this")))
    timeout = 0.4 if SLOW in answers else 30

    async def main():
        client = wrap(clients.make(max_retries=retries, timeout=timeout), identity=WHO)
        if error is None:
            assert await way(client) == TEXT
        else:
            with pytest.raises(openai.APIError) as raised:
                await way(client)
            assert type(raised.value) is error

    try:
        clients.run(main())
    finally:
        NEVER.set()
    assert carried_by(upstream) == expected


@pytest.mark.parametrize("answers", [[REFUSED, BROKEN], [REFUSED, DROPPED], [UNCLEAR, UNCLEAR], [REFUSED, BUSY]])
def test_what_was_not_answered_well_is_not_remembered(answers, clients, upstream):
    upstream.queue.extend(answers)

    async def main():
        client = wrap(clients.make(), identity=WHO)
        with pytest.raises(openai.APIError):
            await ask(client)
        await ask(client)

    clients.run(main())
    assert carried(upstream.last) == "full"


def test_the_request_that_is_sent_again_keeps_the_callers_options(clients, upstream):
    upstream.queue.append(REFUSED)
    options = {"timeout": 7, "extra_query": {"a": "b"}, "extra_headers": {"X-Other": "1"}, "extra_body": {"other": 1}}
    clients.run(ask(wrap(clients.make(), identity=WHO), **options))
    refused, again = upstream.received
    assert refused.target == again.target
    for name in ("x-other", "x-stainless-read-timeout", "x-stainless-retry-count", "authorization", "content-type"):
        assert refused.header(name) == again.header(name) is not None
    assert refused.json["other"] == again.json["other"] == 1


# --- beside a host that tries again, and elsewhere


def test_a_caller_that_tries_again_makes_a_call_of_its_own_each_time(clients, upstream):
    upstream.queue.extend([BROKEN, BUSY, REFUSED, BROKEN, REFUSED])

    async def main():
        client, tries = wrap(clients.make(), identity=WHO), 0
        while True:
            tries += 1
            try:
                await ask(client)
            except openai.APIStatusError:
                continue
            return tries

    assert clients.run(main()) == 4
    assert carried_by(upstream) == ["full", "full", "full", "headers", "full", "headers"]
    told = [request.lines["request-id"] for request in upstream.received]
    assert told[2] == told[3]
    assert told[4] == told[5]
    assert len(set(told)) == 4


def test_a_fallback_to_another_endpoint_starts_with_everything(clients, upstream, elsewhere):
    """And the first one keeps its rung meanwhile."""
    upstream.rules.append(unknown_to_openai)

    async def main():
        first = wrap(clients.make(), identity=WHO)
        second = wrap(clients.make(base_url=elsewhere.base_url), identity=WHO)
        await ask(first)
        upstream.queue.append(BUSY)
        with pytest.raises(openai.RateLimitError):
            await ask(first)
        await ask(second)
        await ask(first)

    clients.run(main())
    assert carried_by(upstream) == ["full", "headers", "headers", "headers"]
    assert carried_by(elsewhere) == ["full"]
