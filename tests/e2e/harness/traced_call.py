"""Run with a base URL in an environment with OpenTelemetry's SDK: prints the attributes of a span in which a call was made.

The span has an attribute of the program's own.
"""

from __future__ import annotations

import json
import sys

import openai
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import hermes_hints

WHO = {"user_id": "José, ops", "user_name": "Zoë", "conversation_id": "conversation-1"}


def main() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    client = openai.OpenAI(base_url=sys.argv[1], api_key="k")
    settings = {"endpoints": [{"match": "127.0.0.1", "profile": "otel"}]}
    hermes_hints.wrap(client, settings=settings, identity=WHO)
    with trace.get_tracer("test").start_as_current_span("turn", attributes={"session.id": "mine"}):
        client.chat.completions.create(model="m", messages=[])
    client.chat.completions.create(model="m", messages=[])
    (span,) = exporter.get_finished_spans()
    print(json.dumps(dict(span.attributes or {})))


if __name__ == "__main__":
    main()
