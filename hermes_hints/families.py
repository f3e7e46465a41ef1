"""Which requests are LLM calls, told by their path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FAMILIES", "Family", "family_of"]


@dataclass(frozen=True, slots=True)
class Family:
    """A family of endpoints: its name and whether its JSON body may carry hints."""

    api: str
    body: bool


FAMILIES: Mapping[str, Family] = {
    "/chat/completions": Family("chat.completions", body=True),
    "/completions": Family("completions", body=True),
    "/responses": Family("responses", body=True),
    "/embeddings": Family("embeddings", body=True),
    "/messages": Family("messages", body=True),
    "/responses/compact": Family("responses.compact", body=False),
    "/images/generations": Family("images.generations", body=False),
}
"""By the path below the base URL. Families without ``body`` get headers only: their bodies are not open to more fields."""

_LONGEST_FIRST = sorted(FAMILIES, key=len, reverse=True)


def family_of(url: str) -> Family | None:
    """The family that a request's URL (below the base URL, or absolute) belongs to; ``None`` for anything else."""
    known = FAMILIES.get(url)
    if known is not None:
        return known
    path = url.partition("?")[0].rstrip("/")
    if not path.startswith("/"):
        if "://" not in path:
            path = "/" + path
        elif "/threads/" not in path:  # a message of the Assistants API is no call
            return next((FAMILIES[end] for end in _LONGEST_FIRST if path.endswith(end)), None)
    return FAMILIES.get(path)
