"""What no provider should see, taken out of a request."""

from __future__ import annotations

from typing import Any, cast

from ..record import Record
from ..wire import BODY_KEY, METADATA_PREFIX
from .filling import own_metadata

__all__ = ["remove"]

_HEADER_PREFIX = "x-hermes-"


def remove(data: dict[str, Any], record: Record) -> None:
    """Take the hints out of everything that LiteLLM may forward; ``data`` is changed in place.

    That is the body's ``hermes``, every ``hermes_*`` of its metadata and every ``X-Hermes-*`` of the headers that LiteLLM
    forwards when it is told to (``forward_client_headers_to_llm_api``); and ``user``, or Anthropic's ``metadata.user_id``,
    where they only repeat the record's ``user_id``, as hermes-hints itself sends them. What else the caller sent stays.
    """
    kept = own_metadata(data)
    for body in (data, _mapping(data, "extra_body")):
        body.pop(BODY_KEY, None)
        metadata = _mapping(body, "metadata")
        _drop(metadata, METADATA_PREFIX)
        _drop_repeated(body, "user", record)
        if metadata is not kept:
            _drop_repeated(metadata, "user_id", record)
            if not metadata:
                body.pop("metadata", None)
    for place in (kept, _mapping(kept, "requester_metadata")):
        _drop(place, METADATA_PREFIX)
    for name in ("headers", "extra_headers"):
        _drop(_mapping(data, name), _HEADER_PREFIX)


def _mapping(place: dict[str, Any], key: str) -> dict[str, Any]:
    found = place.get(key)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _drop_repeated(place: dict[str, Any], key: str, record: Record) -> None:
    if record.user_id is not None and place.get(key) == record.user_id:
        del place[key]


def _drop(place: dict[str, Any], prefix: str) -> None:
    for key in [key for key in place if key.lower().startswith(prefix)]:
        del place[key]
