"""Looking at the headers of an answer on its way to the caller."""

from __future__ import annotations

import logging
import threading
from typing import Any, Protocol

from ..notices import once
from .learned import Learned

__all__ = ["Place", "Watch", "watch"]


class Place(Protocol):
    """An endpoint, as far as it is known here."""

    @property
    def origin(self) -> str:
        """``scheme://host:port``."""
        ...


_PORTS = {"http": 80, "https": 443}
_hooking = threading.Lock()


def watch(learned: Learned, client: Any, endpoint: Place) -> Watch | None:  # noqa: ANN401 - a client of an SDK
    """Look at the next answer of ``client`` from ``endpoint``."""
    http = getattr(client, "_client", None)  # where the SDKs keep their HTTP client
    return Watch(learned, http, endpoint) if hasattr(http, "event_hooks") else None


class Watch:
    """One look at the headers of the answers to one request; the bodies and what the caller gets are not touched."""

    __slots__ = ("_answered", "_http", "_learned", "_look", "_origin", "_place")

    def __init__(self, learned: Learned, http: Any, place: Place) -> None:  # noqa: ANN401 - of either major of httpx
        self._learned = learned
        self._http = http
        self._origin = place.origin
        self._place = place
        self._answered = False
        self._look: Any = self._look_awaited if hasattr(http, "aclose") else self._look_at
        with _hooking:
            hooks = http.event_hooks
            http.event_hooks = {**hooks, "response": [*hooks["response"], self._look]}

    def end(self) -> None:
        """Take the hook off the HTTP client again."""
        with _hooking:
            hooks = self._http.event_hooks
            self._http.event_hooks = {**hooks, "response": [hook for hook in hooks["response"] if hook != self._look]}
        if not self._answered:
            self._learned.overlooked(self._place)

    def _look_at(self, response: Any) -> None:  # noqa: ANN401 - likewise
        try:
            url = response.request.url
            port = url.port or _PORTS.get(url.scheme)
            if self._origin.rpartition("://")[2] in (f"{url.host}:{port}", f"[{url.host}]:{port}"):
                self._answered = True
                self._learned.seen(self._origin, self._place, response.status_code, response.headers)
        except Exception as error:  # noqa: BLE001 - no request fails because of hints
            message = "hermes-hints: an answer of %s could not be looked at"
            once(logging.ERROR, ("watch", type(error)), message, self._origin, cause=error)

    async def _look_awaited(self, response: Any) -> None:  # noqa: ANN401 - likewise
        self._look_at(response)
