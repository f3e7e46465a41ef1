"""The wire contract as JSON Schema: ``hermes-hints-1.schema.json`` in this package."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

__all__ = ["FILE", "schema"]

FILE = "hermes-hints-1.schema.json"
"""The published file's name."""


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the top-level object ``hermes`` in a request's body.

    It describes what hermes-hints sends. Names that it does not know are allowed: a receiver leaves them out.
    """
    content: dict[str, Any] = json.loads(resources.files(__name__).joinpath(FILE).read_text("utf-8"))
    return content
