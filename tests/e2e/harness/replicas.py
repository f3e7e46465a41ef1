"""Model servers on loopback that say which of them answered, and keep the headers that reached them."""

from __future__ import annotations

import json
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Address = tuple[str, int]


class Replica:
    """One of them. Its answers carry its name as ``system_fingerprint``."""

    def __init__(self, name: str, address: Address) -> None:
        self.name = name
        self.received: list[dict[str, str]] = []
        """The headers of each model call, names in lower case."""
        self.bodies: list[dict[str, Any]] = []
        self._server = _Server(address, _Handler)
        self._server.replica = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def stop(self) -> None:
        """Stop answering, on connections that are open too; safe to call twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        for connection in list(self._server.connections):
            with suppress(OSError):  # the other side may have gone first
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_replicas(addresses: Sequence[Address]) -> Iterator[list[Replica]]:
    """One at each address; port 0 is any free one. They serve until the block is left."""
    with ExitStack() as stack:
        replicas: list[Replica] = []
        for number, address in enumerate(addresses, 1):
            replica = Replica(f"replica-{number}", address)
            stack.callback(replica.stop)
            replicas.append(replica)
        yield replicas


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    replica: Replica

    def __init__(self, address: Address, handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was cut on purpose is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """What routers ask a model server: whether it is well, and what it serves."""
        if self.path.startswith("/v1/models"):
            self._answer({"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "test"}]})
        else:
            self._answer({"status": "ok", "model_path": "m", "served_model_name": "m", "is_generation": True})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        replica = self.server.replica
        replica.received.append({name.lower(): value for name, value in self.headers.items()})
        replica.bodies.append(body)
        message = {"role": "assistant", "content": f"answered by {replica.name}"}
        self._answer(
            {
                "id": f"chatcmpl-{uuid.uuid4().hex}",
                "object": "chat.completion",
                "created": 1,
                "model": str(body.get("model")),
                "system_fingerprint": replica.name,
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )

    def _answer(self, content: object) -> None:
        encoded = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *arguments: Any) -> None:
        """Silent."""
