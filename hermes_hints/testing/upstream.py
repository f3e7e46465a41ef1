"""A model endpoint on loopback that keeps the bytes it is sent. Standard library alone."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any, Self, cast

from ..receive import read
from ..wire import Record
from .completions import answer_to

__all__ = ["FakeUpstream", "ReceivedRequest"]


class ReceivedRequest:
    """One request as it arrived: ``head`` is the request line and the header lines, ``body`` what followed them."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head = head
        self.body = body

    @property
    def method(self) -> str:
        """Such as ``POST``."""
        return self.head.split(b" ", 1)[0].decode("latin-1")

    @property
    def path(self) -> str:
        """Without the query: ``/v1/chat/completions``."""
        return self.head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]

    @cached_property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Names and values, in their order, as they were written."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    @cached_property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)

    @cached_property
    def record(self) -> Record:
        """What the request says of itself, as any receiver reads it."""
        return read(self.headers, self.body)


class FakeUpstream:
    """An OpenAI-compatible endpoint with one canned answer: use it with ``with``, or take the fixture ``hints_upstream``.

    It answers chat completions (also streamed), responses, completions and embeddings; anything else gets an empty object.
    """

    def __init__(self) -> None:
        self.received: list[ReceivedRequest] = []
        """Everything that has arrived, in its order."""
        self._answers: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._server = _Server(self._answered)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def base_url(self) -> str:
        """For a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def last(self) -> ReceivedRequest:
        """The latest request.

        Raises:
            LookupError: none has arrived.
        """
        if not self.received:
            msg = "no request has arrived yet"
            raise LookupError(msg)
        return self.received[-1]

    def refuse(self, status: int, message: str, *, param: str | None = None) -> None:
        """Answer the next request that has no other answer yet with an error, as OpenAI writes it."""
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
        self._answers.append((status, {"error": error}))

    def _answered(self, request: ReceivedRequest) -> tuple[int, str, bytes]:
        self.received.append(request)
        with suppress(IndexError):
            status, content = self._answers.popleft()
            return status, "application/json", json.dumps(content).encode()
        return HTTPStatus.OK, *answer_to(request.path, request.body)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, answered: Callable[[ReceivedRequest], tuple[int, str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.answered = answered
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close connections that clients keep open."""
        for connection in list(self._open):
            with suppress(OSError):  # the client may have gone first
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Answer one request after another, until the client has gone."""
        with suppress(OSError):
            for request in _requests(self.rfile):
                status, kind, body = cast("_Server", self.server).answered(request)
                lines = (f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"content-type: {kind}")
                head = "\r\n".join((*lines, f"content-length: {len(body)}", "", ""))
                self.wfile.write(head.encode() + body)


def _requests(stream: BufferedIOBase) -> Iterator[ReceivedRequest]:
    while True:
        lines: list[bytes] = []
        while (line := stream.readline()) not in (b"\r\n", b"\n", b""):
            lines.append(line.rstrip(b"\r\n"))
        if not lines:
            return
        request = ReceivedRequest(b"\r\n".join(lines), b"")
        told = {name.lower(): value for name, value in request.headers}
        if told.get("transfer-encoding") == "chunked":
            request.body = b"".join(_chunks(stream))
        else:
            request.body = stream.read(int(told.get("content-length", 0)))
        yield request


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()
