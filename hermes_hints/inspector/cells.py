"""A call in short: the cells of the terminal's table. Pure."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from .calls import PassedCall

__all__ = ["COLUMNS", "cells", "printable"]

COLUMNS = (
    *("time", "person", "room", "conversation", "purpose", "asked", "served", "status", "seconds", "tokens"),
    *("rung", "remarks"),
)

_LONGEST = 40
_NOTHING = "-"


def cells(call: PassedCall) -> tuple[str, ...]:
    """One text for each of `COLUMNS`; names and ids are other people's text and are made safe to print."""
    arrived, answered, record = call.arrived, call.answered, call.arrived.record
    texts = (
        datetime.fromisoformat(call.time).astimezone().strftime("%H:%M:%S"),
        record.get("user_name") or record.get("user_id"),
        record.get("chat_name") or record.get("chat_id"),
        record.get("conversation_id"),
        record.get("purpose"),
        arrived.model,
        answered.model,
        _status(call),
        None if answered.seconds is None else f"{answered.seconds:.2f}",
        _tokens(answered.tokens_read, answered.tokens_written),
        arrived.rung,
        "; ".join(arrived.remarks),
    )
    return tuple(
        printable(text, _LONGEST if column != "remarks" else 200) for column, text in zip(COLUMNS, texts, strict=True)
    )


def printable(text: object, most: int = _LONGEST) -> str:
    """A text in one line without what a terminal would act on; what is over ``most`` characters is cut in the middle."""
    if text is None or text == "":
        return _NOTHING
    safe = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char)[0] == "C" else char for char in str(text))
    safe = " ".join(safe.split()) or _NOTHING
    half = (most - 1) // 2
    return safe if len(safe) <= most else f"{safe[:half]}…{safe[-half:]}"


def _status(call: PassedCall) -> str:
    answered = call.answered
    if answered.state in ("done", "answering"):
        return f"{answered.status}{'…' if answered.state == 'answering' else ''}"
    return "…" if answered.state == "waiting" else answered.state


def _tokens(read: int | None, written: int | None) -> str | None:
    return (
        None
        if read is None and written is None
        else f"{read if read is not None else '?'}+{written if written is not None else '?'}"
    )
