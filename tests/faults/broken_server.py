"""A server on loopback that reads a request and then goes wrong in one way, the same for every request."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import model_answers

Fault = Callable[["Connection"], None]


class Connection:
    """What a fault has to work with."""

    def __init__(self, peer: socket.socket, over: threading.Event) -> None:
        self.peer = peer
        self._over = over

    def send(self, data: bytes) -> None:
        """Send some bytes."""
        self.peer.sendall(data)

    def reset(self) -> None:
        """Close with a TCP reset rather than in order."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def stall(self) -> None:
        """Send nothing more until the test is over."""
        self._over.wait(30)


class BrokenServer:
    """Use it with ``with``."""

    def __init__(self, fault: Fault, *, reads: int | None = None) -> None:
        self.requests = 0
        self.received = b""
        self._fault = fault
        self._reads = reads
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        socket.create_connection(self._listener.getsockname()).close()  # wakes the accepting thread
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            if self._over.is_set():
                peer.close()
                return
            thread = threading.Thread(target=self._serve, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):  # the client may go first
            data = b""
            while not self._enough(data):
                more = peer.recv(65536 if self._reads is None else self._reads)
                if not more:
                    return
                data += more
            self.requests += 1
            self.received += data
            self._fault(Connection(peer, self._over))

    def _enough(self, data: bytes) -> bool:
        if self._reads is not None:
            return len(data) >= self._reads
        head, found, body = data.partition(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:]) if found else {}
        return bool(found) and len(body) >= int(lines.get(b"content-length", 0))


def head(status: str = "200 OK", **lines: object) -> bytes:
    """A status line and headers, and the blank line."""
    return (
        f"HTTP/1.1 {status}\r\n"
        + "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
        + "\r\n"
    ).encode()


ANSWER = json.dumps(model_answers.to("POST", "/chat/completions", b"{}")[0]).encode()
EVENTS = [
    b"data: " + (data if isinstance(data, str) else json.dumps(data)).encode() + b"\n\n"
    for _, data in model_answers.to("POST", "/chat/completions", b'{"stream": true}')[1] or ()
]
