"""With a signing key every request that carries hints carries a signature that its receiver can check."""

from __future__ import annotations

import pytest
from clients import ask, each
from upstream import refusal

from hermes_hints import hint, wrap
from hermes_hints.receive import read, verify

KEY = "a key that two programs share"
WHO = {"user_id": "@josé:example.org", "chat_id": "!ops", "session_id": "conversation-1"}
SIGNED = {"settings": {"signing_key": KEY}, "identity": WHO}


def verdict(request, key=KEY):
    return verify(request.pairs, request.body, key=key)


@pytest.mark.parametrize("profile", ["dispatcher", "headers"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_arrives_is_signed(profile, stream, clients, upstream):
    async def main():
        with hint(user_intent="force-cloud", ext={"acme.load": 0.5}):
            answer = await ask(wrap(clients.make(), **SIGNED, profile=profile), stream=stream)
            if stream:
                await each(answer)

    clients.run(main())
    assert verdict(upstream.only) == "valid"
    assert verdict(upstream.only, "a key that somebody made up") == "forged"
    assert read(upstream.only.pairs, upstream.only.body, key=KEY).user_intent == "force-cloud"


def test_what_the_caller_put_there_is_signed_with_the_rest(clients, upstream):
    mine = {"metadata": {"hermes_cost_center": "7"}, "hermes": {"priority": "high", "unknown": [1]}}

    clients.run(ask(wrap(clients.make(), **SIGNED), extra_body=mine, extra_headers={"x-hermes-purpose": "a test"}))

    record = read(upstream.only.pairs, upstream.only.body, key=KEY)
    assert (record.cost_center, record.priority, record.purpose) == ("7", "high", "a test")
    assert record.user_id == WHO["user_id"]


def test_on_a_lower_rung_what_is_left_is_signed(clients, upstream):
    upstream.queue.append(refusal(400, "Unknown parameter: 'hermes'."))

    clients.run(ask(wrap(clients.make(), **SIGNED)))

    first, second = upstream.received
    assert verdict(first) == verdict(second) == "valid"
    assert first.lines["hints-signature"] != second.lines["hints-signature"]
    assert "hermes" not in second.json


def test_a_retry_of_the_client_is_signed(clients, upstream):
    upstream.queue.append(refusal(500, "Try again."))

    clients.run(ask(wrap(clients.make(max_retries=1), **SIGNED)))

    assert [verdict(request) for request in upstream.received] == ["valid", "valid"]


def test_a_request_that_stays_bare_has_no_signature(clients, upstream):
    settings = {"endpoints": [{"match": "127.0.0.1", "profile": "off"}], "signing_key": KEY}

    clients.run(ask(wrap(clients.make(), identity=WHO, settings=settings)))

    assert upstream.only.bare
