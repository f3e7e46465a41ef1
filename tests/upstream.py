"""A model endpoint on loopback that keeps the bytes it is sent.

`Upstream` records every request as it arrived and answers from `model_answers`, unless a test scripts otherwise: `queue`
for the next answers in order, `rules` for answers that depend on the request.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Self

import model_answers

OURS = "x-hermes-"


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    head: bytes
    """The request line and all header lines."""
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> str | None:
        values = [value for given, value in self.pairs if given.lower() == name.lower()]
        assert len(values) < 2, f"{name} arrived {len(values)} times: {values}"
        return values[0] if values else None

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def hermes(self) -> Any:
        return self.json.get("hermes")

    @property
    def metadata(self) -> Any:
        return self.json.get("metadata")

    @property
    def lines(self) -> dict[str, str]:
        """Our headers, by name without the prefix, in lower case."""
        names = [name.lower() for name, _ in self.pairs if name.lower().startswith(OURS)]
        assert len(names) == len(set(names)), f"repeated headers: {names}"
        return {name.removeprefix(OURS): self.header(name) or "" for name in names}

    @property
    def bare(self) -> bool:
        """Whether nothing of ours arrived, in any carrier."""
        return not self.lines and b"hermes" not in self.body.lower() and b"hermes" not in self.target.encode().lower()


@dataclass(frozen=True)
class Answer:
    """What to answer: ``content`` is bytes, a JSON value, or a list of server-sent events as (event, data)."""

    status: int = 200
    content: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    events: Iterable[tuple[str | None, Any]] | None = None
    wait_for: threading.Event | None = None
    """Answer only once this is set."""
    drop: bool = False
    """Close the connection instead of answering."""

    def encoded(self) -> bytes:
        kind = "application/json"
        if self.events is not None:
            kind, body = "text/event-stream", b"".join(_event(name, data) for name, data in self.events)
        elif isinstance(self.content, bytes):
            kind, body = "application/octet-stream", self.content
        else:
            body = json.dumps(self.content).encode()
        lines = {"content-type": kind, "content-length": str(len(body)), "x-request-id": "req_1", **self.headers}
        head = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
        return (head + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n").encode() + body


def _event(name: str | None, data: Any) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


Rule = Callable[[Received], Answer | None]


class Upstream:
    """The endpoint: use it with ``with``."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.queue: deque[Answer] = deque()
        self.rules: list[Rule] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def base_url(self) -> str:
        return self.origin + "/v1"

    @property
    def last(self) -> Received:
        return self.received[-1]

    @property
    def only(self) -> Received:
        assert len(self.received) == 1, [request.target for request in self.received]
        return self.received[0]

    def take(self) -> list[Received]:
        """What has arrived so far; it is forgotten here."""
        taken, self.received = self.received, []
        return taken

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        socket.create_connection(self._listener.getsockname()).close()  # wakes the accepting thread
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # the client may have gone first
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with self._lock:
                if self._closed.is_set():
                    connection.close()
                    return
                self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        # The client may go away at any point, as after a timeout.
        with suppress(OSError), connection.makefile("rb") as stream:
            while (request := _read(stream)) is not None:
                answer = self._answer(request)
                if answer.wait_for is not None:
                    answer.wait_for.wait(30)
                if answer.drop:
                    break
                connection.sendall(answer.encoded())
        with self._lock:
            self._connections.discard(connection)
            connection.close()

    def _answer(self, request: Received) -> Answer:
        with self._lock:
            self.received.append(request)
            if self.queue:
                return self.queue.popleft()
        for rule in self.rules:
            answer = rule(request)
            if answer is not None:
                return answer
        content, events = model_answers.to(request.method, request.path, request.body)
        return Answer(content=content, events=events)


def _read(stream: Any) -> Received | None:
    lines: list[bytes] = []
    while line := stream.readline():
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if not line:
            break
        lines.append(line)
    if not lines:
        return None
    head = Received(b"\r\n".join(lines), b"")
    if head.header("transfer-encoding") == "chunked":
        return Received(head.head, b"".join(_chunks(stream)))
    return Received(head.head, stream.read(int(head.header("content-length") or 0)))


def _chunks(stream: Any) -> Iterable[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()


def refusal(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Answer:
    """An error as OpenAI answers it."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Answer(status, {"error": error})
