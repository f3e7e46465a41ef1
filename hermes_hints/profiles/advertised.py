"""What endpoints say that they take: asked once, by the very client that is about to send something there, and remembered for a while."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol, cast

from ..notices import explained, once

__all__ = ["ASK_AGAIN_SECONDS", "MOST_SECONDS", "PATH", "Advertised", "Question", "Tell", "ask", "ask_async"]

PATH = "/capabilities"
"""Under the base URL: where a Hermes API server says it (``_handle_capabilities`` in gateway/platforms/api_server.py)."""
ASK_AGAIN_SECONDS = 600.0
"""An answer holds for so long."""
MOST_SECONDS = 3.0
"""What a request waits for the answer, at most."""

_AFTER_FAILURE_SECONDS = 60.0
_MOST = 256
_WHO = "x-hermes-user-id"
_FEATURE = "_header"

Said = frozenset[str] | None
"""Names of headers in lower case; ``None`` where an endpoint does not say."""


class Tell(Protocol):
    """Wants to know of each answer."""

    def __call__(self, address: str, /, *, says: bool) -> None:
        """``says`` is whether it was an answer at all."""
        ...


class Advertised:
    """By base URL, the headers that an endpoint says it takes. Bounded, safe under threads."""

    __slots__ = ("_asking", "_lock", "_said", "_tell")

    def __init__(self, tell: Tell | None = None) -> None:
        """``tell`` is told whether what was asked, at a base URL, says what it takes."""
        self._tell = tell
        self._lock = threading.Lock()
        self._said: dict[str, tuple[Said, float]] = {}
        self._asking: dict[str, threading.Event] = {}

    def taken(self, address: str) -> Said:
        """What was said there; ``None`` as well where nobody has asked yet."""
        known = self._said.get(address)
        return None if known is None else known[0]

    def question(self, address: str) -> Question | None:
        """What to ask there first; ``None`` where it was asked."""
        known = self._said.get(address)
        if known is not None and time.monotonic() < known[1]:
            return None
        with self._lock:
            asked = self._asking.get(address)
            if asked is not None:
                return Question(self, address, asked, mine=False)
            self._asking[address] = asked = threading.Event()
            return Question(self, address, asked, mine=True)

    def settle(self, address: str, said: Said, failure: BaseException | None) -> None:
        """Remember an answer, or that there was none, and let go on who waits for it.

        Of who was cancelled nothing is remembered: the next one asks.
        """
        if failure is not None and not isinstance(failure, Exception):
            with self._lock:
                self._asking.pop(address).set()
            return
        seconds = ASK_AGAIN_SECONDS if failure is None else _AFTER_FAILURE_SECONDS
        with self._lock:
            if len(self._said) >= _MOST:
                self._said.clear()
            self._said[address] = (said, time.monotonic() + seconds)
            if self._tell is not None:
                self._tell(address, says=said is not None)
            self._asking.pop(address).set()
        if said is None:
            why = "it answers something else" if failure is None else explained(failure, private=True)
            message = (
                "hermes-hints: %s%s does not say which headers are taken there, so all of the profile's are sent (%s)"
            )
            once(logging.INFO, ("advertised", address), message, address, PATH, why)
        elif _WHO not in said:
            message = (
                "hermes-hints: %s does not take who is calling, as it says itself, so it is not told. Where that is a Hermes "
                "with hermes-hints, set inbound: true there"
            )
            once(logging.WARNING, ("advertised", address, "who"), message, address)

    def knows(self, address: str) -> bool:
        """Whether it was asked, whatever came of it."""
        return address in self._said

    def let_go(self) -> None:
        """Wait for nobody: in a child that was forked, who asked is not there."""
        self._lock = threading.Lock()
        self._asking = {}


class Question:
    """A question to one endpoint: for one of those who have to know to ask, and for the others to wait for."""

    __slots__ = ("_address", "_advertised", "_asked", "mine")

    def __init__(self, advertised: Advertised, address: str, asked: threading.Event, *, mine: bool) -> None:
        self._advertised = advertised
        self._address = address
        self._asked = asked
        self.mine = mine
        """Whether whoever has this is to ask, and then to call `answered`, whatever comes of it."""

    def answered(self, answer: object, failure: BaseException | None = None) -> None:
        """What came of it: the JSON that was answered, or why there is none."""
        self._advertised.settle(self._address, _headers_in(answer), failure)

    @contextmanager
    def asking(self) -> Generator[list[object]]:
        """Ask inside: what is put into the list is the answer, and an exception is none, which ends here."""
        answers: list[object] = []
        failure: BaseException | None = None
        try:
            yield answers
        except BaseException as error:
            failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            self.answered(answers[0] if answers else None, failure)

    @property
    def dropped(self) -> bool:
        """Whether the one who asked was cancelled, so that it is to be asked again."""
        return not self.pending and not self._advertised.knows(self._address)

    @property
    def pending(self) -> bool:
        """Whether the one who asks has no answer yet."""
        return not self._asked.is_set()

    def wait(self) -> None:
        """Wait for the one who asks, but not for long."""
        self._asked.wait(MOST_SECONDS)


def _headers_in(answer: object) -> Said:
    """The values of ``features`` whose names end in ``_header``."""
    features = cast("Mapping[str, object]", answer).get("features") if isinstance(answer, Mapping) else None
    if not isinstance(features, Mapping):
        return None
    said = cast("Mapping[object, object]", features).items()
    return frozenset(
        header.lower() for name, header in said if str(name).endswith(_FEATURE) and isinstance(header, str)
    )


_LOOK_SECONDS = 0.01


def ask(client: Any, question: Question) -> None:
    """Have the question answered, or wait until another thread has; no longer than some seconds."""
    if not question.mine:
        question.wait()
        return
    with question.asking() as answers:
        answers.append(client.get(PATH, cast_to=object, options=_options()))


async def ask_async(client: Any, question: Question) -> None:
    """As `ask`, for a client that is awaited."""
    if not question.mine:
        # The SDK runs under any event loop that anyio knows, and so brings it along.
        sleep: Any = import_module("anyio").sleep
        until = time.monotonic() + MOST_SECONDS
        while question.pending and time.monotonic() < until:
            await sleep(_LOOK_SECONDS)
        return
    with question.asking() as answers:
        answers.append(await client.get(PATH, cast_to=object, options=_options()))


def _options() -> dict[str, object]:
    return {"timeout": MOST_SECONDS, "max_retries": 0}
