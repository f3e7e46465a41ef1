"""The calls that have passed: the newest ones, in memory, and who wants to hear of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from .arrived import Arrived
from .tree import Branch, Placed, branch_of

__all__ = ["Answered", "Calls", "PassedCall", "State"]

State = Literal["waiting", "answering", "done", "broken off", "client gone", "not reached"]
"""``broken off``: by the endpoint, in the middle of its answer."""

_ENDED = frozenset({"done", "broken off", "client gone", "not reached"})


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a call, so far."""

    state: State = "waiting"
    status: int | None = None
    model: str | None = None
    """As the endpoint names it."""
    seconds: float | None = None
    """From the request's last byte to the answer's last."""
    first_seconds: float | None = None
    """To the answer's first byte."""
    bytes: int = 0
    tokens_read: int | None = None
    tokens_written: int | None = None
    tools: tuple[str, ...] = ()
    """The tools that the answer asks for."""
    reads_hints: bool = False
    """Whether the endpoint says of itself that it reads hints."""

    @property
    def ended(self) -> bool:
        """Whether there is no more to come."""
        return self.state in _ENDED


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class PassedCall:
    """One LLM call: what arrived, what came of it, and where it stands in the tree of its turn. ``time`` is UTC, RFC 3339."""

    number: int
    arrived: Arrived
    branch: Branch
    answered: Answered = Answered()
    time: str = field(default_factory=_now)

    def json(self) -> dict[str, Any]:
        """The call as JSON holds it."""
        return {
            "number": self.number,
            "time": self.time,
            "turn": self.branch.turn,
            "parent": self.branch.parent,
            "arrived": asdict(self.arrived),
            "answered": asdict(self.answered),
        }


Listener = Callable[[PassedCall], None]


class Calls:
    """The newest ``limit`` calls. Safe under threads; listeners are told of every change, in the thread that made it."""

    def __init__(self, limit: int = 500) -> None:
        self.limit = limit
        self._calls: OrderedDict[int, PassedCall] = OrderedDict()
        self._seen = 0
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    @property
    def seen(self) -> int:
        """How many calls there were, those included that are no longer kept."""
        return self._seen

    def kept(self) -> tuple[PassedCall, ...]:
        """The calls that are kept, oldest first."""
        with self._lock:
            return tuple(self._calls.values())

    def get(self, number: int) -> PassedCall | None:
        """The call of that number, if it is kept."""
        with self._lock:
            return self._calls.get(number)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` of every new call and every change to one, until what is returned is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def begin(self, arrived: Arrived) -> PassedCall:
        """A call has arrived; they are numbered from 1."""
        with self._lock:
            self._seen += 1
            earlier = (
                Placed(call.number, call.arrived.record, call.branch, call.answered.tools)
                for call in self._calls.values()
            )
            call = PassedCall(self._seen, arrived, branch_of(arrived.record, earlier))
            self._calls[call.number] = call
            if len(self._calls) > self.limit:
                self._calls.popitem(last=False)
        self._tell(call)
        return call

    def change(self, call: PassedCall, answered: Answered) -> None:
        """Something has come of ``call``, which may have left the list since."""
        changed = replace(call, answered=answered)
        with self._lock:
            if call.number in self._calls:
                self._calls[call.number] = changed
        self._tell(changed)

    def _tell(self, call: PassedCall) -> None:
        for listener in tuple(self._listeners):
            listener(call)
