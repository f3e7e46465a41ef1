"""The wire contract as JSON Schema, generated from `Record`.

``hermes-hints-1.schema.json`` in this package is what `schema` returns.
"""

from __future__ import annotations

from typing import Any

from ..wire import VERSION, WIRE_FIELDS, Record

__all__ = ["FILE", "schema"]

FILE = f"hermes-hints-{VERSION}.schema.json"
"""The published file's name."""


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the top-level object ``hermes`` in a request's body.

    It describes what hermes-hints sends. Names that it does not know are allowed: a receiver leaves them out.
    """
    drawn = Record.model_json_schema()["properties"]
    fields = {name: {key: drawn[name][key] for key in drawn[name] if key not in _DROPPED} for name in WIRE_FIELDS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The object `hermes` of an LLM request, version {VERSION}",
        "description": "Who asks, where and in which conversation, and how the request is wished to be served: the caller's "
        "claim, not a fact. A field that has no value is absent, never null.",
        "type": "object",
        "properties": {"v": {"const": VERSION}, **fields},
        "required": ["v"],
    }


_DROPPED = frozenset({"title", "default"})
"""What pydantic adds: a default of null would say that null may be sent."""
