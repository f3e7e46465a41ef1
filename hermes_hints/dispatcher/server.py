"""Running the dispatcher on a loopback port, in the foreground or beside a test."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from starlette.applications import Starlette

from .. import loopback
from ..rules import Rules
from .app import create_app

__all__ = ["running", "serve"]


def serve(app: Starlette, ready: Callable[[str], None], *, host: str = "127.0.0.1", port: int = 0) -> None:
    """Serve in the foreground until a signal ends it.

    ``ready`` is called with the base URL for a client (``http://127.0.0.1:8300/v1``) once requests are answered. Port 0
    is any free one.

    Raises:
        ConfigError: ``host`` is not a loopback address, or the port cannot be had.
    """
    listener, origin = loopback.listen(host, port)
    loopback.serve(app, [listener], lambda: ready(f"{origin}/v1"))


@contextmanager
def running(app: Starlette | Rules, *, host: str = "127.0.0.1", port: int = 0) -> Generator[str]:
    """Serve in a thread for as long as the ``with`` block lasts; yields the base URL for a client.

    Raises:
        ConfigError: as `serve`.
        RuntimeError: the server did not start.
    """
    listener, origin = loopback.listen(host, port)
    with loopback.running(create_app(app) if isinstance(app, Rules) else app, [listener]):
        yield f"{origin}/v1"
