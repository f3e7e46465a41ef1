"""The record: everything that one request says, flat, as it is on the wire."""

from __future__ import annotations

from typing import Any, Literal

from .hints import Hints
from .identity import Identity
from .values import Count, Id, Short
from .wire import WIRE_FIELDS

__all__ = ["Record"]


class Record(Identity, Hints):
    """One request's identity, call and hints under the names of the wire contract. Frozen.

    It is what `hermes_hints.receive.read` returns and what the observer hook ``request_stamped`` is given. To a
    receiver it is the caller's claim, not a fact.
    """

    v: Literal[1] = 1
    request_id: Id = None
    turn_id: Id = None
    task_id: Id = None
    call: Count = None
    purpose: Short = None

    def fields(self) -> dict[str, Any]:
        """The fields that have a value, by name, in the order of the wire contract; without the version ``v``."""
        own = self.__dict__
        return {field: own[field] for field in WIRE_FIELDS if own[field] is not None}
