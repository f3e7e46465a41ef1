"""Which endpoints were recognised by the headers of their answers, in this process or an earlier one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from ..notices import once
from ..state_file import read_state, write_state
from .builtin import BUILTIN
from .declaration import Profile

__all__ = ["LOOK_AGAIN_SECONDS", "Learned", "Place", "Watch", "watch"]

LOOK_AGAIN_SECONDS = 60.0
"""After an answer that says nothing, an endpoint's next ones are not looked at for so long."""

_LITELLM = "litellm"
_HERMES = "hermes"
_NAMES = {_LITELLM: "LiteLLM", _HERMES: "a Hermes"}
_MARK = "x-litellm-"
_SESSION = "x-hermes-session-id"
"""A Hermes API server says in its answers which of its sessions it has used. Others may repeat what they were sent."""
_READS_HINTS = "x-hermes-hints"
_WHAT = "what was recognised"
_MOST = 1024
_GOOD = range(200, 300)


class Learned:
    """The origins that answered with ``x-litellm-*`` headers, as a LiteLLM proxy does, or as a Hermes' API server does.

    Kept in a file, which holds origins and nothing else. What looks like a Hermes is asked before anything else is sent
    there (see `Advertised`). Bounded, safe under threads.
    """

    __slots__ = ("_changing", "_doubtful", "_file", "_looked", "_others", "known")

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._file: Path | None = None
        self._looked: dict[object, float] = {}
        self._doubtful: frozenset[str] = frozenset()
        self._others: frozenset[str] = frozenset()
        self.known: Mapping[str, str] = {}
        """Profiles by origin. Another object whenever it changes, so that whoever has used it can tell."""

    def keep_in(self, file: Path) -> None:
        """Take over what ``file`` holds instead of what is known, and write there from now on. Never raises."""
        if file == self._file:
            return
        self._file = file
        self._looked = {}
        self.known = _read(file)
        self._others = frozenset()
        self._doubtful = frozenset(origin for origin, name in self.known.items() if name == _HERMES)

    def profile(self, origin: str) -> Profile | None:
        """The profile of an origin that was recognised."""
        name = self.known.get(origin)
        return None if name is None else BUILTIN[name]

    def due(self, place: object) -> bool:
        """Whether the next answer from ``place``, any key of a base URL, is to be looked at; then not for a while."""
        now = time.monotonic()
        if now < self._looked.get(place, 0.0):
            return False
        if len(self._looked) >= _MOST:
            self._looked.clear()
        self._looked[place] = now + LOOK_AGAIN_SECONDS
        return True

    def seen(self, origin: str, place: object, status: int, names: Iterable[str]) -> None:
        """Learn from an answer's status and the names of its headers.

        A receiver that says it reads hints is no plain LiteLLM, whatever stands behind it: it takes them out itself.
        """
        found = [name.lower() for name in names]
        reads = _READS_HINTS in found
        if any(name.startswith(_MARK) for name in found):
            if not reads:
                with self._changing:
                    self._add(origin, _LITELLM)
                self._keep(origin, _LITELLM)
        elif status not in _GOOD:
            self.overlooked(place)  # something on the way may have answered
        elif _SESSION in found and not reads:
            with self._changing:
                if origin not in self._others and origin not in self.known:
                    self._doubtful |= {origin}
                    self._add(origin, _HERMES)

    def overlooked(self, place: object) -> None:
        """Nothing was answered that tells: look at the next one."""
        self._looked.pop(place, None)

    def asked(self, address: str, *, says: bool) -> None:
        """What was taken for a Hermes was asked, at a base URL, what it takes: it says so, or is none."""
        with self._changing:
            origin = next((origin for origin in self._doubtful if f"{address}/".startswith(f"{origin}/")), None)
            if origin is None:
                return
            self._doubtful -= {origin}
            if not says:
                self._others |= {origin}
                self.known = {other: name for other, name in self.known.items() if other != origin}
        if says:
            self._keep(origin, _HERMES)

    def _add(self, origin: str, name: str) -> None:
        if origin not in self.known:
            self.known = dict([*list(self.known.items())[: _MOST - 1], (origin, name)])

    def _keep(self, origin: str, name: str) -> None:
        once(
            logging.WARNING,
            ("learned", origin),
            "hermes-hints: %s answers as %s does and has the profile %s from now on; to decide otherwise, name it in endpoints",
            origin,
            _NAMES[name],
            name,
        )
        if self._file is not None and _read(self._file).get(origin) != name:
            _write(self._file, self.known)


def _read(file: Path) -> Mapping[str, str]:
    content = read_state(file, _WHAT)
    origins: dict[str, str] = {}
    for name in _NAMES:
        listed = content.get(name)
        texts = cast("list[object]", listed) if isinstance(listed, list) else []
        origins.update((origin, name) for origin in texts[:_MOST] if isinstance(origin, str))
    return origins


def _write(file: Path, known: Mapping[str, str]) -> None:
    """Put the origins into the file beside those of other processes; mode 0600, in one step. Never raises."""
    everyones = sorted({**_read(file), **known}.items())[:_MOST]
    listed = {name: [origin for origin, its in everyones if its == name] for name in _NAMES}
    write_state(file, {name: origins for name, origins in listed.items() if origins}, _WHAT)


class Place(Protocol):
    """An endpoint, as far as it is known here."""

    @property
    def origin(self) -> str:
        """``scheme://host:port``."""
        ...


_PORTS = {"http": 80, "https": 443}
_hooking = threading.Lock()


def watch(learned: Learned, client: Any, endpoint: Place) -> Watch | None:
    """Look at the next answer of ``client`` from ``endpoint``."""
    http = getattr(client, "_client", None)  # where the SDKs keep their HTTP client
    return Watch(learned, http, endpoint) if hasattr(http, "event_hooks") else None


class Watch:
    """One look at the headers of the answers to one request; the bodies and what the caller gets are not touched."""

    __slots__ = ("_answered", "_http", "_learned", "_look", "_origin", "_place")

    def __init__(self, learned: Learned, http: Any, place: Place) -> None:
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

    def _look_at(self, response: Any) -> None:
        try:
            url = response.request.url
            port = url.port or _PORTS.get(url.scheme)
            if self._origin.rpartition("://")[2] in (f"{url.host}:{port}", f"[{url.host}]:{port}"):
                self._answered = True
                self._learned.seen(self._origin, self._place, response.status_code, response.headers)
        except Exception as error:  # noqa: BLE001 - no request fails because of hints
            message = "hermes-hints: an answer of %s could not be looked at"
            once(logging.ERROR, ("watch", type(error)), message, self._origin, cause=error, private=True)

    async def _look_awaited(self, response: Any) -> None:
        self._look_at(response)
