"""Others that wrap an OpenAI client, each as its own documentation says, with an exporter that throws spans away.

Those that patch the SDK's classes are asked to, what they put there is kept, and the classes are put back: each then
stands on one client only, beside the bare one and in the same process.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from openai.resources.chat.completions import AsyncCompletions, Completions

from . import transport
from .names import LANGFUSE, LOGFIRE, OPENLIT, OTEL, TRACELOOP
from .timing import Call
from .workload import BASE_URL

_CLASSES = {"sync": Completions, "async": AsyncCompletions}


def peers(
    kind: str, request: Mapping[str, Any], *, stream: bool = False, among: Collection[str] = ()
) -> dict[str, Call]:
    """Those of them that are installed, or those ``among`` them."""
    found: dict[str, Call] = {}
    for name, (module, make) in _PEERS.items():
        if (among and name not in among) or not _installed(module):
            continue
        create = make(kind, transport.client(kind, BASE_URL, stream=stream))
        found[name] = lambda create=create: create(**request)
    return found


def silent() -> list[str]:
    """Those that have recorded no span yet: after a few calls, a sign that they are set up wrongly."""
    return [name for name, exporter in _exporters.items() if not exporter.seen]


def _installed(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


_exporters: dict[str, Any] = {}


def _provider(name: str) -> Any:
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider()
    provider.add_span_processor(_processor(name))
    return provider


def _processor(name: str) -> Any:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    class Discarding(SpanExporter):
        seen = False

        def export(self, spans: Any) -> Any:
            self.seen = True
            return SpanExportResult.SUCCESS

    _exporters[name] = Discarding()
    return SimpleSpanProcessor(_exporters[name])


def _patched(kind: str, client: Any, patch: Callable[[], object]) -> Any:
    """The method that ``patch`` leaves on the class, bound to this client; the class is as it was."""
    before = {owner: owner.__dict__["create"] for owner in _CLASSES.values()}
    patch()
    owner = _CLASSES[kind]
    method = owner.__dict__["create"]
    assert method is not before[owner], "nothing was patched"
    for restored, original in before.items():
        restored.create = original
    return method.__get__(client.chat.completions, owner)


def _otel(kind: str, client: Any) -> Any:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    return _patched(kind, client, lambda: OpenAIInstrumentor().instrument(tracer_provider=_provider(OTEL)))


def _traceloop(kind: str, client: Any) -> Any:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return _patched(kind, client, lambda: OpenAIInstrumentor().instrument(tracer_provider=_provider(TRACELOOP)))


def _langfuse(kind: str, client: Any) -> Any:
    from langfuse import Langfuse
    from opentelemetry.sdk.trace import TracerProvider

    Langfuse(
        public_key="pk",
        secret_key="sk",
        base_url="http://127.0.0.1:9",
        span_exporter=_processor(LANGFUSE).span_exporter,
        flush_interval=0.5,
        tracer_provider=TracerProvider(),
    )
    return _patched(kind, client, lambda: importlib.import_module("langfuse.openai"))


def _logfire(kind: str, client: Any) -> Any:
    import logfire

    ours = logfire.configure(
        local=True,
        send_to_logfire=False,
        console=False,
        metrics=False,
        additional_span_processors=[_processor(LOGFIRE)],
    )
    ours.instrument_openai(client)
    return client.chat.completions.create


def _openlit(kind: str, client: Any) -> Any:
    import openlit
    from openlit._instrumentors import MODULE_NAME_MAP
    from opentelemetry import trace

    trace.set_tracer_provider(_provider(OPENLIT))
    prices = Path(tempfile.mkdtemp()) / "prices.json"
    prices.write_text('{"chat": {}}', encoding="utf-8")
    others = [name for name in MODULE_NAME_MAP if name != "openai"]

    def patch() -> None:
        openlit.init(disabled_instrumentors=others, disable_metrics=True, disable_events=True, pricing_json=str(prices))

    return _patched(kind, client, patch)


_PEERS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    OTEL: ("opentelemetry.instrumentation.openai_v2", _otel),
    LANGFUSE: ("langfuse", _langfuse),
    OPENLIT: ("openlit", _openlit),
    LOGFIRE: ("logfire", _logfire),
    TRACELOOP: ("opentelemetry.instrumentation.openai", _traceloop),
}
