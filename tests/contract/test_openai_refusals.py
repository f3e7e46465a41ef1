"""What a refusal may be: a sign that the request was executed, and any form at all. It reaches the caller as it is."""

from __future__ import annotations

import openai
import pytest
from clients import ask, result
from upstream import Answer, refusal

from hermes_hints import ladder, wrap

WHO = {"user_id": "alice", "session_id": "conversation-1"}


BUDGET = {"message": "End User=alice over budget", "type": "budget_exceeded", "param": None, "code": "422"}
EXECUTED = {
    "groq, a tool": refusal(400, "Failed to call a function. See 'failed_generation'.", code="tool_use_failed"),
    "groq, json": refusal(400, "Failed to generate JSON, hermes", code="json_validate_failed"),
    "groq, tokens": refusal(413, "Request too large for model: tokens per minute", code="rate_limit_exceeded"),
    "azure, content": refusal(400, "The response was filtered", code="content_filter"),
    "litellm, a user's budget": Answer(422, {"error": BUDGET}),
}


@pytest.mark.parametrize("answer", EXECUTED.values(), ids=EXECUTED)
def test_a_refusal_of_what_the_model_or_the_caller_said(answer, clients, upstream):
    upstream.rules.append(lambda _: answer)
    with pytest.raises(openai.APIStatusError, match=answer.content["error"]["message"]):
        clients.run(ask(wrap(clients.make(), identity=WHO)))
    assert upstream.only.hermes["user_id"] == "alice"


class BlockedError(Exception):
    """What a guardrail raises that has read an answer and does not like it."""

    status_code = 400
    body = param = "hermes"


def test_a_wrapper_below_that_refuses_an_answer(clients, upstream):
    client = clients.make()
    inner = client.request

    def blocking(*args, **kwargs):
        inner(*args, **kwargs)
        raise BlockedError

    async def blocking_async(*args, **kwargs):
        await inner(*args, **kwargs)
        raise BlockedError

    client.request = blocking_async if clients.asynchronous else blocking
    with pytest.raises(BlockedError):
        clients.run(ask(wrap(client, identity=WHO)))
    assert upstream.only.hermes["user_id"] == "alice"


class UnreadableError(openai.BadRequestError):
    """What a wrapper may make of a refusal."""

    @property
    def param(self):
        raise ZeroDivisionError

    @param.setter
    def param(self, value): ...


def test_an_error_that_cannot_be_read(clients, upstream):
    upstream.queue.append(refusal(400, "Unknown parameter: 'hermes'."))
    client = clients.make()
    inner = client.request

    def unreadable(error):
        return UnreadableError("no", response=error.response, body=None)

    def failing(*args, **kwargs):
        try:
            return inner(*args, **kwargs)
        except openai.BadRequestError as error:
            raise unreadable(error) from None

    async def failing_async(*args, **kwargs):
        try:
            return await inner(*args, **kwargs)
        except openai.BadRequestError as error:
            raise unreadable(error) from None

    client.request = failing_async if clients.asynchronous else failing
    with pytest.raises(UnreadableError):
        clients.run(ask(wrap(client, identity=WHO)))
    assert upstream.only.hermes["user_id"] == "alice"


def test_a_good_answer_stays_one_where_the_rung_cannot_be_remembered(clients, upstream, monkeypatch, caplog):
    upstream.rules.append(lambda request: refusal(400, "no 'hermes'") if "hermes" in request.json else None)

    def settle(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(ladder.Ladder, "settle", settle)
    assert clients.run(ask(wrap(clients.make(), identity=WHO))).choices[0].message.content == '{"answer": 42}'
    assert "could not be remembered" in caplog.text


def test_an_answer_that_the_client_itself_refuses(clients, upstream):
    message = {"role": "assistant", "content": '{"answer":'}
    choice = {"index": 0, "finish_reason": "length", "message": message}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    upstream.rules.append(lambda _: Answer(content=answer))
    shape = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}}}

    async def main():
        client = wrap(clients.make(), identity=WHO)
        await result(client.chat.completions.parse(model="m", messages=[], response_format=shape))

    with pytest.raises(openai.LengthFinishReasonError):
        clients.run(main())
    assert upstream.only.hermes["user_id"] == "alice"


STRANGE = {
    "a code that is an object": {"error": {"message": "no", "code": {"hermes": 1}}},
    "a code that is a list": {"error": {"message": "no", "code": ["hermes"]}},
    "a code that is a number": {"error": {"message": "no", "code": 400}},
    "a parameter that is an object": {"error": {"message": "no", "param": {"a": [1]}}},
    "an error that is text": {"error": "no"},
    "an error that is a list": [{"error": {"message": "no"}}],
    "nothing": None,
    "a number": 5,
    "text": "no",
    "no JSON": b'{"error": ',
    "no text": b"\xff\xfe\x00\xd8",
    "a megabyte": {"error": {"message": "hermes " * 150_000}},
    **{f"{depth} deep": b"[" * depth + b"]" * depth for depth in (100, 500, 900, 960, 2000, 100_000)},
}


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
def test_a_refusal_in_a_strange_form(content, status, clients, upstream):
    upstream.rules.append(lambda _: Answer(status, content, {"content-type": "application/json"}))
    found = []

    async def main():
        for client in (clients.make(), wrap(clients.make(), identity=WHO)):
            with pytest.raises(openai.APIStatusError) as raised:
                await ask(client)
            found.append((type(raised.value), raised.value.message, raised.value.response.content))

    clients.run(main())
    assert found[0] == found[1]
    assert len(upstream.received) <= 4
