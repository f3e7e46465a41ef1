"""A crowd on one wrapped client, and an endpoint within the process that checks each of their requests.

The endpoint turns strict and back for one model after another, by a clock that goes with its requests, so that what
the client remembers of a refusal runs out many times in a run.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import json
import random
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import model_answers
import openai

from hermes_hints import Hints, hint, hookimpl, identify, wrap
from hermes_hints.plugins import registry

http = importlib.import_module("httpx2" if openai.__version__.startswith("3.") else "httpx")

PEOPLE = 300
LOWER = {"names the field": "headers", "validates": "headers", "does not say why": "bare", "too large": "bare"}
"""What each model that is strict at times takes then."""
STRICT = {model: (number, number + 6) for number, model in enumerate(LOWER, 1)}
"""The phases in which it is."""
MODELS = ("always kind", *LOWER)
PHASES = 12
_REFUSALS = {
    "names the field": (
        400,
        {"error": {"message": "Unrecognized request argument supplied: hermes", "param": "hermes"}},
    ),
    "does not say why": (400, {"error": {"message": "Bad request"}}),
    "too large": (413, {"error": {"message": "Payload too large"}}),
    "validates": (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "hermes"]}]}),
}
_PLAIN = json.dumps(model_answers.to("POST", "/chat/completions", b"{}")[0]).encode()
_EVENTS = "".join(
    f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"
    for _, data in model_answers.to("POST", "/chat/completions", b'{"stream": true}')[1] or ()
).encode()


def said_of(number: int) -> dict[str, Any]:
    """All that the request of this number may say of who asks, and for what."""
    person = number % PEOPLE
    return {
        "user_id": f"user-{person}",
        "chat_id": f"room-{person % 7}-of-{person}",
        "session_id": f"session-{person:06}",
        "user_intent": f"intent-{number % 11}",
        "cost_center": f"paid-by-user-{person}",
    }


class Generous:
    """A hint plugin that tells from who is calling."""

    @hookimpl
    def contribute_hints(self, identity):
        return {"cost_center": f"paid-by-{identity.user_id}"}


class Unsteady:
    """A hint plugin that fails in another way each time, and mostly does."""

    def __init__(self) -> None:
        self._dice = random.Random(4)

    @hookimpl
    def contribute_hints(self, call, identity):
        match self._dice.randrange(8):
            case 0:
                raise RuntimeError(identity.user_id)
            case 1:
                return {"user_id": "somebody else", "chat_id": "elsewhere"}
            case 2:
                return [call]
            case 3:
                return {"user_intent": "x" * 100_000}
            case 4:
                return Hints(cost_center="nobody")
            case 5:
                identify(user_id="somebody else").__enter__()
            case 6:
                raise SystemExit
        return None


class Watching:
    """An observer that fails now and then."""

    def __init__(self) -> None:
        self._turns = itertools.count()

    @hookimpl
    def request_stamped(self, record, carriers):
        carriers.headers["X-Hermes-User-Id"] = "somebody else"
        if next(self._turns) % 3 == 0:
            raise ValueError(record.user_id)


class Endpoint:
    """Answers good and strict requests, and counts the ones that are wrong."""

    def __init__(self, requests: int) -> None:
        self.answered = bytearray(requests)
        self.refused = bytearray(requests)
        self.wrong: list[str] = []
        self.seen: Counter[tuple[int, str, str]] = Counter()
        self.refusals: Counter[tuple[int, str]] = Counter()
        self._length = requests // PHASES
        self._arrived = 0
        self._counting = threading.Lock()

    @property
    def now(self) -> float:
        """The time in seconds: a phase is two hours, and no rung is held for longer than one."""
        return self._arrived * 2 * 3600 / self._length

    def carried(self, model: str, phases: Iterable[int]) -> set[str]:
        """How much the good requests for a model carried in some of the phases."""
        return {
            carried for phase in phases for carried in ("full", "headers", "bare") if self.seen[phase, model, carried]
        }

    def answer(self, request: Any) -> Any:
        """What the endpoint makes of a request."""
        with self._counting:
            phase = min(self._arrived // self._length, PHASES - 1)
            self._arrived += 1
        body = json.loads(request.read())
        number, model = body["seed"], body["model"]
        carried = "full" if "hermes" in body else "headers" if "x-hermes-user-id" in request.headers else "bare"
        self._check(request, body, said_of(number), carried)
        if self.refused[number] and carried != LOWER[model]:
            self.wrong.append(f"{number} was refused and came again with {carried}")
        if carried == "full" and phase in STRICT.get(model, ()):
            self.refused[number] += 1
            self.refusals[phase, model] += 1
            status, content = _REFUSALS[model]
            return http.Response(status, json=content)
        self.seen[phase, model, carried] += 1
        self.answered[number] += 1
        kind = "text/event-stream" if body.get("stream") else "application/json"
        lines = {"content-type": kind, "x-request-id": str(number)}
        return http.Response(200, headers=lines, content=_EVENTS if body.get("stream") else _PLAIN)

    def _check(self, request: Any, body: dict[str, Any], truth: dict[str, Any], carried: str) -> None:
        lines = {
            name[9:].replace("-", "_"): value for name, value in request.headers.items() if name[:9] == "x-hermes-"
        }
        # The header of the session carries the conversation, which is the session where nobody says otherwise.
        found = [{key: value for key, value in lines.items() if key in truth}]
        if carried == "full":
            found += [body["hermes"], {key[7:]: value for key, value in body["metadata"].items()}]
        for carrier in found if carried != "bare" else ():
            if any(carrier.get(key) != value for key, value in truth.items()):
                self.wrong.append(f"{truth} asked, and what arrived says {carrier}")
        if carried == "headers" and (body.get("user", truth["user_id"]) != truth["user_id"] or "metadata" in body):
            self.wrong.append(f"{truth} asked with headers only, and the body says {body}")
        if carried == "bare" and (lines or body.keys() & {"metadata", "user"}):
            self.wrong.append(f"{truth} asked bare, and still carries {lines} and {body}")

    def transport(self) -> Any:
        """A transport that leads here."""
        return http.MockTransport(self.answer)

    def asynchronous_transport(self) -> Any:
        """The same for tasks, of which another one runs before each is answered."""

        async def answer(request: Any) -> Any:
            await asyncio.sleep(0)
            return self.answer(request)

        return http.MockTransport(answer)


class Crowd:
    """Callers of one client, each of whom takes the next number until there is none left."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.failed: list[BaseException] = []
        self.asked = 0
        self.memory: list[int] = []
        self._numbers = itertools.count()
        self._limit = 0

    def _request(self) -> tuple[int, dict[str, Any]] | None:
        number = next(self._numbers)
        if number >= self._limit:
            return None
        options = {"model": MODELS[number // 7 % len(MODELS)], "messages": [], "seed": number}
        return number, {**options, "stream": True} if number % 20 == 0 else options

    def threads(self, crew: int, requests: int) -> None:
        """Ask ``requests`` times from ``crew`` threads."""
        client = self._wrapped(openai.OpenAI, http.Client, self.endpoint.transport())

        def work() -> None:
            try:
                while (found := self._request()) is not None:
                    number, options = found
                    with self._scopes(number)[0], self._scopes(number)[1]:
                        raw = client.chat.completions.with_raw_response.create(**options)
                    stream = raw.parse()
                    text = (
                        "".join(self._piece(chunk) for chunk in stream) if "stream" in options else self._text(stream)
                    )
                    self._done(number, raw, text)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is a failure
                self.failed.append(error)

        for part in self._parts(requests):
            self._limit = part
            running = [threading.Thread(target=work) for _ in range(crew)]
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()
            self._measure()
        client.close()

    async def tasks(self, crew: int, requests: int) -> None:
        """Ask ``requests`` times from ``crew`` tasks."""
        client = self._wrapped(openai.AsyncOpenAI, http.AsyncClient, self.endpoint.asynchronous_transport())

        async def work() -> None:
            try:
                while (found := self._request()) is not None:
                    number, options = found
                    with self._scopes(number)[0], self._scopes(number)[1]:
                        raw = await client.chat.completions.with_raw_response.create(**options)
                    stream = raw.parse()
                    pieces = (
                        [self._piece(chunk) async for chunk in stream] if "stream" in options else [self._text(stream)]
                    )
                    self._done(number, raw, "".join(pieces))
            except BaseException as error:  # noqa: BLE001 - likewise
                self.failed.append(error)

        for part in self._parts(requests):
            self._limit = part
            await asyncio.gather(*(work() for _ in range(crew)))
            gc.collect()
            await asyncio.sleep(0)  # the generators of streams are closed by the event loop
            self._measure()
        await client.close()

    @staticmethod
    def _wrapped(sdk: Any, inner: Any, transport: Any) -> Any:
        client = sdk(
            api_key="k", base_url="http://llm.internal/v1", max_retries=0, http_client=inner(transport=transport)
        )
        wrap(client, identity={"user_id": "nobody in particular"}, settings={})
        # An hour: what is late on a busy machine is lost, and here nothing may be.
        registry._given = registry._settings.model_copy(update={"budget_ms": 3_600_000})
        return client

    def _parts(self, requests: int) -> tuple[int, ...]:
        """After the first part caches are full; the number goes on from there."""
        self._numbers = itertools.count()
        return (requests // 5, requests)

    def _measure(self) -> None:
        # Those who found no number left took one each.
        self._numbers = itertools.count(self._limit)
        gc.collect()
        self.memory.append(sys.getallocatedblocks())

    @staticmethod
    def _scopes(number: int) -> tuple[Any, Any]:
        truth = said_of(number)
        who = {key: truth[key] for key in ("user_id", "chat_id", "session_id")}
        return identify(**who), hint(user_intent=truth["user_intent"])

    @staticmethod
    def _text(answer: Any) -> str:
        return answer.choices[0].message.content

    @staticmethod
    def _piece(chunk: Any) -> str:
        return chunk.choices[0].delta.content or ""

    def _done(self, number: int, raw: Any, text: str) -> None:
        if text != model_answers.TEXT or raw.headers["x-request-id"] != str(number):
            self.endpoint.wrong.append(f"{number} got the answer to {raw.headers['x-request-id']}: {text!r}")
