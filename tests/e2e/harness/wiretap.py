"""Between a program and a server: passes requests on and answers back, and keeps what was asked."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True)
class Asked:
    """A request as it came by; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def ours(self) -> dict[str, str]:
        """The X-Hermes-* headers."""
        return {name: value for name, value in self.headers.items() if name.startswith("x-hermes-")}


class Wiretap:
    """A running one, at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []

    def of(self, path: str) -> list[Asked]:
        """What was asked at a path, in order."""
        return [asked for asked in self.asked if asked.path == path]


@contextmanager
def running_wiretap(target: str) -> Iterator[Wiretap]:
    """A tap in front of the server at ``target``, until the block is left. Streams are passed on when they have ended."""
    server = _Server((LOOPBACK, 0), _Handler)
    server.target = urlsplit(target).netloc
    server.tap = Wiretap(f"http://{LOOPBACK}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="wiretap", daemon=True)
    thread.start()
    try:
        yield server.tap
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    target: str
    tap: Wiretap

    def handle_error(self, request: object, client_address: object) -> None:
        """Either side may hang up whenever it likes; the programs at both ends say so themselves."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        lines = {name.lower(): value for name, value in self.headers.items()}
        self.server.tap.asked.append(Asked(self.command, self.path, lines, body))
        connection = http.client.HTTPConnection(self.server.target, timeout=120)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_CONNECTION}
            connection.request(self.command, self.path, body or None, kept)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's own name)
        """Nothing on stderr."""
