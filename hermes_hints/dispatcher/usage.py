"""How many tokens a canned answer claims to have cost."""

from __future__ import annotations

from dataclasses import dataclass

from ..call import described
from .replies import Question, Reply

__all__ = ["Usage"]

_CHARS = 4


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written, reckoned at four characters each: no tokenizer is at work here."""

    read: int
    written: int

    @classmethod
    def of(cls, question: Question, reply: Reply) -> Usage:
        """Reckon from the request's text, and from the reply's text and tool calls."""
        written = len(reply.text) + sum(len(call.name) + len(call.json()) for call in reply.tool_calls)
        return cls(_tokens(described({}, question.body).context_chars()), _tokens(written))


def _tokens(chars: int) -> int:
    return -(-chars // _CHARS)
