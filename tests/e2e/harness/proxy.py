"""The way out for a program that must not leave this machine: a forward proxy that leads names to loopback.

What is asked of a name in ``names`` goes to the address given for it, what is asked of 127.0.0.1 goes there, and all
else is refused. Request lines apart, bytes pass through as they came.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
BETWEEN_TWO = frozenset(
    {"connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "transfer-encoding"}
)
"""Headers that belong to one connection (RFC 9110, 7.6.1)."""


class Proxy:
    """A running proxy; ``env`` makes a program use it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        self.refused: list[str] = []

    @property
    def env(self) -> dict[str, str]:
        return {"HTTP_PROXY": self.url, "HTTPS_PROXY": self.url, "NO_PROXY": LOOPBACK}


@contextmanager
def running_proxy(names: Mapping[str, str]) -> Iterator[Proxy]:
    """A proxy that serves in a thread until the block is left; ``names`` are host to ``address:port``."""
    server = _Server((LOOPBACK, 0), _Handler)
    server.names = dict(names)
    server.proxy = Proxy(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="proxy", daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    names: dict[str, str]
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Either side may hang up whenever it likes; the programs at both ends say so themselves."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self._pass_on()

    def do_DELETE(self) -> None:
        self._pass_on()

    def do_CONNECT(self) -> None:
        self._refuse(self.path)

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        address = self.server.names.get(url.hostname or "", url.netloc if url.hostname == LOOPBACK else None)
        if address is None:
            self._refuse(url.netloc)
            return
        connection = http.client.HTTPConnection(address)
        try:
            connection.putrequest(
                self.command, url._replace(scheme="", netloc="").geturl(), skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in BETWEEN_TWO:
                    connection.putheader(name, value)
            connection.endheaders(body)
            self._give_back(connection.getresponse())
        finally:
            connection.close()

    def _give_back(self, answer: http.client.HTTPResponse) -> None:
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in BETWEEN_TWO | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, host: str) -> None:
        self.server.proxy.refused.append(host)
        self.send_response_only(502)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's own name)
        """Nothing on stderr."""
