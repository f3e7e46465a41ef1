"""Clients of all four kinds, and one way of writing a test for those that wait and those that are awaited."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import model_answers
import openai
from upstream import Received, Upstream

KINDS = ("sync", "async", "azure", "async-azure")
PLAIN = ("sync", "async")

UNHURRIED = {"budget_ms": 1000}
"""Settings for tests whose plugins are not tested for time, as the machine may be busy."""

_CLASSES = {
    "sync": openai.OpenAI,
    "async": openai.AsyncOpenAI,
    "azure": openai.AzureOpenAI,
    "async-azure": openai.AsyncAzureOpenAI,
}


class Clients:
    """Makes clients of one kind and closes them."""

    def __init__(self, kind: str, upstream: Upstream) -> None:
        self.kind = kind
        self.upstream = upstream
        self._made: list[Any] = []

    @property
    def type(self) -> type[Any]:
        return _CLASSES[self.kind]

    @property
    def asynchronous(self) -> bool:
        return "async" in self.kind

    def make(self, **options: Any) -> Any:
        """A client of the upstream, without retries unless asked for, and with the SDK's own HTTP client."""
        options = {"api_key": "k", "max_retries": 0, **options}
        if "azure" in self.kind:
            options = {"api_version": "2025-01-01", **options}
            if "base_url" not in options:
                options.setdefault("azure_endpoint", self.upstream.origin)
        else:
            options.setdefault("base_url", self.upstream.base_url)
        return self.adopt(self.type(**options))

    def adopt(self, client: Any) -> Any:
        """Close this client too."""
        self._made.append(client)
        return client

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run a test's coroutine to its end; the clients are closed in the same event loop."""

        async def whole() -> Any:
            try:
                return await main
            finally:
                for client in self._made:
                    await result(client.close())

        return asyncio.run(whole())


class Network:
    """Any host there is, without leaving the process: what clients with its ``http_client`` send arrives here."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.rules: list[Callable[[httpx.Request], httpx.Response | None]] = []
        """Asked in order for an answer that is not a model's."""

    def http_client(self, kind: str) -> Any:
        transport = httpx.MockTransport(self._answer)
        return httpx.AsyncClient(transport=transport) if "async" in kind else httpx.Client(transport=transport)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        lines = b"\r\n".join(name + b": " + value for name, value in request.headers.raw)
        line = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\n"
        self.received.append(Received(line.encode() + lines, request.content))
        for rule in self.rules:
            if (answer := rule(request)) is not None:
                return answer
        content, _ = model_answers.to(request.method, request.url.path, request.content)
        return httpx.Response(200, json=content)


async def result(value: Any) -> Any:
    """What a call gives, whether the client waits for it or it is to be awaited."""
    return await value if inspect.isawaitable(value) else value


async def each(stream: Any) -> list[Any]:
    """Everything in a stream of either kind."""
    return [item async for item in stream] if hasattr(stream, "__aiter__") else list(stream)


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of either kind."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


async def ask(client: Any, **options: Any) -> Any:
    """The plainest LLM call there is."""
    options = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **options}
    return await result(client.chat.completions.create(**options))
