"""Tags: fields of the record that an operator wants to see as ``platform:matrix``. They can route and be budgeted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from .carriers import text_of
from .errors import ConfigError
from .values import unknown_name
from .wire import WIRE_FIELDS

__all__ = ["parse_tags", "tags_of"]

_TAGGABLE = tuple(field for field in WIRE_FIELDS if field != "ext")


def parse_tags(value: object, where: str) -> tuple[str, ...]:
    """The fields that are to become tags, as an operator lists them; ``None`` is none. ``where`` is what errors call it.

    Raises:
        ConfigError: it is no list, or names something that is no field.
    """
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        msg = f"{where} is {value!r:.80}; write a list of fields, such as [platform, purpose]"
        raise ConfigError(msg)
    fields = tuple(map(str, cast("Sequence[object]", value)))
    for field in fields:
        if field not in _TAGGABLE:
            raise ConfigError(unknown_name(where, field, _TAGGABLE))
    return fields


def tags_of(record: Mapping[str, Any], fields: Iterable[str]) -> list[str]:
    """The tags for the fields that have a value, in their order; of labels there is one for each. Pure."""
    tags: list[str] = []
    for field in fields:
        value = record.get(field)
        if isinstance(value, tuple | list):
            tags.extend(f"{field}:{item}" for item in cast("Iterable[object]", value))
        elif value is not None:
            tags.append(f"{field}:{text_of(value)}")
    return tags
