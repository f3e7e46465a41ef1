"""Read the user's intent off the first words of the message."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, cast

import hermes_hints
from hermes_hints import Call, ConfigError, hookimpl

_NAME = "intent-words"
_DEFAULT = {"force-cloud": ["force-cloud"], "force-local": ["force-local"]}
_TURNS = (None, "main")
_LONGEST = 200
_LONGEST_INTENT = 512
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
"""Scripts that put no blank between words, by the beginnings of their characters' names."""

# In a session that several people share, Hermes writes who says it before what is said, and before both what was said in
# the room since (_prefix_inbound_sender_context in its gateway, 0.19 and 0.22).
_NEW_MESSAGE = "\n[New message]\n"
_SENDER = re.compile(r"\[[^\]]{1,200}\] ?")
_PUNCTUATION = re.compile(r"[\W_]+")


def _refuse(what: str) -> NoReturn:
    message = f"{_NAME}: {what}"
    raise ConfigError(message)


def _openings(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """The intent of each opening, the longest opening first."""
    for key in settings:
        if key != "words":
            _refuse(f"there is no setting {key!r}; use words")
    words = settings.get("words", _DEFAULT)
    if not isinstance(words, Mapping) or not words:
        _refuse(f"words is {words!r}; give each intent its openings, such as {{force-cloud: [think hard]}}")
    found: dict[str, str] = {}
    for intent, openings in cast("Mapping[object, object]", words).items():
        if not isinstance(intent, str) or not 0 < len(intent.strip()) <= _LONGEST_INTENT:
            _refuse(f"the intent {intent!r:.80} is no text of 1 to {_LONGEST_INTENT} characters; write it in quotes")
        for opening in _listed(intent, openings):
            if found.setdefault(opening, intent) != intent:
                _refuse(f"the opening {opening!r} means {found[opening]!r} and {intent!r}; give it to one of them")
    return dict(sorted(found.items(), key=lambda pair: len(pair[0]), reverse=True))


def _listed(intent: str, openings: object) -> Iterator[str]:
    if isinstance(openings, Mapping):
        for by_language in cast("Mapping[object, object]", openings).values():
            yield from _listed(intent, by_language)
        return
    listed = cast("list[object]", openings) if isinstance(openings, list) else [openings]
    for opening in listed:
        folded = _folded(opening) if isinstance(opening, str) else ""
        if not 0 < len(folded) <= _LONGEST:
            _refuse(
                f"the openings of {intent!r} are {openings!r:.200}; give a list of texts of 1 to {_LONGEST} characters, or one "
                "for each language, such as {en: [think hard], de: [denk gut nach]}"
            )
        yield folded


def _folded(text: str) -> str:
    """One form for what reads the same: case, width, composed or not, and any blanks."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def _beginnings(text: str) -> Iterator[str]:
    """Where an opening may stand: at the very front, after the sender's name, after quotes and the like."""
    front = _folded(text.rpartition(_NEW_MESSAGE)[2][: 3 * _LONGEST])
    yield front
    sender = _SENDER.match(front)
    said = front[sender.end() :] if sender else front
    yield said
    mark = _PUNCTUATION.match(said)
    if mark:
        yield said[mark.end() :]


def _ends(opening: str, following: str) -> bool:
    """Whether the opening's last word ends where it does."""
    if not following or not (following.isalnum() or following == "_" or unicodedata.category(following)[0] == "M"):
        return True
    return not opening[-1].isalnum() or unicodedata.name(opening[-1], "").startswith(_UNSPACED)


_known = _openings({})


@hookimpl
def configure(settings: Mapping[str, Any]) -> None:
    """Take ``words``: for each intent, the openings that mean it, in as many languages as you like."""
    global _known  # noqa: PLW0603 - a module is this plugin's only object
    _known = _openings(settings)


@hookimpl
def contribute_hints(call: Call) -> dict[str, str] | None:
    """The intent of the message that this turn answers; nothing for calls that are no turn."""
    text = call.user_text() if call.purpose in _TURNS else None
    if text is None:
        return None
    for beginning in _beginnings(text):
        for opening, intent in _known.items():
            if beginning.startswith(opening) and _ends(opening, beginning[len(opening) : len(opening) + 1]):
                return {"user_intent": intent}
    return None


def register(ctx: object) -> None:  # noqa: ARG001 - the host hands over its context
    """Register as a Hermes user plugin."""
    hermes_hints.register(sys.modules[__name__], _NAME)
