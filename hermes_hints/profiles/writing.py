"""From a record to what a profile's native names carry, on requests and on spans."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast
from urllib.parse import quote

from ..carriers import digest, encode, request_metadata, routing_token, text_of
from ..endpoints import CONVERSE
from ..errors import ConfigError
from ..values import unknown_name
from ..wire import IDS, MAX_HEADERS_BYTES, NAMES, WIRE_FIELDS
from .declaration import Native, Natives, Profile

__all__ = [
    "Hashed",
    "Request",
    "annotate",
    "native_fields",
    "native_lines",
    "parse_tags",
    "tags_of",
    "value_of",
    "values_of",
]

Hashed = Callable[[str], str]
"""The pseudonym of a text under the operator's key."""

_EXT = "ext."
_TRACE_DIGITS = 32
_BAGGAGE = "baggage"
_IN_BAGGAGE = "!#$&'()*+-./:<=>?@[]^_`{|}~"
"""What W3C Baggage takes in a value beside letters and digits, but for ``%``, which begins an escape (w3.org/TR/baggage)."""
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@!-]+")
_MOST_MEMBERS = 64
_MOST_BAGGAGE_BYTES = 8192
"""What every receiver of ``baggage`` has to pass on (w3.org/TR/baggage, limits)."""


class Request(Protocol):
    """What is to be known of a request to add fields to it; its caller's own values are read, never changed."""

    @property
    def api(self) -> str:
        """The API family."""
        ...

    def has(self, key: str) -> bool:
        """Whether the caller set a top-level field of the body."""
        ...

    def merged(self, key: str) -> Mapping[str, Any] | None:
        """The caller's own object under a top-level name, empty where it set none; ``None`` where it set something else."""
        ...

    def header_items(self) -> list[tuple[str, Any]]:
        """The caller's headers, those of this request before those of its client."""
        ...


def value_of(native: Native, record: Mapping[str, Any], hashed: Hashed) -> str | list[str] | None:
    """A field as the receiver takes it; ``None`` where the record has none, or none that the receiver could take."""
    field = native.field
    value = record.get(field)
    if value is None and field.startswith(_EXT):
        value = record.get("ext", {}).get(field.removeprefix(_EXT))
    if value is None:
        return None
    if native.form == "list":
        return [item for item in map(text_of, _listed(value)) if len(item) <= native.limit] or None
    text = native.prefix + _formed(native.form, value if type(value) is str else text_of(value), hashed)
    if len(text) <= native.limit:
        return text
    if field in IDS:
        return digest(text)
    return text[: native.limit] if field in NAMES else None


def _formed(form: str, text: str, hashed: Hashed) -> str:
    if form == "text":
        return text
    if form == "hashed":
        return hashed(text)
    if form == "token":
        return routing_token(text)
    return digest(text)[:_TRACE_DIGITS] if form == "trace" else ""


def _listed(value: object) -> Iterable[object]:
    return cast("Iterable[object]", value) if isinstance(value, list | tuple) else (value,)


def values_of(natives: Natives, record: Mapping[str, Any], hashed: Hashed) -> dict[str, str]:
    """The texts by their native names; what has no value is absent."""
    found = ((name, value_of(native, record, hashed)) for name, native in natives.items())
    return {name: value if isinstance(value, str) else ",".join(value) for name, value in found if value is not None}


def native_lines(
    profile: Profile, request: Request, record: Mapping[str, Any], taken: Collection[str], hashed: Hashed
) -> dict[str, str]:
    """The profile's own headers beside the caller's names ``taken`` (lower case).

    Of the two that are lists, JSON objects and baggage, the caller's entries stay and others are put beside them.
    """
    lines: dict[str, str] = {}
    for name, value in values_of(profile.native_headers, record, hashed).items():
        if name.lower() not in taken and (written := encode(value)):
            lines[name] = written
    for name, natives in profile.json_headers.items():
        told = _object(_given(request, name, "{}"), values_of(natives, record, hashed))
        if told is not None:
            lines[name] = told
    if profile.baggage:
        told = _members(_given(request, _BAGGAGE, ""), values_of(profile.baggage, record, hashed))
        if told is not None:
            lines[_BAGGAGE] = told
    return lines


def _given(request: Request, name: str, otherwise: str) -> object:
    """The caller's own value of a header, which may be a mark of the SDK's for leaving it out."""
    return next((value for given, value in request.header_items() if str(given).lower() == name.lower()), otherwise)


def _object(given: object, ours: Mapping[str, str]) -> str | None:
    """A JSON object of the caller's entries and ours; ``None`` where it would say nothing new, or the caller's is none."""
    try:
        found: object = json.loads(given) if isinstance(given, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    entries = cast("dict[str, Any]", found)
    more = {name: value for name, value in ours.items() if name not in entries}
    while more:
        written = json.dumps({**entries, **more}, separators=(",", ":"))
        if len(written) <= MAX_HEADERS_BYTES:
            return written
        more.popitem()
    return None


def _members(given: object, ours: Mapping[str, str]) -> str | None:
    """The caller's baggage and ours behind it; ``None`` where there is nothing to add."""
    if not isinstance(given, str):
        return None
    members = [given] if given else []
    names = {member.partition("=")[0].strip() for member in members and given.split(",")}
    size, count = len(given), len(names)
    for name, value in ours.items():
        member = f"{name}={value if _PLAIN.fullmatch(value) else quote(value, safe=_IN_BAGGAGE)}"
        size += len(member) + 1
        count += 1
        if name not in names and size <= _MOST_BAGGAGE_BYTES and count <= _MOST_MEMBERS:
            members.append(member)
    return ",".join(members) if len(members) > bool(given) else None


def native_fields(
    profile: Profile, request: Request, body: dict[str, Any], record: Mapping[str, Any], hashed: Hashed
) -> None:
    """Put the profile's own fields into ``body``, which holds what else is added to the request's.

    What the caller set stays.
    """
    objects: dict[str, dict[str, Any] | None] = {}
    for name, native in profile.native_body.items():
        if native.apis and request.api not in native.apis:
            continue
        value = value_of(native, record, hashed)
        if value is None:
            continue
        path, _, last = name.rpartition(".")
        if not path:
            if not request.has(name):
                body[name] = value
            continue
        held = objects[path] if path in objects else _opened(objects, path, body, request)
        if held is not None and last not in held:
            held[last] = value
    if profile.request_metadata and request.api == CONVERSE:
        pairs = request.merged("requestMetadata")
        ours = {} if pairs is None else request_metadata(record, pairs)
        if ours:
            body["requestMetadata"] = {**(pairs or {}), **ours}


def _opened(
    objects: dict[str, dict[str, Any] | None], path: str, body: dict[str, Any], request: Request
) -> dict[str, Any] | None:
    """The object at a path, as a copy that stands in ``body``; ``None`` where the caller has something else there."""
    above, _, last = path.rpartition(".")
    found: object
    if above:
        holder = objects[above] if above in objects else _opened(objects, above, body, request)
        found = None if holder is None else holder.get(last, {})
    else:
        holder = body
        found = body[last] if last in body else request.merged(last)
    opened = None
    if holder is not None and isinstance(found, Mapping):
        opened = holder[last] = {**cast("Mapping[str, Any]", found)}
    objects[path] = opened
    return opened


_API = "opentelemetry.trace"


def annotate(attributes: Mapping[str, str]) -> None:
    """Set what the current span does not have yet. Nothing happens where there is no span that records.

    OpenTelemetry is never imported here: a program whose requests are traced has imported it itself.
    """
    api: Any = sys.modules.get(_API)
    if api is None or not attributes:
        return
    span: Any = api.get_current_span()
    if not span.is_recording():
        return
    present: object = getattr(span, "attributes", None)  # the SDK's spans have it, the API's own do not
    known: Mapping[str, object] = cast("Mapping[str, object]", present) if isinstance(present, Mapping) else {}
    span.set_attributes({name: value for name, value in attributes.items() if name not in known})


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
