"""The inspector as a whole: the pass-through on one port, the page on another, and the terminal."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from .. import loopback
from ..profiles import Profile
from ..settings import Settings
from .arrived import carrier_names
from .calls import Calls
from .elsewhere import Elsewhere
from .page import create_page
from .passing import Passing
from .recording import Recording
from .terminal import as_json, as_lines, as_table
from .upstream import Upstream

__all__ = ["Inspector", "Options", "running", "serve"]


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator may say beside the endpoint."""

    host: str = "127.0.0.1"
    port: int = 0
    page_port: int | None = 0
    """``None``: no page."""
    keep: int = 500
    """Most calls that are held in memory."""
    record: str | None = None
    """A file to append calls to."""


class Inspector:
    """An inspector before it is served: its parts are put together and its sockets are open.

    Raises:
        ConfigError: an option or a setting has a value that cannot be.
    """

    def __init__(
        self, upstream: Upstream, options: Options, settings: Settings, profiles: Mapping[str, Profile]
    ) -> None:
        self.upstream = upstream
        self.calls = Calls(options.keep)
        if options.record is not None:
            self.calls.listen(Recording(options.record, _complain))
        key = settings.signing_key_text()
        passing = Passing(upstream, self.calls, carriers=carrier_names(profiles.values()), key=key)
        with ExitStack() as opened:
            listener, origin = loopback.listen(options.host, options.port, key="--port")
            opened.push(listener)
            self.listeners = [listener]
            self.base_url = origin + upstream.endpoint.path
            """For a client."""
            self.page_url: str | None = None
            self.app: ASGIApp = passing
            if options.page_port is not None:
                listener, page_origin = loopback.listen(options.host, options.page_port, key="--page-port")
                opened.push(listener)
                self.listeners.append(listener)
                self.page_url = f"{page_origin}/"
                about = {"upstream": upstream.base_url, "base_url": self.base_url, "keep": options.keep}
                page = create_page(self.calls, Elsewhere(settings, upstream.endpoint, profiles), about)
                self.app = _by_port(listener.getsockname()[1], page, passing)
            opened.pop_all()

    @property
    def heading(self) -> str:
        """Where it is, and where it leads."""
        page = "" if self.page_url is None else f", page at {self.page_url}"
        return f"{self.base_url} passes on to {self.upstream.base_url}{page}"


def serve(inspector: Inspector, *, json_lines: bool = False) -> None:
    """Serve in the foreground until a signal ends it; calls go to standard output as they pass.

    As a table where that is a terminal, else as lines; with ``json_lines`` as JSON, one object a line.
    """
    with ExitStack() as shown:
        table = sys.stdout.isatty() and not json_lines
        if table:
            shown.enter_context(as_table(inspector.calls, inspector.heading))
        else:
            inspector.calls.listen(as_json if json_lines else as_lines)

        def ready() -> None:
            if not table:  # which has it as its heading
                _complain(f"ready: {inspector.heading}")

        loopback.serve(inspector.app, inspector.listeners, ready, own_headers=False)


@contextmanager
def running(inspector: Inspector) -> Generator[Inspector]:
    """Serve in a thread for as long as the ``with`` block lasts."""
    with loopback.running(inspector.app, inspector.listeners, own_headers=False):
        yield inspector


def _by_port(port: int, page: ASGIApp, passing: ASGIApp) -> ASGIApp:
    """What comes to the page's port is for the page; nothing that comes to the other is, whatever its path."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for_page = scope["type"] == "http" and scope["server"][1] == port
        await (page if for_page else passing)(scope, receive, send)

    return app


def _complain(message: str) -> None:
    """Say something that is no call."""
    print(f"hermes-hints: {message}", file=sys.stderr, flush=True)  # noqa: T201 - a command line prints
