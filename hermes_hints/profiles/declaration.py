"""What a profile declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = ["FIELD_IN_TITLE", "FIELD_IN_WORDS", "Form", "Native", "Natives", "Profile", "each", "field_name"]

Form = Literal["text", "hashed", "token", "list", "trace", "prefix"]

FIELD_IN_TITLE = "<Name>"
FIELD_IN_WORDS = "<name>"
"""Stand in a name for the field: ``Chat-Id`` and ``chat_id``."""


class Native(NamedTuple):
    """A field of the record under the name that the receiver already has for it."""

    field: str
    """The record's field, or ``ext.`` and the key of an ``ext`` entry."""
    form: Form = "text"
    """``text`` as it is; ``hashed``: HMAC-SHA256 under the operator's key; ``token``: as in ``X-Hermes-Session-Id``;
    ``list``: labels as a list, only inside a JSON body; ``trace``: 32 hexadecimal digits, as the id of a trace, the same
    that Langfuse's ``create_trace_id(seed=…)`` gives; ``prefix``: the prefix alone, where the field has a value."""
    limit: int = 512
    """Longest value in characters, from 64. A longer id is replaced by its SHA-256, a longer name is cut, and any other value
    that is longer is left out, because half a model name is another model's name."""
    prefix: str = ""
    """What stands before the value."""
    apis: tuple[str, ...] = ()
    """The API families whose bodies know the name (``chat.completions``, ``responses``, …); empty: all."""


Natives = Mapping[str, Native]
"""By the receiver's names."""

_NONE: Natives = MappingProxyType({})
_NO_OBJECTS: Mapping[str, Natives] = MappingProxyType({})


class Profile(NamedTuple):
    """Which carriers an endpoint gets, and which fields go by a native name.

    What the caller set under a native name stays as it is.
    """

    name: str
    """As ``endpoints`` names it."""
    summary: str
    """One sentence for an operator who is choosing."""
    body: bool = False
    """The top-level object ``hermes``."""
    metadata: Literal["never", "stored", "always"] = "never"
    """``stored``: only where the request is stored, as OpenAI answers 400 to metadata otherwise."""
    headers: bool = False
    """The ``X-Hermes-*`` headers."""
    native_body: Natives = _NONE
    """Fields of the body: a top-level name, or a path with dots into an object (``metadata.user_id``)."""
    request_metadata: bool = False
    """The map ``requestMetadata`` of Bedrock's Converse API."""
    native_headers: Natives = _NONE
    """Header names."""
    json_headers: Mapping[str, Natives] = _NO_OBJECTS
    """Headers whose value is a JSON object of strings, with what is in the object."""
    baggage: Natives = _NONE
    """Members of the header ``baggage`` (W3C Baggage)."""
    span: Natives = _NONE
    """Attributes of the OpenTelemetry span that is current when the request leaves, if there is one."""
    advertised: bool = False
    """Whether only those headers are sent that the endpoint takes, where it says so when asked (``GET …/capabilities``)."""

    @property
    def silent(self) -> bool:
        """Whether nothing at all is sent."""
        if self.body or self.headers or self.request_metadata or self.metadata != "never":
            return False
        return not (self.native_body or self.native_headers or self.json_headers or self.baggage or self.span)

    @property
    def heads(self) -> bool:
        """Whether anything goes into headers."""
        return bool(self.headers or self.native_headers or self.json_headers or self.baggage)


def each(
    name: str, fields: Iterable[str], form: Form = "text", limit: int = 512, apis: tuple[str, ...] = ()
) -> Natives:
    """One entry for each field, where ``<Name>`` or ``<name>`` in ``name`` stands for the field's own."""
    return {field_name(name, field): Native(field, form, limit, apis=apis) for field in fields}


def field_name(name: str, field: str) -> str:
    """``name`` with the field in it: ``Property-<Name>`` and ``chat_id`` give ``Property-Chat-Id``.

    Of an ``ext`` entry it is the key, in titles with dashes for what no header name should hold.
    """
    word = field.removeprefix("ext.")
    title = "-".join(part.capitalize() for part in word.replace(".", "_").replace("-", "_").split("_") if part)
    return name.replace(FIELD_IN_TITLE, title).replace(FIELD_IN_WORDS, word)
