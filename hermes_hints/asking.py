"""Asking an endpoint what it takes, with the very client that is about to send there something: by its key and its ways."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

from .profiles.advertised import MOST_SECONDS, PATH, Question

__all__ = ["ask", "ask_async"]

_LOOK_SECONDS = 0.01


def ask(client: Any, question: Question) -> None:  # noqa: ANN401 - a client of an SDK
    """Have the question answered, or wait until another thread has; no longer than some seconds."""
    if not question.mine:
        question.wait()
        return
    answer, failure = None, None
    try:
        answer = client.get(PATH, cast_to=object, options=_options())
    except BaseException as error:
        failure = error
        if not isinstance(error, Exception):
            raise
    finally:
        question.answered(answer, failure)


async def ask_async(client: Any, question: Question) -> None:  # noqa: ANN401 - likewise
    """As `ask`, for a client that is awaited."""
    if not question.mine:
        # The SDK runs under any event loop that anyio knows, and so brings it along.
        sleep: Any = import_module("anyio").sleep
        until = time.monotonic() + MOST_SECONDS
        while question.pending and time.monotonic() < until:
            await sleep(_LOOK_SECONDS)
        return
    answer, failure = None, None
    try:
        answer = await client.get(PATH, cast_to=object, options=_options())
    except BaseException as error:
        failure = error
        if not isinstance(error, Exception):
            raise
    finally:
        question.answered(answer, failure)


def _options() -> dict[str, object]:
    return {"timeout": MOST_SECONDS, "max_retries": 0}
