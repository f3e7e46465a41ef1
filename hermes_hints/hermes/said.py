"""What was said to a model, in the forms in which the host hands it on."""

from __future__ import annotations

import re
from typing import cast

__all__ = ["holds", "last_of_user", "latest"]


def last_of_user(messages: list[object]) -> str:
    """The last message of the user's; empty where it is no plain text."""
    for message in reversed(messages):
        if isinstance(message, dict) and cast("dict[str, object]", message).get("role") == "user":
            content = cast("dict[str, object]", message).get("content")
            return content if isinstance(content, str) else ""
    return ""


def latest(said: list[object]) -> list[str]:
    """All texts since a model last answered: in the form of whatever API is used."""
    texts: list[str] = []
    for message in reversed(said):
        fields = cast("dict[str, object]", message) if isinstance(message, dict) else {}
        if fields.get("role") == "assistant" or fields.get("type") == "function_call":
            break
        for content in (fields.get("content"), fields.get("output")):
            parts = cast("list[object]", content) if isinstance(content, list) else [{"text": content}]
            found = [cast("dict[str, object]", part).get("text") for part in parts if isinstance(part, dict)]
            texts.extend(text for text in found if isinstance(text, str))
    return texts


def holds(text: str, question: str) -> bool:
    """Whether a question is a part of what was said: a line or more of it, behind a name where the host puts one."""
    return re.search(rf"(?:\A|\n|\] ){re.escape(question)}(?=\s*(?:\n|\Z))", text) is not None
