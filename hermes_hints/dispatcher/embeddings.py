"""The embeddings API. Shape: platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any, cast

from .replies import Question, Reply
from .usage import Usage

__all__ = ["embeddings"]

_DIMENSIONS = 16
_MOST_DIMENSIONS = 4096


def embeddings(question: Question, reply: Reply) -> dict[str, Any]:
    """The same unit vector for each input, of ``dimensions`` (default 16, at most 4,096) numbers."""
    usage = Usage.of(question, reply)
    vector = _vector(question)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index in range(_inputs(question.body.get("input")))
        ],
        "model": question.choice.model,
        "usage": {"prompt_tokens": usage.read, "total_tokens": usage.read},
    }


def _vector(question: Question) -> list[float] | str:
    asked: object = question.body.get("dimensions")
    size = min(asked, _MOST_DIMENSIONS) if isinstance(asked, int) and asked > 0 else _DIMENSIONS
    vector = [1 / math.sqrt(size)] * size
    if question.body.get("encoding_format") != "base64":
        return vector
    return base64.b64encode(struct.pack(f"<{size}f", *vector)).decode("ascii")


def _inputs(given: object) -> int:
    if not isinstance(given, list):
        return 1
    items = cast("list[object]", given)
    tokens = bool(items) and all(isinstance(item, int) for item in items)
    return 1 if tokens else len(items)
