"""The dispatcher as an ASGI application."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..loopback import error_body, is_local
from ..notices import explained
from ..receive import Headers, Verdict, read, verify
from ..rules import Choice, Rules
from ..signature import Keys
from ..values import MAX_CHARS
from ..wire import Record
from .calls import CallLog, LoggedCall
from .chat import chat_completion, chat_completion_stream, completion, completion_stream
from .embeddings import embeddings
from .problems import BadRequest, parse
from .replies import Question, Reply, Respond, canned
from .responses import response, response_stream
from .sse import encode

__all__ = ["NOTICE", "create_app"]

_log = logging.getLogger(__name__)

NOTICE = (
    "This is the embedded dispatcher of hermes-hints, for trying, testing and inspecting on one machine; "
    "its models are canned. For production use LiteLLM (https://docs.litellm.ai)."
)

_PREFIXES = ("/v1", "/openai", "/openai/deployments/{deployment}")
"""Where OpenAI's clients look: the last two are what the Azure client makes of ``azure_endpoint``."""


@dataclass(frozen=True, slots=True)
class _Api:
    name: str
    path: str
    whole: Callable[[Question, Reply], Mapping[str, Any]]
    stream: Callable[[Question, Reply], Iterator[bytes]] | None


_APIS = (
    _Api("chat.completions", "/chat/completions", chat_completion, chat_completion_stream),
    _Api("responses", "/responses", response, response_stream),
    _Api("completions", "/completions", completion, completion_stream),
    _Api("embeddings", "/embeddings", embeddings, None),
)


def create_app(
    rules: Rules, *, respond: Respond = canned, log: CallLog | None = None, key: Keys | None = None
) -> Starlette:
    """The embedded dispatcher, as an ASGI application for loopback.

    It answers OpenAI's chat completions, responses, completions, embeddings and models; ``GET /calls`` shows the log.

    Args:
        rules: choose the model for each request.
        respond: the model that answers in the name of the one chosen; a test may put a script here, plain or ``async``.
        log: where calls are kept; by default the newest 1,000, in memory.
        key: the senders' ``signing_key``; hints that are not signed with it then count for nothing.

    Raises:
        ConfigError: ``key`` is too short.
    """
    read({}, key=key)  # says at the start that a key is too short
    dispatcher = _Dispatcher(rules, respond, CallLog() if log is None else log, key)
    routes = [
        Route("/", dispatcher.about),
        Route("/calls", dispatcher.calls),
        Route("/v1/models", dispatcher.models),
        Route("/v1/models/{model:path}", dispatcher.model),
        *(
            Route(prefix + api.path, partial(dispatcher.answer, api), methods=["POST"])
            for prefix in _PREFIXES
            for api in _APIS
        ),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_ReadsHints)],
        exception_handlers={HTTPException: _refused, ClientDisconnect: _gone},
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    record: Record
    signature: Verdict | None


class _Dispatcher:
    def __init__(self, rules: Rules, respond: Respond, log: CallLog, key: Keys | None) -> None:
        self._rules = rules
        self._respond = respond
        self._calls = log
        self._key = key

    async def answer(self, api: _Api, request: Request) -> Response:
        raw = await request.body()
        headers = request.scope["headers"]
        try:
            body = parse(api.name, raw)
        except BadRequest as problem:
            self._calls.add(_logged(api, 400, self._heard(headers, None), None, {}))
            return _Json(error_body(400, str(problem), param=problem.param), 400)
        heard = self._heard(headers, body)
        choice = self._rules.choose(heard.record, model=body["model"], api=api.name)
        question = Question(api.name, body, heard.record, choice)
        reply = await self._reply(question)
        self._calls.add(_logged(api, reply.status, heard, choice, body))
        extra = dict(reply.headers)
        if reply.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
            error = reply.error or error_body(reply.status, f"The model answered {reply.status}.")
            return _Json(error, reply.status, extra)
        if api.stream is not None and body.get("stream") is True:
            stream = _each(api.stream(question, reply))
            return StreamingResponse(stream, reply.status, extra, media_type="text/event-stream")
        return _Json(api.whole(question, reply), reply.status, extra)

    def _heard(self, headers: Headers, body: object) -> _Heard:
        verdict = None if self._key is None else verify(headers, body, key=self._key)
        return _Heard(read(headers, body) if verdict in (None, "valid") else Record(), verdict)

    async def _reply(self, question: Question) -> Reply:
        if question.choice.reject is not None:
            return Reply(status=403, error=error_body(403, question.choice.reject))
        try:
            answer = self._respond(question)
            reply = cast("object", await answer if inspect.isawaitable(answer) else answer)
            if isinstance(reply, Reply):
                return reply
            _log.error("respond returned %s for a request to %s, not a Reply", type(reply).__name__, question.api)
        except Exception as error:  # noqa: BLE001 - a test's script may raise anything
            _log.error("respond failed for a request to %s (%s)", question.api, explained(error, private=True))
            _log.debug("traceback of the above", exc_info=error)
        return Reply(status=500, error=error_body(500, "The model failed; the dispatcher's log says why."))

    async def about(self, request: Request) -> Response:
        base = str(request.base_url)
        lines = [
            NOTICE,
            "",
            f"Base URL for a client: {base}v1",
            f"What it saw, and why it chose: {base}calls",
            "",
            *(f"{rule.name}: {rule} -> {rule.outcome}" for rule in self._rules.rules),
            f"default -> {self._rules.default}",
        ]
        return PlainTextResponse("\n".join(lines) + "\n")

    async def calls(self, request: Request) -> Response:
        if not is_local(request):
            raise HTTPException(403, "The calls are shown to this machine alone: ask http://127.0.0.1 for them.")
        calls = [call.json() for call in self._calls.calls()]
        return _Json({"notice": NOTICE, "seen": self._calls.seen, "calls": calls})

    async def models(self, _: Request) -> Response:
        return _Json({"object": "list", "data": [_model(name) for name in self._rules.models]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["model"]
        if name not in self._rules.models:
            raise HTTPException(404, f"The model {name!r} does not exist; there are {', '.join(self._rules.models)}.")
        return _Json(_model(name))


class _Json(Response):
    media_type = "application/json"

    def __init__(self, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(encode(content), status, headers)


class _ReadsHints:
    """Says in every answer that hints are read here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-hermes-hints", b"v=1")]
            await send(message)

        await self._app(scope, receive, announce)


async def _each(events: Iterator[bytes]) -> AsyncIterator[bytes]:
    for event in events:
        yield event
        await asyncio.sleep(0)  # lets other requests in, and a client's going away be noticed


def _logged(api: _Api, status: int, heard: _Heard, choice: Choice | None, body: Mapping[str, Any]) -> LoggedCall:
    return LoggedCall(
        api=api.name,
        asked_model=body["model"][:MAX_CHARS] if body else None,
        chosen_model=choice.model if choice else None,
        rule=choice.rule_name if choice else None,
        reason=choice.reason if choice else None,
        record=heard.record.model_dump(mode="json", exclude_none=True, exclude={"v"}),
        streamed=body.get("stream") is True,
        status=status,
        signature=heard.signature,
    )


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "hermes-hints"}


async def _refused(request: Request, error: Exception) -> Response:
    status, said, headers = 500, "", None
    if isinstance(error, HTTPException):
        status, said, headers = error.status_code, error.detail, error.headers
    where = f"{request.method} {request.scope['path']}"
    if status == 404 and said == "Not Found":  # noqa: PLR2004
        said = f"There is no {where} here. {NOTICE}"
    elif status == 405:  # noqa: PLR2004
        said = f"{where}: this method is not allowed here."
    return _Json(error_body(status, said), status, headers)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)
