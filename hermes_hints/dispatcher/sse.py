"""Server-sent events, and text in the pieces that a stream sends."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["DONE", "chat_event", "encode", "pieces", "typed_event"]

DONE = b"data: [DONE]\n\n"
"""Ends a stream of chat completions or completions; the responses API has no such mark."""

_PIECE = re.compile(r"\s*\S+\s*|\s+")


def encode(value: object) -> bytes:
    """JSON in ASCII, so that whatever text a client sent can be written back."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def chat_event(chunk: Mapping[str, Any]) -> bytes:
    """One chunk of a chat completions or completions stream."""
    return b"data: " + encode(chunk) + b"\n\n"


def typed_event(event: Mapping[str, Any]) -> bytes:
    """One event of a responses stream, named after its ``type``."""
    return b"event: " + str(event["type"]).encode("ascii") + b"\ndata: " + encode(event) + b"\n\n"


def pieces(text: str) -> list[str]:
    """``text`` word by word; joined again they are the text."""
    return _PIECE.findall(text)
