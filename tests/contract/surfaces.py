"""Every surface of the SDK through which an LLM call can leave.

Each is a coroutine function that takes a client of any kind and gives what its caller would see, as values that can be
compared: types and contents.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from clients import each, entered, result
from pydantic import BaseModel

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüß Gott"}]
TOOL = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object"}}}
CHAT = {"model": "m", "messages": MESSAGES}
ASK = {"model": "m", "input": "Grüß Gott"}


class Reply(BaseModel):
    answer: int


@dataclass(frozen=True)
class Surface:
    name: str
    call: Callable[[Any], Awaitable[Any]]
    ends: str
    """How the path ends."""
    body: bool = True
    """Whether the body may carry anything."""
    plain: bool = False
    """Whether Azure has no such thing."""


SURFACES: list[Surface] = []


def surface(ends: str, **more: Any) -> Callable[[Callable[[Any], Awaitable[Any]]], Callable[[Any], Awaitable[Any]]]:
    def add(call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        SURFACES.append(Surface(call.__name__, call, ends, **more))
        return call

    return add


def seen(value: Any) -> Any:
    """A value with its type, as far down as its owner would look."""
    return (type(value), value.model_dump(warnings=False) if isinstance(value, BaseModel) else value)


async def streamed(stream: Any) -> Any:
    return type(stream), [seen(event) for event in await each(stream)]


@surface("/chat/completions")
async def chat_create(client):
    return seen(await result(client.chat.completions.create(**CHAT, temperature=0.5, tools=[TOOL])))


@surface("/chat/completions")
async def chat_parse(client):
    answer = await result(client.chat.completions.parse(**CHAT, response_format=Reply))
    assert answer.choices[0].message.parsed == Reply(answer=42)
    return seen(answer)


@surface("/chat/completions")
async def chat_create_stream(client):
    return await streamed(await result(client.chat.completions.create(**CHAT, stream=True)))


@surface("/chat/completions")
async def chat_stream_helper(client):
    async with entered(client.chat.completions.stream(**CHAT, response_format=Reply)) as stream:
        events = await streamed(stream)
        return events, seen(await result(stream.get_final_completion()))


@surface("/responses")
async def responses_create(client):
    return seen(await result(client.responses.create(**ASK)))


@surface("/responses")
async def responses_create_stream(client):
    return await streamed(await result(client.responses.create(**ASK, stream=True)))


@surface("/responses")
async def responses_stream_helper(client):
    async with entered(client.responses.stream(**ASK, text_format=Reply)) as stream:
        events = await streamed(stream)
        return events, seen(await result(stream.get_final_response()))


@surface("/responses")
async def responses_parse(client):
    answer = await result(client.responses.parse(**ASK, text_format=Reply))
    assert answer.output_parsed == Reply(answer=42)
    return seen(answer)


@surface("/responses/compact", body=False)
async def responses_compact(client):
    return seen(await result(client.responses.compact(**ASK)))


@surface("/chat/completions")
async def beta_chat(client):
    return seen(await result(client.beta.chat.completions.parse(**CHAT, response_format=Reply)))


@surface("/responses")
async def beta_responses(client):
    # Only 3.x has them; in 2.x the surface is the plain one.
    responses = getattr(client.beta, "responses", client.responses)
    return seen(await result(responses.create(**ASK)))


@surface("/completions")
async def completions_create(client):
    return seen(await result(client.completions.create(model="m", prompt="Hi")))


@surface("/completions")
async def completions_stream(client):
    return await streamed(await result(client.completions.create(model="m", prompt="Hi", stream=True)))


@surface("/embeddings")
async def embeddings(client):
    return seen(await result(client.embeddings.create(model="m", input=["a", "b"])))


@surface("/images/generations", body=False)
async def images(client):
    return seen(await result(client.images.generate(model="m", prompt="A cat")))


@surface("/images/generations", body=False)
async def images_stream(client):
    return await streamed(await result(client.images.generate(model="m", prompt="A cat", stream=True)))


@surface("/messages")
async def messages_by_post(client):
    return seen(await result(client.post("/messages", body={"model": "m", "max_tokens": 9}, cast_to=object)))


@surface("/chat/completions", plain=True)
async def absolute_url_of_the_same_origin(client):
    url = str(client.base_url) + "chat/completions"
    return seen(await result(client.post(url, body=dict(CHAT), cast_to=object)))


@surface("/chat/completions")
async def with_options(client):
    return seen(await result(client.with_options(timeout=9).chat.completions.create(**CHAT)))


@surface("/chat/completions")
async def copy_of_a_copy(client):
    twin = client.copy(timeout=9).copy(default_headers={"X-Other": "1"}).with_options(max_retries=0)
    assert type(twin) is type(client)
    return seen(await result(twin.chat.completions.create(**CHAT)))


@surface("/chat/completions")
async def with_raw_response(client):
    raw = await result(client.chat.completions.with_raw_response.create(**CHAT))
    return type(raw), raw.status_code, raw.headers["x-request-id"], seen(raw.parse())


@surface("/chat/completions")
async def with_raw_response_stream(client):
    raw = await result(client.chat.completions.with_raw_response.create(**CHAT, stream=True))
    return type(raw), await streamed(raw.parse())


@surface("/chat/completions")
async def client_with_raw_response(client):
    raw = await result(client.with_raw_response.chat.completions.create(**CHAT))
    return type(raw), seen(raw.parse())


@surface("/responses")
async def with_streaming_response(client):
    async with entered(client.responses.with_streaming_response.create(**ASK)) as raw:
        return type(raw), raw.status_code, seen(await result(raw.parse()))


@surface("/chat/completions")
async def with_streaming_response_lines(client):
    async with entered(client.chat.completions.with_streaming_response.create(**CHAT, stream=True)) as raw:
        return type(raw), await each(raw.iter_lines())
