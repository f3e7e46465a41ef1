"""Running the dispatcher on a loopback port, in the foreground or beside a test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from ..errors import ConfigError
from ..rules import Rules
from .app import create_app
from .local import loopback

__all__ = ["running", "serve"]


class _Server(uvicorn.Server):
    def __init__(self, app: Starlette, on_ready: Callable[[], None]) -> None:
        settings = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            http="h11",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(settings)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def serve(app: Starlette, ready: Callable[[str], None], *, host: str = "127.0.0.1", port: int = 0) -> None:
    """Serve in the foreground until a signal ends it.

    ``ready`` is called with the base URL for a client (``http://127.0.0.1:8300/v1``) once requests are answered. Port 0
    is any free one.

    Raises:
        ConfigError: ``host`` is not a loopback address, or the port cannot be had.
    """
    listener, base_url = _listen(host, port)
    _Server(app, lambda: ready(base_url)).run([listener])


@contextmanager
def running(app: Starlette | Rules, *, host: str = "127.0.0.1", port: int = 0) -> Generator[str]:
    """Serve in a thread for as long as the ``with`` block lasts; yields the base URL for a client.

    Raises:
        ConfigError: as `serve`.
        RuntimeError: the server did not start.
    """
    listener, base_url = _listen(host, port)
    ready = threading.Event()
    server = _Server(create_app(app) if isinstance(app, Rules) else app, ready.set)

    def run() -> None:
        try:
            server.run([listener])
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="hermes-hints-dispatcher", daemon=True)
    thread.start()
    ready.wait()
    try:
        if not server.started:
            msg = "the dispatcher did not start; the error is in the log"
            raise RuntimeError(msg)
        yield base_url
    finally:
        server.should_exit = True
        thread.join()


def _listen(host: str, port: int) -> tuple[socket.socket, str]:
    address = loopback(host)
    v6 = ":" in address
    listener = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"port is {port}, which cannot be had on {address} ({reason}); choose another, or 0 for any free one"
        raise ConfigError(msg) from None
    taken = listener.getsockname()[1]
    return listener, f"http://{f'[{address}]' if v6 else address}:{taken}/v1"
