"""Which requests are LLM calls, told by their path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["CONVERSE", "FAMILIES", "Family", "family_of"]

CONVERSE = "converse"
"""Bedrock's Converse API, which is reached through boto3 and so has no path here."""


class Family(NamedTuple):
    """A family of endpoints: its name and whether its JSON body may carry hints."""

    api: str
    body: bool
    strict: bool = False
    """Whether the body may carry only what the API itself has a place for."""


FAMILIES: Mapping[str, Family] = {
    "/chat/completions": Family("chat.completions", body=True),
    "/completions": Family("completions", body=True),
    "/responses": Family("responses", body=True),
    "/embeddings": Family("embeddings", body=True),
    "/messages": Family("messages", body=True),
    "/v1/messages": Family("messages", body=True, strict=True),
    "/responses/compact": Family("responses.compact", body=False),
    "/images/generations": Family("images.generations", body=False),
}
"""By the path below the base URL. Families without ``body`` get headers only: their bodies are not open to more fields.

``/v1/messages`` is where Anthropic's client asks; the API has a place for ``metadata.user_id`` and answers 400 to more
(platform.claude.com/docs/en/api/messages).
"""

_DEPLOYMENTS = "/deployments/"
"""Where Azure has each model's own paths (learn.microsoft.com/azure/ai-services/openai/reference)."""

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
    if path.startswith(_DEPLOYMENTS):
        path = "/" + path[len(_DEPLOYMENTS) :].partition("/")[2]
    return FAMILIES.get(path)
