"""Spans out of what an OTLP exporter posted: opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .environments import Environment

TRACES = "/api/public/otel/v1/traces"
"""Where Langfuse takes them (langfuse.com/integrations/native/opentelemetry)."""

_DECODE = """
import base64, json, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
for line in sys.stdin:
    print(json.dumps(MessageToDict(ExportTraceServiceRequest.FromString(base64.b64decode(line)))))
"""


@dataclass(frozen=True, slots=True)
class Span:
    """One span; ``trace_id`` is in hexadecimal."""

    name: str
    trace_id: str
    attributes: dict[str, Any]


def spans(installed: Environment, bodies: Iterable[bytes]) -> list[Span]:
    """The spans in these messages, read by the protobuf classes of an environment that has them."""
    lines = b"".join(base64.b64encode(body) + b"\n" for body in bodies)
    decoded = subprocess.run([installed.python, "-c", _DECODE], input=lines, capture_output=True, check=True).stdout
    return [
        Span(
            span.get("name", ""),
            base64.b64decode(span["traceId"]).hex(),
            {pair["key"]: _plain(pair["value"]) for pair in span.get("attributes", ())},
        )
        for message in map(json.loads, decoded.splitlines())
        for resource in message["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def _plain(value: dict[str, Any]) -> Any:
    """An attribute's value: what stands under its kind, of an array the values in it."""
    if "arrayValue" in value:
        return [_plain(item) for item in value["arrayValue"].get("values", ())]
    return next(iter(value.values()), None)
