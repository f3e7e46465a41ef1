"""What a rule may ask of a field: a text with stars, or that it is there at all."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["Condition", "Pattern", "Presence", "normal"]

_STAR = re.compile(r"(?<!\\)\*")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Matches text: ``parts`` are what stands between the stars, a single one means exactly that text."""

    written: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, written: str) -> Pattern:
        """Compile a pattern as it is written in a rule file."""
        return cls(written, tuple(part.replace("\\*", "*") for part in _STAR.split(normal(written))))

    def matches(self, text: str) -> bool:
        """Whether ``text`` (in normal form C) matches; takes time linear in its length for any pattern."""
        first, *inner = self.parts
        if not inner:
            return text == first
        last = inner.pop()
        at, end = len(first), len(text) - len(last)
        if at > end or not text.startswith(first) or not text.endswith(last):
            return False
        for part in inner:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    def holds(self, values: tuple[str, ...]) -> bool:
        """Whether any of a field's values matches."""
        return any(self.matches(value) for value in values)

    def __str__(self) -> str:
        return repr(self.written)


@dataclass(frozen=True, slots=True)
class Presence:
    """Matches any value at all (``present``), or an absent field."""

    present: bool

    def holds(self, values: tuple[str, ...]) -> bool:
        """Whether the field has a value, or has none."""
        return bool(values) is self.present

    def __str__(self) -> str:
        return "present" if self.present else "absent"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of ``match``: a field and what it may be."""

    field: str
    tests: tuple[Pattern | Presence, ...]

    def holds(self, values: tuple[str, ...]) -> bool:
        """Whether the field's values satisfy any of the tests."""
        return any(test.holds(values) for test in self.tests)

    def __str__(self) -> str:
        return f"{self.field} is {' or '.join(map(str, self.tests))}"


def normal(text: str) -> str:
    """``text`` in Unicode's normal form C."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
