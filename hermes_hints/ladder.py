"""Fail open: what to send again, and with how much less, when an endpoint refuses a stamped request.

What was found out outlives a process in a file: origins, models and times, never an identity.
"""

from __future__ import annotations

import enum
import logging
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from .notices import logger, once
from .state_file import read_state, write_state

__all__ = [
    "AMBIGUOUS_SECONDS",
    "LONGEST_SECONDS",
    "NAMED_SECONDS",
    "HeldRung",
    "Ladder",
    "Rung",
    "read_rungs",
    "verdict",
    "write_rungs",
]

LONGEST_SECONDS = 3600.0
"""No rung is held longer than this, whatever a file or the clock says."""
NAMED_SECONDS = LONGEST_SECONDS
"""How long an endpoint that named one of our fields stays on its rung."""
AMBIGUOUS_SECONDS = 600.0
"""How long one stays there that only answered better without them."""

_REFUSALS = frozenset({400, 413, 415, 422, 431})
_REDIRECTS = frozenset({307, 308})
"""Those that ask for the same request elsewhere: it has not been executed. After others its answer is to be fetched."""
_FORBIDDEN = 403
"""A refusal only where it names a header of ours, as a Hermes API server without a key does (``X-Hermes-Session-Key``)."""
_VALIDATED = 422
_NOT_OURS = frozenset(
    {
        *("context_length_exceeded", "model_not_found", "invalid_api_key", "insufficient_quota"),
        *("content_policy_violation", "content_filter", "rate_limit_exceeded"),
        *("tool_use_failed", "json_validate_failed"),
        "budget_exceeded",
    }
)
"""Codes and types of errors of OpenAI, Azure (``content_filter``) and Groq for a request that would fail with or without hints,
and of LiteLLM (``budget_exceeded``, status 422) for one that without hints would be a way around the user's budget.

Groq answers 413 with ``rate_limit_exceeded`` to too many tokens, and 400 with ``tool_use_failed`` and
``json_validate_failed`` to a request that was executed (console.groq.com/docs/errors).
"""
_READ_CHARS = 20_000
_HEADER_PREFIX = "x-hermes-"
_MOST = 1024


class Rung(enum.IntEnum):
    """How much a request carries. The numbers are those in the file; they are no order."""

    BARE = 0
    HEADERS = 1
    """Headers, and the user's id as ``user``, which OpenAI's API has a place for."""
    FULL = 2
    HEADERS_ALONE = 3
    """For endpoints whose place for it may be missing too."""


def verdict(error: Exception, rung: Rung, body: Collection[str], headers: Collection[str]) -> tuple[Rung, bool] | None:
    """What to try after ``error`` was answered to a request on ``rung``: the next rung, and whether we were named.

    ``None`` when the answer is the caller's business. ``body`` and ``headers`` are the names of what we added there.
    """
    status = _answered(error)
    if rung is Rung.BARE or status is None:
        return None
    if status in _REDIRECTS:
        return Rung.BARE, True
    answer = _read(error)
    names_a_header = _HEADER_PREFIX in answer or any(name.lower() in answer for name in headers)
    refused = status in _REFUSALS or (status == _FORBIDDEN and names_a_header)
    if not refused or _kinds(error) & _NOT_OURS:
        return None
    if names_a_header:
        return Rung.BARE, True
    named = any(_names(answer, name) for name in body)
    if not (named and headers and rung is Rung.FULL):
        return Rung.BARE, named
    # Mistral answers 422 to ``user`` as to any field that it does not know, and a second refusal is to be avoided.
    return (Rung.HEADERS_ALONE if status == _VALIDATED else Rung.HEADERS), True


def _answered(error: Exception) -> int | None:
    """The status that the endpoint answered; ``None`` where ``error`` is somebody else's, such as a guardrail's."""
    status = getattr(error, "status_code", None)
    answered = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) and status == answered else None


def _kinds(error: Exception) -> frozenset[str]:
    """The error's code and type, where it has them."""
    kinds = (getattr(error, part, None) for part in ("code", "type"))
    return frozenset(kind for kind in kinds if isinstance(kind, str))


def _read(error: Exception) -> str:
    """What the answer says, as far as it is read."""
    try:
        param, *texts = [str(getattr(error, part, None)) for part in ("param", "message", "body")]
    except RecursionError:  # it is nested more deeply than can be written out
        return ""
    said = "\n".join([f"'{param}'", *(text[:_READ_CHARS] for text in texts)])
    return said.replace("\\n", "\n").replace("\\", "").lower()  # as it was before it was quoted, once or twice


def _names(answer: str, name: str) -> bool:
    """Whether a field is meant where ``answer`` says its name: not a model or a thing, nor what was sent and is repeated."""
    name = re.escape(name)
    quoted = rf"""['"`](?:(?:body|request|\$)?[./])?{name}(?:[.\[][^'"`]*)?['"`](?!\s*:\s*\{{)"""
    listed = rf"""(?:: |, |\[|-> |parameter |field |^){name}(?=\.?(?:[],'"]|\s*$))"""
    beside_a_colon = rf"""(?<![^\s('"`.]){name}: """
    return re.search(f"{quoted}|{listed}|{beside_a_colon}", answer, re.MULTILINE) is not None


class Ladder:
    """The rung of each (origin, model) that had to step down. Bounded, safe under threads, no locks."""

    __slots__ = ("_file", "_rules", "_rungs")

    def __init__(self) -> None:
        self._rungs: dict[tuple[str, Any], tuple[Rung, float]] = {}
        self._file: Path | None = None
        self._rules = ""

    def keep_in(self, file: Path, rules: str) -> None:
        """Remember beyond this process: take over what ``file`` holds, and write there when a rung changes.

        What was found out under other settings, told apart by ``rules``, is not taken over. The same again is a no-op.
        Never raises.
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

    def rung(self, origin: str, model: Any) -> Rung:
        """The rung to start on."""
        try:
            held = self._rungs.get((origin, model))
        except TypeError:
            return Rung.FULL
        if held is None:
            return Rung.FULL
        rung, until = held
        if time.monotonic() < until:
            return rung
        if self._rungs.get((origin, model)) is held:  # and no other thread has found it out anew
            self._rungs.pop((origin, model), None)
        return Rung.FULL

    def settle(self, origin: str, model: object, rung: Rung, *, named: bool, status: object) -> None:
        """Remember that this endpoint answered well on ``rung``, having refused with ``status`` above it."""
        seconds = NAMED_SECONDS if named else AMBIGUOUS_SECONDS
        before = self.rung(origin, model)
        try:
            self._rungs[origin, model] = (rung, time.monotonic() + seconds)
        except TypeError:
            logger.debug("hermes-hints: the model of a request to %s is not text; its rung is not remembered", origin)
        else:
            self._make_room()
            if self._file is not None and rung is not before:
                self._write(self._file)
        remedy = (
            "it redirects: set base_url to where it leads"
            if status in _REDIRECTS
            else f"sending it {'nothing' if rung is Rung.BARE else 'headers only'} for {seconds / 60:.0f} minutes; "
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

    def _make_room(self) -> None:
        """Forget those whose time is over first, where there are too many."""
        if len(self._rungs) > _MOST:
            rungs = self._rungs.copy()
            for key in sorted(rungs, key=lambda key: rungs[key][1])[:-_MOST]:
                self._rungs.pop(key, None)

    def held(self) -> dict[tuple[str, Any], tuple[Rung, float]]:
        """Each endpoint and model below the full rung, with the seconds left."""
        now = time.monotonic()
        return {key: (rung, until - now) for key, (rung, until) in list(self._rungs.items()) if until > now}


_WHAT = "what endpoints refuse"
_MOST_CHARS = 512
_LOWER = frozenset(Rung) - {Rung.FULL}


class HeldRung(NamedTuple):
    """One endpoint and model that get less."""

    origin: str
    model: str | None
    rung: int
    until: float
    """In seconds since 1970."""
    rules: str
    """Which settings it was found out under; under others it does not count."""


def read_rungs(file: Path) -> tuple[HeldRung, ...]:
    """What the file says and is not over yet. Never raises: one that cannot be read is told once in the log."""
    return tuple(_entries(read_state(file, _WHAT).get("rungs"), time.time()))


def _entries(listed: object, now: float) -> Iterator[HeldRung]:
    for entry in cast("list[object]", listed) if isinstance(listed, list) else ():
        told: Mapping[str, object] = cast("Mapping[str, object]", entry) if isinstance(entry, dict) else {}
        origin, model, rung, until, rules = (told.get(key) for key in ("origin", "model", "rung", "until", "rules"))
        if (
            isinstance(origin, str)
            and (model is None or isinstance(model, str))
            and type(rung) is int
            and rung in _LOWER
            and isinstance(until, int | float)
            and isinstance(rules, str)
            and now < until
        ):
            yield HeldRung(origin, model, rung, min(until, now + LONGEST_SECONDS), rules)


def write_rungs(file: Path, rungs: Iterable[HeldRung]) -> None:
    """Put ``rungs`` into the file, beside what other processes have put there; mode 0600, in one step.

    Models of over 512 characters and all but the 1,024 that hold longest are left out. Never raises.
    """
    everyones = {(held.origin, held.model, held.rules): held for held in (*read_rungs(file), *rungs)}
    kept = sorted(
        (held for held in everyones.values() if held.model is None or len(held.model) <= _MOST_CHARS),
        key=lambda held: held.until,
    )[-_MOST:]
    write_state(file, {"rungs": [held._asdict() for held in kept]}, _WHAT)
