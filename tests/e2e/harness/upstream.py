"""A scripted OpenAI endpoint on loopback that keeps, byte for byte, what reached it."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import replies
from .other_apis import converse, converse_events, message, message_events
from .replies import Reply

FORMATS = {
    "/v1/chat/completions": (replies.chat_completion, replies.chat_completion_chunks),
    "/v1/responses": (replies.response, replies.response_events),
    "/v1/messages": (message, message_events),
    "/converse": (converse, converse_events),
    "/converse-stream": (converse, converse_events),
}
"""By the end of the path: how an answer is written whole, and in pieces."""


@dataclass(frozen=True)
class RecordedCall:
    """One model call as it arrived. ``number`` counts from 1 in the order of arrival."""

    number: int
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @cached_property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def model(self) -> str:
        return str(self.json.get("model"))

    @property
    def streamed(self) -> bool:
        return bool(self.json.get("stream")) or self.path.endswith("/converse-stream")

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation, by either API's name for it."""
        return self.json.get("messages") or self.json.get("input") or []

    @property
    def tools(self) -> list[str]:
        """The names of the tools on offer, in order."""
        offered = self.json.get("tools") or []
        return [tool.get("function", tool).get("name", "") for tool in offered]

    @property
    def question(self) -> str:
        """The text of the last message that a user wrote; "" when there is none."""
        asked = [message for message in self.messages if message.get("role") == "user" and not _is_result(message)]
        return _text(asked[-1].get("content")) if asked else ""

    @property
    def tool_results(self) -> int:
        """How many tool results stand after the last user message: 0 on the first call of a turn."""
        count = 0
        for said in self.messages:
            if _is_result(said):
                count += 1
            elif said.get("role") == "user":
                count = 0
            elif said.get("role") == "tool" or said.get("type") == "function_call_output":
                count += 1
        return count


Script = Callable[[RecordedCall], Reply]


class Upstream:
    """Answers by ``script`` and records; safe to read from any thread while it runs.

    The script is called in the thread of the request, so a script that waits for an event holds that one call back
    and no other. What it raises is answered as status 500 with the exception's text and kept in ``failures``.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.failures: list[BaseException] = []
        self._arrived = threading.Condition()
        self._calls: list[RecordedCall] = []
        self._server = _Server(self)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def calls(self) -> Sequence[RecordedCall]:
        """The model calls so far, in the order of arrival."""
        with self._arrived:
            return tuple(self._calls)

    def wait_for(self, wanted: Callable[[RecordedCall], bool], *, seconds: float = 120) -> RecordedCall:
        """The first call that is ``wanted``, waiting for it to arrive if need be. Raises TimeoutError."""
        with self._arrived:
            found = self._arrived.wait_for(lambda: next(filter(wanted, self._calls), None), seconds)
        if found is None:
            asked = [call.question[:80] for call in self.calls]
            message = f"no such call within {seconds} s; arrived so far: {asked}"
            raise TimeoutError(message)
        return found

    def answer(self, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> tuple[RecordedCall, Reply]:
        with self._arrived:
            call = RecordedCall(len(self._calls) + 1, path, tuple(headers), body)
            self._calls.append(call)
            self._arrived.notify_all()
        try:
            return call, self.script(call)
        except Exception as failure:  # noqa: BLE001  (a script's failure must reach the test, not the server's log)
            self.failures.append(failure)
            return call, Reply(f"the script failed: {failure!r}", status=500)

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Be gone: for whoever would connect, and for whoever has kept a connection."""
        self._server.shutdown()
        self._server.server_close()
        for connection in tuple(self._server.connections):
            with suppress(OSError):  # closed meanwhile
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_upstream(script: Script) -> Iterator[Upstream]:
    """An upstream that serves in a thread until the block is left."""
    upstream = Upstream(script)
    thread = threading.Thread(target=upstream.serve, name="scripted-upstream", daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.stop()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        failure = sys.exception()
        # A caller that hangs up in the middle of an answer (a turn that was interrupted) is no failure of ours.
        if failure is not None and not isinstance(failure, ConnectionError):
            self.upstream.failures.append(failure)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("/v1/models"):
            models = [{"id": "scripted-model", "object": "model", "created": 0, "owned_by": "test"}]
            self._send_json(200, {"object": "list", "data": models}, {})
        else:
            self._send_json(404, replies.error_body(Reply(f"no such page: {self.path}")), {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        formats = next((formats for end, formats in FORMATS.items() if path.endswith(end)), None)
        if formats is None:
            self._send_json(404, replies.error_body(Reply(f"no such endpoint: {self.path}")), {})
            return
        whole, streamed = formats
        call, reply = self.server.upstream.answer(self.path, self.headers.items(), body)
        if reply.lost:
            self._send_head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
            self.close_connection = True
        elif reply.failed:
            self._send_json(reply.status, replies.error_body(reply), reply.headers)
        elif call.streamed:
            kind = "application/vnd.amazon.eventstream" if streamed is converse_events else "text/event-stream"
            self._send_events(streamed(reply, call.number, reply.model or call.model), kind, reply.headers)
        else:
            self._send_json(reply.status, whole(reply, call.number, reply.model or call.model), reply.headers)

    def _send_json(self, status: int, content: object, headers: Any) -> None:
        encoded = json.dumps(content).encode()
        self._send_head(status, {"Content-Type": "application/json", "Content-Length": str(len(encoded)), **headers})
        self.wfile.write(encoded)

    def _send_events(self, events: Iterable[bytes], kind: str, headers: Any) -> None:
        self._send_head(200, {"Content-Type": kind, "Transfer-Encoding": "chunked", **headers})
        for event in events:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's own name)
        """Nothing on stderr: the record is ``Upstream.calls``."""


def _is_result(said: dict[str, Any]) -> bool:
    """Whether Anthropic's API has a tool's result in what it counts as the user's message."""
    parts = said.get("content")
    return isinstance(parts, list) and any(isinstance(part, dict) and "tool_use_id" in part for part in parts)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
