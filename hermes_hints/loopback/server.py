"""Running an ASGI application on loopback ports, in the foreground or beside a test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ..errors import ConfigError
from .address import loopback

__all__ = ["listen", "running", "serve"]


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, on_ready: Callable[[], None], *, own_headers: bool) -> None:
        settings = uvicorn.Config(
            app,
            lifespan="on",
            ws="none",
            http="h11",
            log_config=None,
            log_level="warning" if own_headers else "critical",
            access_log=False,
            proxy_headers=False,
            server_header=own_headers,
            date_header=own_headers,
            timeout_graceful_shutdown=1,
        )
        super().__init__(settings)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def serve(
    app: ASGIApp, listeners: Sequence[socket.socket], ready: Callable[[], None], *, own_headers: bool = True
) -> None:
    """Serve in the foreground until a signal ends it; ``ready`` is called once requests are answered.

    Without ``own_headers`` an answer has the headers that ``app`` gives it and no more, and one that ``app`` breaks off
    is no line in the log: what passes on the answers of others wants both.
    """
    _Server(app, ready, own_headers=own_headers).run([*listeners])


@contextmanager
def running(app: ASGIApp, listeners: Sequence[socket.socket], *, own_headers: bool = True) -> Generator[None]:
    """Serve in a thread for as long as the ``with`` block lasts; ``own_headers`` as in `serve`.

    Raises:
        RuntimeError: the server did not start.
    """
    ready = threading.Event()
    server = _Server(app, ready.set, own_headers=own_headers)

    def run() -> None:
        try:
            server.run([*listeners])
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="hermes-hints-server", daemon=True)
    thread.start()
    ready.wait()
    try:
        if not server.started:
            msg = "the server did not start; the error is in the log"
            raise RuntimeError(msg)
        yield
    finally:
        server.should_exit = True
        thread.join()


def listen(host: str, port: int, *, key: str = "port") -> tuple[socket.socket, str]:
    """A socket on a loopback address, and its origin (``http://127.0.0.1:8300``). Port 0 is any free one.

    Raises:
        ConfigError: ``host`` is not a loopback address, or the port cannot be had; the message names ``key``.
    """
    address = loopback(host)
    v6 = ":" in address
    listener = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"{key} is {port}, which cannot be had on {address} ({reason}); choose another, or 0 for any free one"
        raise ConfigError(msg) from None
    return listener, f"http://{f'[{address}]' if v6 else address}:{listener.getsockname()[1]}"
