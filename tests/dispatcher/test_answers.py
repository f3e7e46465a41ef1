"""What OpenAI's client gets from the dispatcher, over a real connection."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import logging
import uuid

import openai
import pytest
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from pydantic import BaseModel

from hermes_hints.dispatcher import Reply, create_app, running
from hermes_hints.rules import parse_rules

RULES = parse_rules(
    """
default: local-small
rules:
  - {name: cloud, match: {user_intent: force-cloud}, model: cloud-large}
  - {name: asked for, match: {model: "gpt-*"}, model: local-gpt}
  - {name: vectors, match: {api: embeddings}, model: local-vectors}
"""
)
SAID = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "what is\n the time?"}]
CLOUD = {"hermes": {"v": 1, "user_intent": "force-cloud"}}
ANSWER = "This is cloud-large. You said: what is the time?"


@pytest.fixture(scope="module")
def base_url():
    with running(RULES) as url:
        yield url


@pytest.fixture
def client(base_url):
    with OpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client:
        yield client


def test_chat_completion(client):
    answer = client.chat.completions.create(model="fake-model", messages=SAID, extra_body=CLOUD)
    assert answer.model == "cloud-large"
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("sent", "model"),
    [
        ({"extra_headers": {"X-Hermes-User-Intent": "force-cloud"}}, "cloud-large"),
        ({"extra_body": {"metadata": {"hermes_user_intent": "force-cloud"}}}, "cloud-large"),
        ({"model": "gpt-5"}, "local-gpt"),
        ({}, "local-small"),
        ({"extra_body": {"hermes": "junk", "metadata": ["junk"]}}, "local-small"),
    ],
)
def test_hints_are_read_from_every_carrier(client, sent, model):
    assert client.chat.completions.create(**{"model": "fake-model", "messages": SAID, **sent}).model == model


def test_chat_completion_is_the_same_each_time(client):
    answers = {client.chat.completions.create(model="m", messages=SAID).choices[0].message.content for _ in range(3)}
    assert answers == {"This is local-small. You said: what is the time?"}


def test_chat_completion_stream(client):
    chunks = list(client.chat.completions.create(model="m", messages=SAID, stream=True, extra_body=CLOUD))
    assert {chunk.model for chunk in chunks} == {"cloud-large"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert len(chunks) > 3
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
    assert all(chunk.usage is None for chunk in chunks)


def test_chat_completion_stream_counts_tokens_when_asked(client):
    chunks = list(
        client.chat.completions.create(model="m", messages=SAID, stream=True, stream_options={"include_usage": True})
    )
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == client.chat.completions.create(model="m", messages=SAID).usage


def test_chat_completion_stream_helper(client):
    with client.chat.completions.stream(model="m", messages=SAID, extra_body=CLOUD) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert kinds.count("content.delta") > 3
    assert kinds[-1] == "content.done"
    assert final.choices[0].message.content == ANSWER
    assert final.model == "cloud-large"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    model_config = {"extra": "forbid"}
    weight: float
    colours: list[Colour]
    sub: Part | None


class Plan(BaseModel):
    model_config = {"extra": "forbid"}
    title: str
    first: Part
    count: int
    urgent: bool
    due: dt.datetime
    key: uuid.UUID
    either: int | str


def test_structured_output(client):
    chat = client.chat.completions.parse(model="m", messages=SAID, response_format=Plan)
    assert chat.choices[0].message.parsed.title == "local-small"
    assert chat.choices[0].message.parsed.first.sub is None
    with client.chat.completions.stream(model="m", messages=SAID, response_format=Plan) as stream:
        assert stream.get_final_completion().choices[0].message.parsed.title == "local-small"

    response = client.responses.parse(model="m", input="plan", text_format=Plan)
    assert response.output_parsed == chat.choices[0].message.parsed
    with client.responses.stream(model="m", input="plan", text_format=Plan) as stream:
        assert stream.get_final_response().output_parsed == response.output_parsed

    loose = client.chat.completions.create(model="m", messages=SAID, response_format={"type": "json_object"})
    assert loose.choices[0].message.content == '{"model": "local-small"}'


@pytest.mark.parametrize("said", ["what is\n the time?", [{"role": "user", "content": "what is the time?"}]])
def test_response(client, said):
    answer = client.responses.create(model="m", input=said, extra_body=CLOUD)
    assert answer.model == "cloud-large"
    assert answer.status == "completed"
    assert answer.output_text == ANSWER
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_response_stream(client):
    events = list(client.responses.create(model="m", input="what is the time?", stream=True, extra_body=CLOUD))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].response.id == events[-1].response.id
    assert events[-1].response.output_text == ANSWER
    assert events[-1].response.model == "cloud-large"


def test_response_stream_helper(client):
    with client.responses.stream(model="m", input="what is the time?", extra_body=CLOUD) as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert len(snapshots) > 3
    assert snapshots[-1] == final.output_text == ANSWER


def test_async_client(base_url):
    async def ask():
        async with AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client:
            whole = await client.chat.completions.create(model="m", messages=SAID, extra_body=CLOUD)
            async with client.chat.completions.stream(model="m", messages=SAID, extra_body=CLOUD) as stream:
                streamed = await stream.get_final_completion()
            async with client.responses.stream(model="m", input="what is the time?", extra_body=CLOUD) as stream:
                response = await stream.get_final_response()
            return whole.choices[0].message.content, streamed.choices[0].message.content, response.output_text

    assert asyncio.run(ask()) == (ANSWER, ANSWER, ANSWER)


def test_azure_client(base_url):
    endpoint = base_url.removesuffix("/v1")
    with AzureOpenAI(azure_endpoint=endpoint, api_key="k", api_version="2024-10-21", max_retries=0) as client:
        assert client.chat.completions.create(model="dep", messages=SAID, extra_body=CLOUD).model == "cloud-large"
        assert client.responses.create(model="dep", input="hi", extra_body=CLOUD).model == "cloud-large"


def test_client_that_leaves_in_the_middle_of_a_stream_is_let_go(caplog):
    def respond(question):
        return Reply("word " * 100_000 if question.user_text() == "much" else "still here")

    with (
        running(create_app(RULES, respond=respond)) as base_url,
        OpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "much"}], stream=True)
        next(iter(stream))
        stream.close()
        assert client.chat.completions.create(model="m", messages=SAID).choices[0].message.content == "still here"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_completion(client):
    whole = client.completions.create(model="m", prompt="what is the time?", extra_body=CLOUD)
    assert whole.choices[0].text == ANSWER
    assert whole.model == "cloud-large"
    chunks = list(client.completions.create(model="m", prompt="what is the time?", stream=True, extra_body=CLOUD))
    assert "".join(chunk.choices[0].text for chunk in chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(("given", "count"), [("a", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)])
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(client, given, count, encoding):
    if encoding == "float":
        answer = client.embeddings.create(model="m", input=given, dimensions=4, encoding_format="float")
    else:  # what the client asks for, and decodes, when nothing is said
        answer = client.embeddings.create(model="m", input=given, dimensions=4)
    assert answer.model == "local-vectors"
    assert [item.embedding for item in answer.data] == [[0.5, 0.5, 0.5, 0.5]] * count
    assert [item.index for item in answer.data] == list(range(count))


def test_embeddings_are_encoded_as_asked(client):
    body = {"model": "m", "input": "a", "dimensions": 4, "encoding_format": "base64"}
    assert client.post("/embeddings", body=body, cast_to=object)["data"][0]["embedding"] == "AAAAPwAAAD8AAAA/AAAAPw=="


def test_models(client):
    assert [model.id for model in client.models.list()] == ["local-small", "cloud-large", "local-gpt", "local-vectors"]
    assert client.models.retrieve("cloud-large").id == "cloud-large"
    with pytest.raises(openai.NotFoundError, match="The model 'nope' does not exist; there are local-small"):
        client.models.retrieve("nope")


def test_every_answer_says_that_hints_are_read(client):
    for raw in (
        client.chat.completions.with_raw_response.create(model="m", messages=SAID),
        client.chat.completions.with_raw_response.create(model="m", messages=SAID, stream=True),
        client.models.with_raw_response.list(),
    ):
        assert raw.headers["X-Hermes-Hints"] == "v=1"
        raw.parse()
    with pytest.raises(openai.NotFoundError) as caught:
        client.images.generate(prompt="a cat")
    assert caught.value.response.headers["X-Hermes-Hints"] == "v=1"


def test_text_that_utf8_cannot_carry_is_answered(client):
    strange = "\ud800 José 🙂 \x00"
    body = b'{"model":"m","messages":[{"role":"user","content":"\\ud800 Jos\xc3\xa9 \\u0000"}]}'
    raw = client.post(
        "/chat/completions", content=body, cast_to=object, options={"headers": {"Content-Type": "application/json"}}
    )
    assert raw["choices"][0]["message"]["content"].startswith(f"This is local-small. You said: {strange[0]} José")
