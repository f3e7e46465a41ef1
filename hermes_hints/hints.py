"""What should happen to the request: the wishes of the user, the caller and the plugins."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, WithJsonSchema

from .identity import Identity
from .values import (
    MAX_EXT,
    MAX_LABELS,
    Normaliser,
    Scalar,
    Short,
    Value,
    ext_entries,
    is_ext_key,
    label_list,
    nearest,
    short_text,
)

__all__ = ["MOST_KEYS", "NO_HINTS", "Hints", "Priority", "merge_hints", "normal_hints"]

MOST_KEYS = 64
"""Most entries of a mapping of hints; of one that has more than it says, these."""

Priority = Literal["low", "normal", "high"]
"""How urgent a request is; a receiver's own scale is the profile's business."""
_PRIORITIES = get_args(Priority)

Labels = Annotated[
    tuple[str, ...] | None,
    BeforeValidator(label_list),
    WithJsonSchema({"type": "array", "items": {"type": "string", "maxLength": 512}, "maxItems": MAX_LABELS}),
]
Ext = Annotated[
    Mapping[str, Scalar] | None,
    BeforeValidator(ext_entries),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$", "maxLength": 53},
            "additionalProperties": {"type": ["string", "integer", "number", "boolean"]},
            "maxProperties": MAX_EXT,
        }
    ),
]


def _priority(value: object) -> Any:
    text = short_text(value)
    if text is None or text in _PRIORITIES:
        return text
    msg = f"must be one of {', '.join(_PRIORITIES)}"
    raise ValueError(msg)


class Hints(Value):
    """What the caller, the user or a plugin wishes for a request. Frozen; every field is optional.

    A text is at most 512 characters; ``priority`` is ``low``, ``normal`` or ``high``; at most 32 ``labels``; ``ext``
    takes up to 32 ``"vendor.key"`` entries whose values are text, numbers or truth values. ``None`` and ``""`` mean
    absent.

    Raises:
        pydantic.ValidationError: a field that does not exist, or a value outside these limits.
    """

    user_intent: Short = None
    """What the user wishes, in a word that the receiver's rules know, such as ``force-cloud``."""
    command_origin: Short = None
    """The command that said so, such as ``/hint``."""
    requested_model: Short = None
    """A model that is wished for; the request's own ``model`` stays as it is."""
    priority: Annotated[
        Priority | None, BeforeValidator(_priority), WithJsonSchema({"enum": ["low", "normal", "high"]})
    ] = None
    """``low``, ``normal`` or ``high``."""
    experiment_arm: Short = None
    """The arm of an experiment."""
    cost_center: Short = None
    """Who pays."""
    labels: Labels = None
    """Any further words."""
    ext: Ext = None
    """Anything else: ``{"vendor.key": value}``."""

    normalisers: ClassVar[Mapping[str, Normaliser]] = {
        "user_intent": short_text,
        "command_origin": short_text,
        "requested_model": short_text,
        "priority": _priority,
        "experiment_arm": short_text,
        "cost_center": short_text,
        "labels": label_list,
        "ext": ext_entries,
    }


NO_HINTS = Hints.model_construct()


def normal_hints(given: Mapping[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    """The usable part of a mapping of hints, and one sentence for each part that is not.

    A key with a dot is taken as an ``ext`` entry. Never raises for what the mapping holds. The sentences are for the log:
    they quote neither values nor unknown keys, either of which may be an identity.
    """
    kept: dict[str, Any] = {}
    problems: list[str] = []
    loose: dict[str, Any] = {}
    normalisers = Hints.normalisers
    for name, value in itertools.islice(given.items(), MOST_KEYS):
        key = str.__str__(name) if isinstance(name, str) else ""
        normalise = normalisers.get(key)
        if normalise is None:
            if is_ext_key(key):
                loose[key] = value
            else:
                problems.append(_unknown_key(key))
            continue
        try:
            taken = normalise(value)
        except ValueError as error:
            problems.append(f"{key} {error}")
            continue
        if taken is not None:
            kept[key] = taken
    if loose:
        try:
            entries = ext_entries({**loose, **kept["ext"]} if "ext" in kept else loose)
        except ValueError as error:
            problems.append(f"ext {error}")
        else:
            if entries is not None:
                kept["ext"] = entries
    return kept, problems


def _unknown_key(key: str) -> str:
    if key in Identity.model_fields:
        return f"{key!r} is an identity field, which only the host or the caller may set"
    close = nearest(key, Hints.normalisers)
    known = f"did you mean {close!r}?" if close else f"known: {', '.join(Hints.normalisers)}"
    return f"a key is no field of Hints, nor of the form 'vendor.key'; {known}"


def merge_hints(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``under`` with ``over`` on top: ``labels`` and ``ext`` add up, any other field is replaced.

    Where they would exceed their limit, those of ``over`` stay. ``under`` is changed and returned; both hold normal values.
    """
    for key, value in over.items():
        if key not in under:
            under[key] = value
        elif key == "ext":
            both = {**under["ext"], **value}
            if len(both) > MAX_EXT:
                spare = [name for name in under["ext"] if name not in value][: MAX_EXT - len(value)]
                both = {**{name: under["ext"][name] for name in spare}, **value}
            under["ext"] = both
        elif key == "labels":
            spare = [label for label in under["labels"] if label not in value][: MAX_LABELS - len(value)]
            under["labels"] = (*spare, *value)
        else:
            under[key] = value
    return under
