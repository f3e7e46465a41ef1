"""Run hook implementations one by one, so that none can fail, delay or re-enter a call.

An implementation is on trial first: it runs on a helper thread while the caller waits, at most for the time budget. After
`TRIAL` calls in which it used the processor rather than waited for something, it runs in the caller's own thread, which
saves the hand-over. One that is over budget on trial is set aside; one that is over budget later is put on trial again.
"""

from __future__ import annotations

import contextvars
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from .notices import explained, once

__all__ = ["TRIAL", "Implementation", "Plugin", "run_each"]

TRIAL = 16
"""Calls that an implementation has to pass on a helper thread before it runs in the caller's."""

_WAITING_SECONDS = 0.001
"""Time off the processor from which a call counts as having waited for something."""
_LATENESS_SECONDS = 0.005
"""A caller that wakes later than this after its deadline was itself kept waiting: nobody is blamed then, but one that
used the processor for longer than the budget, or is `_BEYOND_DOUBT` budgets late."""
_BEYOND_DOUBT = 10

_inside: contextvars.ContextVar[bool] = contextvars.ContextVar("hermes_hints_inside_plugin", default=False)


class Plugin:
    """A loaded hint plugin's health."""

    __slots__ = ("error", "failures", "name", "set_aside")

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        self.error: str | None = None
        self.set_aside = False

    def fault(self, what: str, cause: BaseException | None = None, *, private: bool = True) -> None:
        """Count a failure and say it once in the log; with ``private``, without the text of its cause."""
        self.failures += 1
        self.error = what if cause is None else f"{what} ({explained(cause, private=private)})"
        key = ("plugin", self.name, what)
        once(logging.WARNING, key, "hermes-hints: plugin %s %s", self.name, what, cause=cause, private=private)

    def put_aside(self, what: str) -> None:
        """Call this plugin no more until it is loaded again."""
        self.set_aside = True
        self.fault(f"{what}; it is set aside until it is loaded again")


class Implementation:
    """One hook function of one plugin."""

    __slots__ = ("_leading", "_pick", "_take", "function", "hook", "overdue", "passed", "plugin", "said")

    def __init__(
        self,
        plugin: Plugin,
        hook: str,
        function: Callable[..., Any],
        positions: Sequence[int],
        take: Callable[[Implementation, Any], Any],
    ) -> None:
        self.plugin = plugin
        self.hook = hook
        self.function = function
        self._take = take
        self._pick = tuple(positions)
        self._leading = len(self._pick) if self._pick == tuple(range(len(self._pick))) else None
        self.passed = 0
        self.overdue: _Job | None = None
        self.said: tuple[dict[Any, Any], dict[str, Any]] | None = None
        """What it returned before, and what that came to: most plugins say the same of one call as of the next."""

    def overran(self, budget: float) -> None:
        """Set the plugin aside for having taken longer than ``budget`` seconds."""
        if not self.plugin.set_aside:
            self.plugin.put_aside(f"took more than {budget * 1000:g} ms in {self.hook}")

    def guarded(self, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - whatever the plugin returns
        """Call the function with those of the hook's ``arguments`` that it takes, and take what it returns.

        What it raises is its plugin's fault and comes out as ``None``. Taking is part of the call, because reading what a
        plugin returned may run more of its code.
        """
        try:
            if self._leading is not None:
                result = self.function(*arguments[: self._leading])
            else:
                result = self.function(*[arguments[position] for position in self._pick])
            return None if result is None else self._take(self, result)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, a CancelledError too
            self.plugin.fault(f"raised in {self.hook}", error)
            return None


def run_each(
    implementations: Sequence[Implementation], arguments: tuple[Any, ...], budget: float, *, trusting: bool
) -> list[Any]:
    """What each implementation returned, in order; ``None`` for one that failed, was late or is set aside.

    ``budget`` is the time in seconds for all of them together; without ``trusting`` the trial never ends. Code that runs inside an implementation and comes back
    here (a plugin that itself calls a model) finds no implementations.
    """
    results: list[Any] = [None] * len(implementations)
    if not _inside.get():
        # In a copy of the context, so that a scope which a plugin enters and never leaves is not the caller's.
        contextvars.copy_context().run(_run_all, implementations, arguments, budget, trusting, results)
    return results


def _run_all(
    implementations: Sequence[Implementation],
    arguments: tuple[Any, ...],
    budget: float,
    trusting: bool,
    results: list[Any],
) -> None:
    _inside.set(True)
    trial = TRIAL if trusting else sys.maxsize
    on_trial = _run_inline(implementations, arguments, budget, trial, results)
    if on_trial:
        _run_on_trial(implementations, on_trial, arguments, budget, results)


def _run_inline(
    implementations: Sequence[Implementation],
    arguments: tuple[Any, ...],
    budget: float,
    trial: int,
    results: list[Any],
) -> list[int]:
    """Run those that have passed their trial; the positions of those that have not."""
    on_trial: list[int] = []
    clock = time.perf_counter
    began = now = clock()
    for position, implementation in enumerate(implementations):
        if implementation.plugin.set_aside:
            continue
        if implementation.passed < trial:
            on_trial.append(position)
            continue
        if now - began > budget:
            break
        started = now
        results[position] = implementation.guarded(arguments)
        now = clock()
        if now - started > budget:
            implementation.passed = 0
    return on_trial


class _Job:
    """The implementations on trial in one call."""

    __slots__ = (
        "_arguments",
        "_budget",
        "_context",
        "_implementations",
        "_positions",
        "_results",
        "at",
        "done",
        "late",
        "since",
    )

    def __init__(
        self,
        implementations: Sequence[Implementation],
        positions: list[int],
        arguments: tuple[Any, ...],
        budget: float,
        results: list[Any],
    ) -> None:
        self._budget = budget
        self._implementations = implementations
        self._positions = positions
        self._arguments = arguments
        self._results = results
        self._context = contextvars.copy_context()
        self.at: Implementation | None = None
        self.since = 0.0
        self.late = False
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        try:
            self._context.run(self._run)
        finally:
            self.done.release()

    def _run(self) -> None:
        try:
            for position in self._positions:
                implementation = self._implementations[position]
                if self.late:
                    return
                overdue = implementation.overdue
                if overdue is not None and overdue.at is implementation:
                    # Still in a call that gave up on it: no second thread is risked.
                    if time.perf_counter() - overdue.since > _BEYOND_DOUBT * self._budget:
                        implementation.overran(self._budget)
                    continue
                self.since = started = time.perf_counter()
                self.at = implementation
                used = time.thread_time()
                result = implementation.guarded(self._arguments)
                spent = time.thread_time() - used
                waited = time.perf_counter() - started - spent
                implementation.passed = implementation.passed + 1 if waited < _WAITING_SECONDS else 0
                if not self.late:
                    self._results[position] = result
                elif spent > self._budget:
                    implementation.overran(self._budget)
        finally:
            self.at = None


def _run_on_trial(
    implementations: Sequence[Implementation],
    positions: list[int],
    arguments: tuple[Any, ...],
    budget: float,
    results: list[Any],
) -> None:
    kept: list[Any] = [None] * len(results)
    job = _Job(implementations, positions, arguments, budget, kept)
    _hand_over(job)
    started = time.perf_counter()
    if not job.done.acquire(timeout=budget):
        job.late = True
        culprit = job.at
        punctual = time.perf_counter() - started < budget + _LATENESS_SECONDS
        if culprit is not None:
            culprit.overdue = job
            if punctual:
                culprit.overran(budget)
    for position in positions:
        results[position] = kept[position]


class _Worker:
    """A helper thread that runs jobs and goes back to the idle ones."""

    __slots__ = ("job", "wake")

    def __init__(self) -> None:
        self.job: _Job | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        threading.Thread(target=self._serve, name="hermes-hints-plugin", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self.wake.acquire()
            job, self.job = self.job, None
            if job is not None:
                job.run()
            job = None
            _idle.append(self)


_idle: list[_Worker] = []
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_idle.clear)


def _hand_over(job: _Job) -> None:
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    worker.job = job
    worker.wake.release()
