"""What a field's value may be: the rules that `Identity`, `Hints`, `Call` and `Record` share."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator

__all__ = [
    "EXT_KEY",
    "MAX_CHARS",
    "MAX_EXT",
    "MAX_LABELS",
    "Count",
    "Id",
    "Name",
    "Normaliser",
    "Scalar",
    "Short",
    "Value",
    "count",
    "ext_entries",
    "identifier",
    "is_ext_key",
    "label_list",
    "made_of",
    "name",
    "nearest",
    "scalar",
    "short_text",
    "unknown_name",
]

MAX_CHARS = 512
"""Longest value in characters: what OpenAI's ``metadata`` takes (platform.openai.com/docs/api-reference/chat)."""
MAX_LABELS = 32
"""Most labels on one request."""
_MOST_PARTS = 1024
"""Most that are looked at, the same one over and over included."""
MAX_EXT = 32
"""Most ``ext`` entries on one request."""

_LONGEST_KEY = 53
EXT_KEY = re.compile(r"(?=.{3,53}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
"""``vendor.key``: at least one dot, and 53 characters at most, so that ``hermes_ext_<key>`` is within OpenAI's 64."""


def is_ext_key(key: str) -> bool:
    """Whether ``key`` is of the form of `EXT_KEY`; the few that are in use are not matched over and over."""
    return len(key) <= _LONGEST_KEY and _is_ext_key(key)


@lru_cache(maxsize=1024)
def _is_ext_key(key: str) -> bool:
    return EXT_KEY.fullmatch(key) is not None


Scalar = str | int | float | bool
"""What an ``ext`` value may be."""

_V = TypeVar("_V", bound=BaseModel)
_blank = object.__new__
_fill = object.__setattr__
_LARGEST = 2**63
_MOST_CALLS = 2**31


def _plain(value: object) -> str | None:
    """Return ``value`` as text that UTF-8 can carry; ``None`` for an absent one.

    Raises:
        ValueError: ``value`` is neither text nor a whole number.
    """
    if value is None:
        return None
    if type(value) is not str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            msg = f"must be text, not {type(value).__name__}"
            raise ValueError(msg)
        if isinstance(value, int) and not -_LARGEST < int.__int__(value) < _LARGEST:
            msg = "is a number of more than 64 bits"
            raise ValueError(msg)
        # The content of an enum's member, not its name.
        value = str.__str__(value) if isinstance(value, str) else int.__repr__(value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            value = value.encode("utf-8", "replace").decode()
    return value if value and not value.isspace() else None


def identifier(value: object) -> str | None:
    """An id: kept as it is; one over 512 characters becomes ``sha256-`` and its digest, so that it stays unique.

    Raises:
        ValueError: ``value`` is neither text nor a whole number.
    """
    text = _plain(value)
    if text is None or len(text) <= MAX_CHARS:
        return text
    return f"sha256-{hashlib.sha256(text.encode()).hexdigest()}"


def name(value: object) -> str | None:
    """A display name: cut at 512 characters.

    Raises:
        ValueError: ``value`` is neither text nor a whole number.
    """
    text = _plain(value)
    return _plain(text[:MAX_CHARS]) if text is not None and len(text) > MAX_CHARS else text


def short_text(value: object) -> str | None:
    """A hint: refused over 512 characters, because half a model name is another model's name.

    Raises:
        ValueError: ``value`` is not text, or too long.
    """
    if type(value) is str and len(value) <= MAX_CHARS and value.isascii() and not value.isspace():
        return value or None
    text = _plain(value)
    if text is not None and len(text) > MAX_CHARS:
        msg = f"is longer than {MAX_CHARS} characters"
        raise ValueError(msg)
    return text


def label_list(value: object) -> tuple[str, ...] | None:
    """Labels, from a list or from comma-joined text; in order, each once.

    Raises:
        ValueError: not a list of texts, or more than 32.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if len(value) > MAX_CHARS * MAX_LABELS:
            msg = f"is longer than {MAX_CHARS * MAX_LABELS:,} characters"
            raise ValueError(msg)
        parts: Iterable[object] = value.split(",", _MOST_PARTS)
    elif isinstance(value, list | tuple | set | frozenset):
        given = cast("Iterable[object]", value)
        parts = (
            part for item in given for part in (item.split(",", _MOST_PARTS) if isinstance(item, str) else (item,))
        )
    else:
        msg = f"must be a list of texts, not {type(value).__name__}"
        raise ValueError(msg)
    labels: dict[str, None] = {}
    for number, part in enumerate(parts):
        text = short_text(part.strip() if isinstance(part, str) else part)
        if text is not None:
            labels[text] = None
        if len(labels) > MAX_LABELS or number == _MOST_PARTS:
            msg = f"has more than {MAX_LABELS} entries"
            raise ValueError(msg)
    return tuple(labels) or None


def scalar(value: object) -> Scalar | None:
    """One ``ext`` value: text of at most 512 characters, a 64-bit whole number, a finite number, or a truth value.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, str):
        return short_text(value)
    if isinstance(value, bool):
        return value
    # By their own classes' ways: a subclass may answer anything.
    if isinstance(value, float):
        number = float.__float__(value)
        if math.isfinite(number):
            return number
        msg = "is not a finite number"
        raise ValueError(msg)
    if isinstance(value, int) and -_LARGEST < int.__int__(value) < _LARGEST:
        return int.__int__(value)
    return short_text(value)


def ext_entries(value: object) -> dict[str, Scalar] | None:
    """The open part of the hints: ``{"vendor.key": value}``.

    Raises:
        ValueError: a key without a dot or over 53 characters, a nested value, or more than 32 entries.
    """
    if value is None:
        return None
    if type(value) is not dict and not isinstance(value, Mapping):
        msg = f"must be a mapping, not {type(value).__name__}"
        raise ValueError(msg)
    entries = cast("Mapping[object, object]", value)
    if len(entries) > MAX_EXT:
        msg = f"has more than {MAX_EXT} entries"
        raise ValueError(msg)
    kept: dict[str, Scalar] = {}
    for given, item in itertools.islice(entries.items(), MAX_EXT):
        key = str.__str__(given) if isinstance(given, str) else ""
        if not is_ext_key(key):
            msg = "has a key that is not of the form 'vendor.key' (letters, digits, _ and -, 53 characters at most)"
            raise ValueError(msg)
        try:
            taken = scalar(item)
        except ValueError as error:
            msg = f"{key}: {error}"
            raise ValueError(msg) from None
        if taken is not None:
            kept[key] = taken
    return kept or None


def count(value: object) -> int | None:
    """A number of calls, from 1: a 31-bit whole number, or its decimal digits.

    Raises:
        ValueError: anything else.
    """
    digits = _plain(value)
    if digits is None:
        return None
    if digits.isascii() and digits.isdigit() and len(digits) < 11 and 0 < int(digits) < _MOST_CALLS:  # noqa: PLR2004 - so many digits have 31 bits
        return int(digits)
    msg = f"is not a whole number from 1 to {_MOST_CALLS - 1:,}"
    raise ValueError(msg)


def _text_schema(**more: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_CHARS, **more})


Id = Annotated[str | None, BeforeValidator(identifier), _text_schema()]
Name = Annotated[str | None, BeforeValidator(name), _text_schema()]
Short = Annotated[str | None, BeforeValidator(short_text), _text_schema()]
Count = Annotated[
    int | None,
    BeforeValidator(count),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _MOST_CALLS - 1}),
]


class Value(BaseModel):
    """Base of the frozen values: unknown names are refused with the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, str_strip_whitespace=False)

    accepted_aliases: ClassVar[Mapping[str, str]] = {}
    """Other names a field is known by where it comes from."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = dict(cast("Mapping[str, object]", data))
        for alias, field in cls.accepted_aliases.items():
            if alias in given:
                value = given.pop(alias)
                if given.get(field) in (None, ""):
                    given[field] = value
        unknown = [key for key in given if key not in cls.model_fields]
        if unknown:
            raise ValueError(unknown_name(cls.__name__, unknown[0], cls.model_fields))
        return given

    def fields(self) -> dict[str, Any]:
        """The fields that have a value, by name, in the order of the wire contract."""
        return {key: value for key, value in self.__dict__.items() if value is not None}


def made_of(kind: type[_V], content: dict[str, Any], given: set[str], private: dict[str, Any] | None = None) -> _V:
    """A value of every field, known to be good; ``given`` are the names of those that are no defaults.

    What `model_construct` does in five times the time, which every request would spend.
    """
    made = _blank(kind)
    _fill(made, "__dict__", content)
    _fill(made, "__pydantic_fields_set__", given)
    _fill(made, "__pydantic_extra__", None)
    _fill(made, "__pydantic_private__", private)
    return made


def unknown_name(what: str, given: object, known: Iterable[str]) -> str:
    """A sentence for a name that is not known, with the nearest known one or the whole list."""
    names = sorted(known)
    shown = given[:80] if isinstance(given, str) else type(given).__name__
    close = nearest(shown, names)
    hint = f"did you mean {close!r}?" if close else f"known: {', '.join(names)}"
    return f"{what} has no field {shown!r}; {hint}"


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The known name that is most like the first 80 characters of ``given``, if any is."""
    import difflib

    return next(iter(difflib.get_close_matches(given[:80], known, n=1)), None)


Normaliser = Callable[[object], Any]
"""Takes any value, returns the normal one or ``None`` for absent, raises ValueError with the reason."""
