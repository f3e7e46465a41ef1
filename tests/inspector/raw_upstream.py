"""An endpoint that speaks by hand: a test says, byte by byte, what goes over the wire and when."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Talk = Callable[[socket.socket, bytes], None]
"""What to do with a connection on which a request's head has arrived."""


@dataclass
class RawUpstream:
    base_url: str
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """The head of a message, and what came with it of the body."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return b"", b""
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


@contextmanager
def raw_upstream(talk: Talk) -> Iterator[RawUpstream]:
    """Answers every connection's one request by ``talk``, which is given what came of the body with the head."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = RawUpstream(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        threads: list[threading.Thread] = []

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                head, rest = read_head(connection)
                upstream.heads.append(head)
                talk(connection, rest)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    thread = threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True)
                    threads.append(thread)
                    thread.start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield upstream
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(10)
        for thread in threads:
            thread.join(10)


def connected(base_url: str) -> socket.socket:
    """A client's connection to an inspector."""
    parts = urlsplit(base_url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)
