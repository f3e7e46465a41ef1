"""Fail open: what to send again, and with how much less, when an endpoint refuses a stamped request."""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .notices import logger, once
from .rungs import LONGEST_SECONDS, HeldRung, read_rungs, write_rungs

__all__ = ["AMBIGUOUS_SECONDS", "NAMED_SECONDS", "Ladder", "Rung", "verdict"]

NAMED_SECONDS = LONGEST_SECONDS
"""How long an endpoint that named one of our fields stays on its rung."""
AMBIGUOUS_SECONDS = 600.0
"""How long one stays there that only answered better without them."""

_REFUSALS = frozenset({400, 413, 415, 422, 431})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_OURS = frozenset(
    {"context_length_exceeded", "model_not_found", "invalid_api_key", "insufficient_quota", "content_policy_violation"}
)
"""OpenAI's error codes for a request that would be refused with or without hints."""
_READ_CHARS = 20_000
_HEADER_PREFIX = "x-hermes-"
_MOST = 1024


class Rung(enum.IntEnum):
    """How much a request carries."""

    BARE = 0
    HEADERS = 1
    FULL = 2


def verdict(error: Exception, rung: Rung, body: Collection[str], headers: Collection[str]) -> tuple[Rung, bool] | None:
    """What to try after ``error`` was answered to a request on ``rung``: the next rung, and whether we were named.

    ``None`` when the answer is the caller's business: any other status, or nothing answered at all. ``body`` and
    ``headers`` are the names of what we added there.
    """
    status = getattr(error, "status_code", None)
    if rung is Rung.BARE or not isinstance(status, int):
        return None
    if status in _REDIRECTS:
        return Rung.BARE, True
    if status not in _REFUSALS or getattr(error, "code", None) in _NOT_OURS:
        return None
    parts = (getattr(error, part, None) for part in ("param", "message", "body"))
    answer = " ".join(str(part) for part in parts)[:_READ_CHARS].lower()
    if _HEADER_PREFIX in answer or any(name.lower() in answer for name in headers):
        return Rung.BARE, True
    named = any(name in answer for name in body)
    return (Rung.HEADERS if named and headers and rung is Rung.FULL else Rung.BARE), named


class Ladder:
    """The rung of each (origin, model) that had to step down. Bounded, safe under threads, no locks."""

    __slots__ = ("_file", "_rules", "_rungs")

    def __init__(self) -> None:
        self._rungs: dict[tuple[str, Any], tuple[Rung, float]] = {}
        self._file: Path | None = None
        self._rules = ""

    def keep_in(self, file: Path, rules: str) -> None:
        """Remember beyond this process: take over what ``file`` holds, and write there when a rung changes.

        ``rules`` tells the operator's settings apart: what was found out under others is not taken over, so that a
        change to them is not held up by what it is to mend. The same again is a no-op. Never raises.
        """
        if (file, rules) == (self._file, self._rules):
            return
        self._file, self._rules = file, rules
        ahead = time.monotonic() - time.time()
        for held in read_rungs(file):
            if held.rules == rules:
                self._rungs.setdefault((held.origin, held.model), (Rung(held.rung), held.until + ahead))

    def _write(self, file: Path) -> None:
        ahead = time.time() - time.monotonic()
        write_rungs(
            file,
            [
                HeldRung(origin, model, int(rung), until + ahead, self._rules)
                for (origin, model), (rung, until) in list(self._rungs.items())
                if model is None or isinstance(model, str)
            ],
        )

    @property
    def holds_any(self) -> bool:
        """Whether anything at all had to step down; mostly nothing has, and then no request needs to be looked up."""
        return bool(self._rungs)

    def rung(self, origin: str, model: Any) -> Rung:  # noqa: ANN401 - whatever the caller passed as its model
        """The rung to start on."""
        try:
            rung, until = self._rungs[origin, model]
        except (KeyError, TypeError):
            return Rung.FULL
        if time.monotonic() < until:
            return rung
        self._rungs.pop((origin, model), None)
        return Rung.FULL

    def settle(self, origin: str, model: object, rung: Rung, *, named: bool, status: object) -> None:
        """Remember that this endpoint answered well on ``rung``, having refused with ``status`` above it."""
        if len(self._rungs) >= _MOST:
            self._rungs.clear()
        seconds = NAMED_SECONDS if named else AMBIGUOUS_SECONDS
        before = self.rung(origin, model)
        try:
            self._rungs[origin, model] = (rung, time.monotonic() + seconds)
        except TypeError:
            logger.debug("hermes-hints: the model of a request to %s is not text; its rung is not remembered", origin)
        else:
            if self._file is not None and rung is not before:
                self._write(self._file)
        remedy = (
            "it redirects: set base_url to where it leads"
            if status in _REDIRECTS
            else f"sending it {'headers only' if rung is Rung.HEADERS else 'nothing'} for {seconds / 60:.0f} minutes; "
            "name it in endpoints with a profile that fits"
        )
        once(
            logging.WARNING,
            ("rung", origin, str(model), rung),
            "hermes-hints: %s answered %s to hints for model %s and was asked again without; %s",
            origin,
            status,
            model,
            remedy,
        )

    def held(self) -> dict[tuple[str, Any], tuple[Rung, float]]:
        """Each endpoint and model below the full rung, with the seconds left."""
        now = time.monotonic()
        return {key: (rung, until - now) for key, (rung, until) in list(self._rungs.items()) if until > now}
