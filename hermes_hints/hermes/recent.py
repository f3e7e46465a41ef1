"""A bounded memory of what was put last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["MOST", "Recent"]

MOST = 4096

_K = TypeVar("_K")
_V = TypeVar("_V")


class Recent(OrderedDict[_K, _V], Generic[_K, _V]):
    """The 4,096 entries that were put last."""

    def put(self, key: _K, value: _V) -> None:
        """Set an entry as the newest, and forget the oldest."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > MOST:
            self.popitem(last=False)
