"""One scenario, measured in this process; the figures go into a file as JSON.

python -m tests.benchmarks.worker SCENARIO FILE [--rounds N] [--calls N] [--alone]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import openai

from hermes_hints import calling

from . import load
from .contenders import contenders
from .hermes import in_hermes
from .names import BARE, IN_STREAMS, MIDDLEWARE, UNDER_LOAD
from .peers import peers, silent
from .timing import Call, Samples, interleave, interleave_async
from .workload import CALL, large, small

WARM_UP = 20


def taking_part(
    kind: str,
    request: Mapping[str, Any],
    options: argparse.Namespace,
    *,
    stream: bool = False,
    among: Collection[str] = (),
) -> dict[str, Call]:
    """Everyone, or those ``among`` them; with ``--alone`` only those that need no installing."""
    found = contenders(kind, request, stream=stream, among=among)
    return found if options.alone else {**found, **peers(kind, request, stream=stream, among=among)}


def sync_calls(request: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    calls = taking_part("sync", request, options)
    _warm(calls)
    return {"samples": interleave(calls, options.rounds, options.calls)}


def async_calls(request: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    async def run() -> Samples:
        calls = taking_part("async", request, options)
        await _warm_async(calls)
        return await interleave_async(calls, options.rounds, options.calls)

    return {"samples": asyncio.run(run())}


def sync_streams(options: argparse.Namespace) -> dict[str, Any]:
    calls = taking_part("sync", small(stream=True), options, stream=True, among=IN_STREAMS)
    own: dict[str, bool] = {}
    for name, call in calls.items():
        for _ in range(WARM_UP):
            answer = call()
            own[name] = type(answer) is openai.Stream
            _read(answer)
    return {"samples": interleave(calls, options.rounds, options.calls, _read), "own stream": own}


def async_streams(options: argparse.Namespace) -> dict[str, Any]:
    own: dict[str, bool] = {}

    async def run() -> Samples:
        calls = taking_part("async", small(stream=True), options, stream=True, among=IN_STREAMS)
        for name, call in calls.items():
            for _ in range(WARM_UP):
                answer = await call()
                own[name] = type(answer) is openai.AsyncStream
                await _read_async(answer)
        return await interleave_async(calls, options.rounds, options.calls, _read_async)

    return {"samples": asyncio.run(run()), "own stream": own}


def threads(options: argparse.Namespace) -> dict[str, Any]:
    calls = taking_part("sync", small(), options, among=UNDER_LOAD)
    _warm(calls)
    return load.threads(calls, options.rounds)


def tasks(options: argparse.Namespace) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        calls = taking_part("async", small(), options, among=UNDER_LOAD)
        await _warm_async(calls)
        return await load.tasks(calls, options.rounds)

    return asyncio.run(run())


def hermes(options: argparse.Namespace) -> dict[str, Any]:
    calls, middleware = in_hermes()
    _warm(calls)
    whole = interleave(calls, options.rounds, options.calls)
    part = interleave({MIDDLEWARE: calls[BARE]}, options.rounds, options.calls, lambda _: middleware())
    return {"samples": {**whole, **part}}


SCENARIOS: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "small": lambda options: sync_calls(small(), options),
    "small async": lambda options: async_calls(small(), options),
    "large": lambda options: sync_calls(large(), options),
    "large async": lambda options: async_calls(large(), options),
    "stream": sync_streams,
    "stream async": async_streams,
    "threads": threads,
    "tasks": tasks,
    "hermes": hermes,
}


def _warm(calls: Mapping[str, Call]) -> None:
    for _ in range(WARM_UP):
        for call in calls.values():
            call()


async def _warm_async(calls: Mapping[str, Call]) -> None:
    for _ in range(WARM_UP):
        for call in calls.values():
            await call()


def _read(answer: Any) -> None:
    for _ in answer:
        pass


async def _read_async(answer: Any) -> None:
    async for _ in answer:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--alone", action="store_true", help="without the peers")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with calling(**CALL):
        result = SCENARIOS[options.scenario](options)
    mute = silent()
    if mute:
        sys.exit(f"{', '.join(mute)}: nothing was recorded, so the figures would mean nothing")
    names = ("openai", "pydantic", "langfuse", "openlit", "logfire")
    otel = ("opentelemetry-sdk", "opentelemetry-instrumentation-openai-v2", "opentelemetry-instrumentation-openai")
    versions = {name: version for name in (*names, *otel) if (version := _version(name))}
    options.file.write_text(json.dumps({**result, "versions": versions}), encoding="utf-8")
    os._exit(0)  # the peers' own threads may want to say goodbye to a collector that is not there


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
