"""The attributes of the OpenTelemetry span that is current, for a program that has OpenTelemetry."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, cast

__all__ = ["annotate"]

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
