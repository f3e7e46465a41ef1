"""An HTTP endpoint on loopback that keeps what is posted to it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Post:
    """One request: its path, headers by lower-case name, and body, unpacked."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """What has been posted so far; safe to read from any thread."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._changed = threading.Condition()
        self._posts: list[Post] = []

    def posts(self, path: str) -> Sequence[Post]:
        """What was posted to ``path``, in the order of arrival."""
        with self._changed:
            return self._at(path)

    def wait_for(self, path: str, done: Callable[[Sequence[Post]], bool], *, seconds: float = 30) -> Sequence[Post]:
        """What was posted to ``path``, once that is all: when ``done`` with it says so. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: done(self._at(path)), seconds):
                message = f"{len(self._at(path))} posts to {path} within {seconds} s, and not what was waited for"
                raise TimeoutError(message)
            return self._at(path)

    def take(self, post: Post) -> None:
        with self._changed:
            self._posts.append(post)
            self._changed.notify_all()

    def _at(self, path: str) -> Sequence[Post]:
        return tuple(post for post in self._posts if post.path == path)


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """A receiver that serves in a thread until the block is left."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="receiver", daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.receiver.take(Post(self.path, headers, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's own name)
        """Nothing on stderr."""
