"""LiteLLM's own fields, filled from the record, and what no provider should see, taken out.

Where each is read, in litellm 1.106.2: the end user in ``get_end_user_id_for_cost_tracking`` (utils.py), the session in
``get_standard_logging_payload_trace_id`` (litellm_core_utils/litellm_logging.py) and ``DeploymentAffinityCheck``
(router_utils/pre_call_checks), ``trace_*`` and ``generation_name`` in ``LangfuseOtelLogger`` (integrations/langfuse).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, cast

from ..profiles.writing import tags_of
from ..receive import Verdict, from_object, read, verify
from ..wire import BODY_KEY, CALL_FIELDS, METADATA_PREFIX, Record

__all__ = ["add_tags", "fill", "hear", "own_metadata", "remove"]

Data = dict[str, Any]

_END_USER = "user_api_key_end_user_id"
_SPEND = "spend_logs_metadata"
_TRACE_NAME = "hermes turn"


def own_metadata(data: Data) -> dict[str, Any]:
    """Where LiteLLM keeps what it knows of a request, by the choice that it makes itself.

    That is ``litellm_metadata`` for APIs whose ``metadata`` goes to the provider (responses, messages), else ``metadata``.
    """
    name = "litellm_metadata" if "litellm_metadata" in data else "metadata"
    if not isinstance(data.get(name), dict):
        data[name] = {}
    return cast("dict[str, Any]", data[name])


def hear(data: Data, signing_key: str | None) -> tuple[Record, Verdict | None]:
    """What a request says of itself; and with a key, whether it is signed.

    The profiles for LiteLLM send what headers have no place for as metadata for the spend row, which no signature covers.
    """
    headers = _headers(data)
    body = {BODY_KEY: data.get(BODY_KEY), "metadata": data.get("metadata")}
    record = read(headers, body)
    if signing_key is not None:
        return record, verify(headers, body, key=signing_key)
    fields = record.fields()
    if fields:
        record = Record(**{**from_object(own_metadata(data).get(_SPEND)), **fields})
    return record, None


def fill(data: Data, record: Record, tags: Iterable[str]) -> None:
    """Fill the fields that neither the caller nor LiteLLM itself has filled, and merge where both can stand.

    Args:
        data: the request as LiteLLM's hooks are given it; changed in place.
        record: what the request says of itself.
        tags: the fields of the record that become tags, as ``platform:matrix``. Tags can route and be budgeted.
    """
    said = record.model_dump(mode="json", exclude_none=True, exclude={"v"})
    if not said:
        return
    kept = own_metadata(data)
    if record.user_id is not None:
        _default(kept, _END_USER, record.user_id)
        _default(kept, "trace_user_id", record.user_id)
    _fill_session(data, kept, record.conversation_id or record.session_id)
    _fill_trace(data, kept, record)
    _default(kept, "generation_name", record.purpose)
    of_the_turn = {field: value for field, value in said.items() if field not in CALL_FIELDS}
    _default(kept, "trace_metadata", of_the_turn)
    spend = kept.get(_SPEND)
    kept[_SPEND] = {**said, **cast("Mapping[str, Any]", spend)} if isinstance(spend, Mapping) else said
    add_tags(data, tags_of(record.fields(), tags))


def add_tags(data: Data, tags: Iterable[str]) -> None:
    """Add to the request's tags; those that it has stay first."""
    kept = own_metadata(data)
    present = kept.get("tags")
    merged = [*cast("list[object]", present if isinstance(present, list) else []), *tags]
    if merged:
        kept["tags"] = list(dict.fromkeys(map(str, merged)))


def _fill_session(data: Data, kept: dict[str, Any], conversation: str | None) -> None:
    if conversation is None:
        return
    _default(kept, "session_id", conversation)
    _default(data, "litellm_session_id", kept["session_id"])


def _fill_trace(data: Data, kept: dict[str, Any], record: Record) -> None:
    """One turn, one trace: all of its calls get the trace id that Langfuse's ``create_trace_id(seed=turn_id)`` gives.

    LiteLLM takes a session header for it too, which would make one trace of a conversation; any other
    trace id is the caller's. An OpenTelemetry exporter takes it from ``traceparent`` (www.w3.org/TR/trace-context), which is
    set for what runs in the proxy alone: LiteLLM forwards the client's own.
    """
    if record.turn_id is None:
        return
    digest = hashlib.sha256(record.turn_id.encode()).hexdigest()
    if kept.get("trace_id") in (None, "", kept.get("session_id")):
        kept["trace_id"] = digest[:32]
    _default(kept, "trace_name", _TRACE_NAME)
    headers = _headers(data)
    if headers is not None and kept.get("litellm_parent_otel_span") is None and kept["trace_id"] == digest[:32]:
        headers.setdefault("traceparent", f"00-{digest[:32]}-{digest[32:48]}-01")


def _headers(data: Data) -> dict[str, Any] | None:
    request = data.get("proxy_server_request")
    found = cast("Data", request).get("headers") if isinstance(request, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _default(place: dict[str, Any], key: str, value: object) -> None:
    if value is not None and place.get(key) in (None, ""):
        place[key] = value


_HEADER_PREFIX = "x-hermes-"


def remove(data: dict[str, Any], record: Record) -> None:
    """Take the hints out of everything that LiteLLM may forward; ``data`` is changed in place.

    That is the body's ``hermes``, every ``hermes_*`` of its metadata and every ``X-Hermes-*`` of the headers that LiteLLM
    may forward (``forward_client_headers_to_llm_api``); and ``user``, or Anthropic's ``metadata.user_id``,
    where they only repeat the record's ``user_id``.
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
