"""What a user's command asks for: `/hint` and the operator's short forms, read from the message; and what was said to a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..hints import Hints, normal_hints

__all__ = [
    "CLEAR",
    "HINT",
    "SHOW",
    "Order",
    "holds",
    "last_of_user",
    "latest",
    "read_command",
    "read_model",
    "read_order",
]

HINT = "hint"
CLEAR = "clear"
SHOW = ""
_SESSION = "--session"
_ONCE = "--once"
_PROVIDER = "--provider"
# Phones write one dash where two hyphens were typed.
_DASHES = re.compile(r"(?<!\S)[\u2012-\u2015](?=[a-z])")
_COMMAND = re.compile(r"/([A-Za-z][A-Za-z0-9_-]*)(?:@\S*)?(?=\s|\Z)")
_INTENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_PAIR = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(\S+)")


@dataclass(frozen=True, slots=True)
class Order:
    """A command that was understood."""

    hints: Mapping[str, Any]
    lasting: bool
    """Until it is cleared, and not for the next turn alone."""
    question: str
    """What is to be asked at once; empty where the command stands alone."""
    asks: str | None = None
    """`SHOW` or `CLEAR` where that is all."""


def read_command(text: str) -> tuple[str, str] | None:
    """A message's command, as the host names it (lower case, dashes), and what follows; ``None`` for no command."""
    found = _COMMAND.match(text)
    if found is None:
        return None
    return found[1].lower().replace("_", "-"), text[found.end() :].strip()


def read_model(arguments: str) -> tuple[str, bool] | None:
    """The model that ``/model arguments`` names, and whether for one turn only; ``None`` where it names none.

    Source: ``parse_model_flags_detailed`` in hermes_cli/model_switch.py.
    """
    named: list[str] = []
    once = False
    words = iter(_DASHES.sub("--", arguments).split())
    for word in words:
        if word == _PROVIDER:
            next(words, None)
        elif word == _ONCE:
            once = True
        elif not word.startswith("--"):
            named.append(word)
    return (" ".join(named), once) if named else None


def read_order(name: str, arguments: str, preset: Mapping[str, Any] | None = None) -> Order:
    """What ``/name arguments`` asks for; ``preset`` are the hints of a short form.

    ``/hint [--session] [intent] [field=value …] [question]``; a short form takes ``--session`` and the question.

    Raises:
        ValueError: the hints are none; the message says what would be.
    """
    hints: dict[str, Any] = dict(preset or {})
    lasting = False
    line, newline, below = arguments.partition("\n")
    while line:
        word, _, rest = line.partition(" ")
        # iOS writes a dash where two hyphens were typed
        if word in (_SESSION, "\u2014session", "\u2013session"):
            lasting = True
        elif preset is not None:
            break
        elif (pair := _PAIR.fullmatch(word)) is not None and ("." in pair[1] or pair[1] in Hints.model_fields):
            hints[pair[1]] = pair[2]
        elif "user_intent" not in hints and _INTENT.fullmatch(word) is not None:
            hints["user_intent"] = word
        else:
            break
        line = rest.lstrip()
    question = f"{line}{newline}{below}".strip()
    if preset is None and not lasting and not question and set(hints) <= {"user_intent"}:
        intent = hints.get("user_intent", SHOW)
        if intent in (SHOW, CLEAR):
            return Order({}, lasting, "", intent)
    if not hints:
        msg = f"say what you want first: /{name} force-cloud, then your question"
        raise ValueError(msg)
    kept, problems = normal_hints(hints)
    if problems:
        raise ValueError(problems[0])
    return Order({**kept, "command_origin": f"/{name}"}, lasting, question)


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
