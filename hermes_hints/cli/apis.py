"""The APIs that a host speaks, and what each of them may carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..families import CONVERSE, FAMILIES, Family
from ..outgoing import Outgoing

__all__ = ["APIS", "api_of", "outgoing_to"]

# Of two paths of one API the one that Hermes' own client asks at, which comes later, counts.
APIS: Mapping[str, Family] = {
    **{family.api: family for family in FAMILIES.values()},
    CONVERSE: Family(CONVERSE, body=True, strict=True),
}
"""By name."""

_BY_MODE = {"codex_responses": "responses", "anthropic_messages": "messages", "bedrock_converse": CONVERSE}


def api_of(api_mode: str | None) -> str:
    """The API by the name that Hermes' ``api_mode`` has for it; chat completions for any other."""
    return _BY_MODE.get(api_mode or "", "chat.completions")


def outgoing_to(
    api: str, body: Mapping[str, Any], headers: Mapping[str, Any] | None = None, *, apart: bool = False
) -> Outgoing:
    """A request by that API, with as much room as it has; ``apart`` as where plugins run in a process of their own."""
    family = APIS[api]
    return Outgoing(
        api,
        body,
        None,
        headers,
        body_allowed=family.body and (family.strict or not apart),
        strict=family.strict,
        headers_allowed=api != CONVERSE,
    )
