"""A test's own model in place of the canned one: tool calls, errors, headers."""

from __future__ import annotations

import asyncio
import json
import logging

import openai
import pytest
from openai import OpenAI

from hermes_hints.dispatcher import CallLog, Reply, ToolCall, canned, create_app, running
from hermes_hints.rules import Choice, parse_rules

RULES = parse_rules("default: small\nrules:\n  - {match: {user_id: alice}, model: large}\n")
SAID = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]
FLAT_TOOLS = [
    {"type": "function", "name": "look_up", "strict": None, "parameters": {"type": "object", "properties": {}}}
]
CALLS = (
    ToolCall("look_up", {"what": "the weather in Graz"}, id="call_1"),
    ToolCall("look_up", '{"what": "raw text"}'),
)


@pytest.fixture
def serve():
    """Start a dispatcher with a script, hand out a client; all are closed at the end."""
    open_now = []

    def start(respond, log=None):
        server = running(create_app(RULES, respond=respond, log=log or CallLog()))
        client = OpenAI(base_url=server.__enter__(), api_key="sk-test", max_retries=0)
        open_now.extend([server, client])
        return client

    yield start
    for one in reversed(open_now):
        one.__exit__(None, None, None)


def test_script_is_given_the_question(serve):
    asked = []

    def respond(question):
        asked.append(question)
        return Reply("scripted")

    client = serve(respond)
    answer = client.chat.completions.create(model="m", messages=SAID, extra_body={"hermes": {"user_id": "alice"}})
    assert (answer.choices[0].message.content, answer.model) == ("scripted", "large")
    (question,) = asked
    assert question.api == "chat.completions"
    assert question.body["messages"] == SAID
    assert question.record.user_id == "alice"
    assert question.choice == Choice("large", "rule 1", "user_id is 'alice'")
    assert question.user_text() == "hi"


def test_tool_calls_in_a_chat_completion(serve):
    client = serve(lambda _: Reply(tool_calls=CALLS))
    choice = client.chat.completions.create(model="m", messages=SAID, tools=TOOLS).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert [json.loads(call.function.arguments)["what"] for call in choice.message.tool_calls] == [
        "the weather in Graz",
        "raw text",
    ]
    first, second = choice.message.tool_calls
    assert first.id == "call_1"
    assert second.id.startswith("call_")
    assert second.id != first.id


def test_tool_calls_in_a_chat_stream(serve):
    client = serve(lambda _: Reply("Let me see.", CALLS))
    with client.chat.completions.stream(model="m", messages=SAID, tools=TOOLS) as stream:
        kinds = {event.type for event in stream}
        choice = stream.get_final_completion().choices[0]
    assert "tool_calls.function.arguments.done" in kinds
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    assert [call.function.name for call in choice.message.tool_calls] == ["look_up", "look_up"]
    assert [json.loads(call.function.arguments)["what"] for call in choice.message.tool_calls] == [
        "the weather in Graz",
        "raw text",
    ]


def test_tool_calls_in_a_response(serve):
    client = serve(lambda _: Reply(tool_calls=CALLS))
    whole = client.responses.create(model="m", input="hi", tools=FLAT_TOOLS)
    with client.responses.stream(model="m", input="hi", tools=FLAT_TOOLS) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_response()
    assert kinds.count("response.function_call_arguments.done") == 2
    for answer in (whole, streamed):
        assert [item.type for item in answer.output] == ["function_call", "function_call"]
        assert [json.loads(item.arguments)["what"] for item in answer.output] == ["the weather in Graz", "raw text"]
        assert answer.output[0].call_id == "call_1"


@pytest.mark.parametrize("stream", [False, True])
def test_scripted_error(serve, stream):
    body = {"error": {"message": "Unknown parameter: 'hermes'.", "type": "invalid_request_error", "param": "hermes"}}
    client = serve(lambda _: Reply(status=400, error=body, headers={"X-Why": "strict"}))
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'hermes'") as caught:
        client.chat.completions.create(model="m", messages=SAID, stream=stream)
    assert caught.value.param == "hermes"
    assert caught.value.response.headers["X-Why"] == "strict"
    assert caught.value.response.json() == body


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
def test_scripted_status_alone(serve, status, error):
    client = serve(lambda _: Reply(status=status))
    for ask in (
        lambda: client.chat.completions.create(model="m", messages=SAID),
        lambda: client.responses.create(model="m", input="hi", stream=True),
        lambda: client.completions.create(model="m", prompt="hi"),
        lambda: client.embeddings.create(model="m", input="hi"),
    ):
        with pytest.raises(error, match=f"The model answered {status}"):
            ask()


def test_error_once_then_an_answer(serve):
    replies = iter([Reply(status=400), Reply("good now")])
    client = serve(lambda _: next(replies))
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="m", messages=SAID)
    assert client.chat.completions.create(model="m", messages=SAID).choices[0].message.content == "good now"


@pytest.mark.parametrize("stream", [False, True])
def test_headers_of_an_answer(serve, stream):
    client = serve(lambda _: Reply("yes", headers={"x-litellm-version": "1"}))
    raw = client.chat.completions.with_raw_response.create(model="m", messages=SAID, stream=stream)
    assert raw.headers["x-litellm-version"] == "1"
    raw.parse()


def test_cut_off_answers(serve):
    client = serve(lambda _: Reply("once upon a", finish_reason="length"))
    assert client.chat.completions.create(model="m", messages=SAID).choices[0].finish_reason == "length"
    whole = client.responses.create(model="m", input="hi")
    last = list(client.responses.create(model="m", input="hi", stream=True))[-1]
    assert last.type == "response.incomplete"
    for answer in (whole, last.response):
        assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_async_scripts_wait_side_by_side(serve):
    both = asyncio.Barrier(2)

    async def respond(question):
        await both.wait()
        return canned(question)

    client = serve(respond)

    async def ask():
        return await asyncio.gather(
            *(asyncio.to_thread(client.chat.completions.create, model="m", messages=SAID) for _ in range(2))
        )

    answers = asyncio.run(ask())
    assert [answer.choices[0].message.content for answer in answers] == ["This is small. You said: hi"] * 2


@pytest.mark.parametrize("junk", [None, "text", {"text": "no Reply"}])
def test_script_that_fails_costs_its_own_request_only(serve, caplog, junk):
    log = CallLog()

    def respond(question):
        if question.user_text() == "fail":
            msg = "the script is broken"
            raise RuntimeError(msg)
        return junk if question.user_text() == "junk" else Reply("fine")

    client = serve(respond, log)
    for text in ("fail", "junk"):
        with (
            caplog.at_level(logging.ERROR, "hermes_hints.dispatcher"),
            pytest.raises(openai.InternalServerError, match="The model failed; the dispatcher's log says why"),
        ):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("respond failed for a request to chat.completions (RuntimeError at test_scripts.py:")
    assert said[1] == f"respond returned {type(junk).__name__} for a request to chat.completions, not a Reply"
    assert client.chat.completions.create(model="m", messages=SAID).choices[0].message.content == "fine"
    assert [call.status for call in log.calls()] == [500, 500, 200]
