"""Run hook implementations one by one, so that none can fail, delay or re-enter a call.

An implementation is on trial first, on a helper thread for which the caller waits at most for the time budget. After `TRIAL`
calls it runs in the caller's own thread; over budget there, it is on trial again. docs/plugins.md says when it is set aside.
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
_PROMPT_SECONDS = 0.010
"""Twice what a thread that computes holds the interpreter for: where turns come later, it is the machine that is late."""
_STRIKES = 5
"""Calls one after the other in which it was to blame for being late: then it is set aside."""
_HANGING_SECONDS = 5.0
_HANGING_BUDGETS = 10
"""One that has not come back after both is set aside however busy the machine is."""

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

    __slots__ = ("_leading", "_pick", "_take", "function", "hook", "overdue", "passed", "plugin", "said", "strikes")

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
        self.strikes = 0
        self.overdue: _Job | None = None
        self.said: tuple[dict[Any, Any], dict[str, Any]] | None = None
        """What it returned before, and what that came to: most plugins say the same of one call as of the next."""

    def was_late(self, budget: float, *, blamed: bool) -> None:
        """Count a call that it kept waiting for longer than ``budget`` seconds; ``blamed`` where that was its own doing."""
        self.strikes += blamed
        if self.strikes >= _STRIKES:
            self.overran(budget)
        else:
            self.plugin.fault(self._excess(budget))

    def overran(self, budget: float) -> None:
        """Set the plugin aside for having taken longer than ``budget`` seconds."""
        if not self.plugin.set_aside:
            self.plugin.put_aside(self._excess(budget))

    def _excess(self, budget: float) -> str:
        return f"took more than {budget * 1000:g} ms in {self.hook}"

    def guarded(self, arguments: tuple[Any, ...]) -> Any:
        """Call the function with those of the hook's ``arguments`` that it takes, and take what it returns.

        What it raises is its plugin's fault and comes out as ``None``. Taking may run more of the plugin's code.
        """
        try:
            if self._leading is not None:
                result = self.function(*arguments[: self._leading])
            else:
                result = self.function(*[arguments[position] for position in self._pick])
            if result is None:
                return None
            said = self.said
            if said is not None and result.__class__ is dict and result == said[0]:
                return said[1]
            return self._take(self, result)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise  # somebody wants the process to end
            self.plugin.fault(f"raised in {self.hook}", error)
            return None


def run_each(
    implementations: Sequence[Implementation], arguments: tuple[Any, ...], budget: float, *, trusting: bool
) -> list[Any]:
    """What each implementation returned, in order; ``None`` for one that failed, was late or is set aside.

    ``budget``, in seconds, is for all of them together; without ``trusting`` the trial never ends. A plugin that itself
    calls a model finds no implementations.
    """
    results: list[Any] = [None] * len(implementations)
    if not _inside.get():
        # In a copy of the context, so that a scope which a plugin enters and never leaves is not the caller's.
        trial = TRIAL if trusting else sys.maxsize
        contextvars.copy_context().run(_run_all, implementations, arguments, budget, trial, results)
    return results


def _run_all(
    implementations: Sequence[Implementation],
    arguments: tuple[Any, ...],
    budget: float,
    trial: int,
    results: list[Any],
) -> None:
    """Run those that have passed their trial, and in what is left of the time those that have not."""
    _inside.set(True)
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
    if on_trial and now - began < budget:
        _run_on_trial(implementations, on_trial, arguments, budget, now - began, results)


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
        "begun",
        "done",
        "handed",
        "late",
        "process",
        "ran",
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
        self.process = os.getpid()
        self.at: Implementation | None = None
        self.since = 0.0
        self.ran: list[tuple[float, Implementation]] = []
        """Those that have come back, and the seconds that each took."""
        self.handed = self.begun = time.perf_counter()
        self.late = False
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        try:
            self._context.run(self._run)
        finally:
            self.done.release()

    def _run(self) -> None:
        self.begun = time.perf_counter()
        try:
            for position in self._positions:
                implementation = self._implementations[position]
                if self.late:
                    return
                overdue = implementation.overdue
                if overdue is not None and overdue.at is implementation and overdue.process == self.process:
                    # Still in a call that gave up on it: no second thread is risked.
                    hangs = max(_HANGING_SECONDS, _HANGING_BUDGETS * self._budget)
                    if time.perf_counter() - overdue.since > hangs:
                        implementation.overran(self._budget)
                    continue
                self.since = started = time.perf_counter()
                self.at = implementation
                used = time.thread_time()
                result = implementation.guarded(self._arguments)
                spent = time.thread_time() - used
                waited = time.perf_counter() - started - spent
                implementation.passed = implementation.passed + 1 if waited < _WAITING_SECONDS else 0
                self.ran.append((spent + waited, implementation))
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
    used: float,
    results: list[Any],
) -> None:
    kept: list[Any] = [None] * len(results)
    job = _Job(implementations, positions, arguments, budget, kept)
    try:
        _hand_over(job)
    except RuntimeError as error:  # there are too many threads, or the interpreter is about to end
        message = "hermes-hints: no thread can be started for hint plugins; requests go without what they would say"
        once(logging.WARNING, ("no thread",), message, cause=error)
        return
    if job.done.acquire(timeout=budget - used):
        for _, implementation in job.ran:
            implementation.strikes = 0
    else:
        job.late = True
        _blame(job, budget, used)
    for position in positions:
        results[position] = kept[position]


def _blame(job: _Job, budget: float, used: float) -> None:
    """Hold it against the one that took the most of the time, where anyone is to blame that ``job`` is late."""
    running, woken = job.at, time.perf_counter()
    if running is None:
        return
    running.overdue = job
    seconds, slowest = max([(woken - job.since, running), *job.ran], key=lambda one: one[0])
    lateness = max(job.begun - job.handed, woken - job.handed - (budget - used))
    if seconds > used:
        slowest.was_late(budget, blamed=lateness < _PROMPT_SECONDS)


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
