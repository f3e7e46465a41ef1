"""A suite that any hint plugin should pass, in one line.

``pytest --pyargs hermes_hints.testing.conformance --hint-plugin PLUGIN``, where PLUGIN is a file, a folder, a module,
``module:attribute`` or the name of an entry point. One that cannot work without settings is given them as JSON:
``--hint-settings '{"table": "centers.csv"}'``. A failure says what to change.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn, cast, get_args

import pytest

from ..errors import ConfigError
from ..privacy import Privacy
from ..profiles import BUILTIN
from ..wire import IDS, NAMES
from .bench import HintsBench, Seen
from .calls import FakeCall
from .odd import ANONYMOUS, ODD, longest
from .remedies import BUDGET_MS, explained
from .sessions import PLATFORMS, FakeSession

__all__ = [
    "Candidate",
    "candidate",
    "pytest_generate_tests",
    "test_anonymous_calls",
    "test_every_call_of_a_turn",
    "test_every_profile_and_privacy",
    "test_it_can_be_unloaded_and_loaded_again",
    "test_it_keeps_identity_out_of_hints",
    "test_it_keeps_identity_out_of_logs",
    "test_it_loads",
    "test_it_needs_no_settings",
    "test_it_stays_within_the_budget",
    "test_odd_calls",
    "test_settings_it_does_not_know",
    "test_threads_do_not_mix",
]

_THREADS = 8
_TRIES = 5
_TIMED_TRIES = 25
_STRANGE: tuple[Mapping[str, Any], ...] = ({"no-such-setting": 1}, {"": None}, {"a": {"b": [[None]]}})
_SHORTEST_TELLING = 4
"""Shorter values occur by chance."""


class Candidate(NamedTuple):
    """The plugin that is tried, and the settings it is given."""

    plugin: str
    settings: Mapping[str, Any] | None

    @contextmanager
    def bench(self, settings: Mapping[str, Any] | None = None) -> Generator[HintsBench]:
        """The plugin on a bench of its own, with its settings or with these."""
        try:
            bench = HintsBench(self.plugin, settings=self.settings if settings is None else settings)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - importing a plugin may raise anything
            _fail(
                f"{error}" if isinstance(error, ConfigError) else f"importing it raised {type(error).__name__}: {error}"
            )
        with bench:
            yield bench

    @contextmanager
    def loaded(self) -> Generator[HintsBench]:
        """As `bench`; fails where the plugin is not loaded."""
        with self.bench() as bench:
            if bench.state.state != "loaded":
                _fail(f"it is not loaded: {bench.state.error}. The other tests say more.")
            yield bench


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each plugin that was given."""
    if "candidate" not in metafunc.fixturenames:
        return
    plugins = cast("list[str]", metafunc.config.getoption("--hint-plugin"))
    written = cast("str | None", metafunc.config.getoption("--hint-settings"))
    if not plugins:
        msg = "which plugin? Give --hint-plugin: a file, a folder, a module, module:attribute, or the name of an entry point"
        raise pytest.Collector.CollectError(msg)
    try:
        settings: object = None if written is None else json.loads(written)
    except ValueError as error:
        msg = f'--hint-settings: {written!r} is not JSON ({error}); write one object, such as \'{{"table": "a.csv"}}\''
        raise pytest.Collector.CollectError(msg) from None
    if settings is not None and not isinstance(settings, dict):
        msg = f'--hint-settings: {written!r} is no object; write one, such as \'{{"table": "a.csv"}}\''
        raise pytest.Collector.CollectError(msg)
    metafunc.parametrize("candidate", [Candidate(plugin, settings) for plugin in plugins], ids=plugins, indirect=True)


@pytest.fixture
def candidate(request: pytest.FixtureRequest) -> Candidate:
    """The plugin that this test tries."""
    return cast("Candidate", request.param)


def test_it_loads(candidate: Candidate) -> None:
    """It is found, imported, and marks functions as hooks that exist; its profiles can be used."""
    with candidate.bench() as bench:
        _no_faults(bench)
        if bench.state.state != "loaded":
            _fail(f"it is {bench.state.state}: {bench.state.error}")


def test_it_needs_no_settings(candidate: Candidate) -> None:
    """An operator who enables it and sets nothing gets something that works, or is told what to set."""
    with candidate.bench(settings={}) as bench:
        if candidate.settings is None or bench.state.state == "loaded":
            _no_faults(bench)
        elif "ConfigError: " not in str(bench.state.error):
            _fail(f"without settings it {bench.state.error}. Raise hermes_hints.ConfigError naming what is to be set.")


@pytest.mark.parametrize("settings", _STRANGE, ids=str)
def test_settings_it_does_not_know(candidate: Candidate, settings: Mapping[str, Any]) -> None:
    """An operator's mistake is refused in words, or overlooked; it raises nothing else."""
    with candidate.bench(settings=settings) as bench:
        error = str(bench.state.error)
        if bench.state.state != "loaded" and "ConfigError: " not in error:
            _fail(
                f"with the settings {settings!r} it {error}. Raise hermes_hints.ConfigError instead, naming the key, the value "
                "and the remedy: operators read it in the log and in `hermes-hints list`."
            )


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_call_of_a_turn(candidate: Candidate, platform: str) -> None:
    """Main steps, title, subagents and compression of a session on every platform."""
    with candidate.loaded() as bench:
        for call in _turns(platform):
            _run(bench, call)


def test_anonymous_calls(candidate: Candidate) -> None:
    """Calls of which nobody knows who makes them, or what for."""
    with candidate.loaded() as bench:
        for call in ANONYMOUS:
            _run(bench, call)


@pytest.mark.parametrize("odd", ODD)
def test_odd_calls(candidate: Candidate, odd: str) -> None:
    """Calls that are not as a plugin's author expects them."""
    with candidate.loaded() as bench:
        _run(bench, ODD[odd], f"a call with {odd}")


@pytest.mark.parametrize("privacy", get_args(Privacy))
def test_every_profile_and_privacy(candidate: Candidate, privacy: Privacy) -> None:
    """To whatever endpoint the call goes; a plugin that observes sees what is left of it there."""
    with candidate.loaded() as bench:
        for profile in (*BUILTIN, *bench.profiles):
            for call in FakeSession("matrix").turn():
                _run(bench, call, f"{call} to an endpoint with the profile {profile}", profile=profile, privacy=privacy)


def test_threads_do_not_mix(candidate: Candidate) -> None:
    """A host serves many people at once: what is said of one call must not come from another."""
    calls = [call for platform in PLATFORMS for call in _turns(platform)]
    with candidate.loaded() as bench:
        alone = [_run(bench, call).hints for call in calls]
        again = [_run(bench, call).hints for call in calls]
        together = _from_threads(bench, calls)
        _no_faults(bench)
    for call, before, after, others in zip(calls, alone, again, zip(*together, strict=True), strict=True):
        for hints in others:
            if before == after != hints:
                _fail(
                    f"from {_THREADS} threads at once it contributes {dict(hints)!r} to {call}, and {dict(before)!r} when that "
                    "call is alone. Keep what belongs to one call in local variables, not in the module or on self."
                )


def test_it_stays_within_the_budget(candidate: Candidate) -> None:
    """The first call after loading, any other, and one with a very long conversation."""
    call = FakeSession("matrix").turn()[0]
    first: list[float] = []
    for _ in range(_TRIES):
        with candidate.loaded() as bench:
            first.append(_run(bench, call).milliseconds)
            kinds = {"a long conversation": longest(), "a main call": call}
            later = {kind: _quickest(bench, call) for kind, call in kinds.items()} if len(first) == 1 else {}
        for kind, took in later.items():
            _within_budget(took, kind)
        if first[-1] <= BUDGET_MS:
            break
    _within_budget(min(first), "its first call after it was loaded")


def test_it_keeps_identity_out_of_hints(candidate: Candidate) -> None:
    """Hints go out as they are, also where the operator wants pseudonyms, or nobody named."""
    with candidate.loaded() as bench:
        for platform in PLATFORMS:
            for call in _turns(platform):
                hints = json.dumps(dict(_run(bench, call).hints), ensure_ascii=False)
                for field, value in _telling(call):
                    if json.dumps(value, ensure_ascii=False)[1:-1] in hints:
                        _fail(
                            f"it writes the {field} of {call} into its hints: {hints}. Privacy settings do not reach hints, so it "
                            "would go to every endpoint. Send what it stands for (a group, a cost centre, an arm), not who it is."
                        )


def test_it_keeps_identity_out_of_logs(
    candidate: Candidate, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the log above DEBUG nor standard output tells who is calling, or what was said."""
    caplog.set_level(logging.INFO)
    calls = [call for platform in PLATFORMS for call in _turns(platform)]
    with candidate.loaded() as bench:
        for call in calls:
            _run(bench, call)
    logged = "\n".join(record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG)
    printed = "".join(capfd.readouterr())
    for call in calls:
        for field, value in _telling(call):
            if value in logged or value in printed:
                where = "its log above DEBUG" if value in logged else "what it prints"
                _fail(f"the {field} of {call} stands in {where}. Log it at DEBUG, or not at all.")


def test_it_can_be_unloaded_and_loaded_again(candidate: Candidate) -> None:
    """As when an operator disables it and enables it again while the host runs."""
    call = FakeSession("matrix").turn()[0]
    before = set(threading.enumerate())
    with candidate.loaded() as bench:
        _run(bench, call)
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    if left:
        _fail(
            f"it has started the thread {left[0].name!r}, which keeps the host from ending. Start it with daemon=True, and have "
            "it stop by itself."
        )
    with candidate.bench() as bench:
        if bench.state.state != "loaded":
            _fail(f"a second time it is not loaded: {bench.state.error}")
        _run(bench, call)


def _turns(platform: str) -> list[FakeCall]:
    session = FakeSession(platform)
    return [*session.turn(), *session.turn("And since when exactly, please?", number=2, steps=3, compression=True)]


def _run(
    bench: HintsBench,
    call: FakeCall,
    described: str | None = None,
    *,
    profile: str = "dispatcher",
    privacy: Privacy = "raw",
) -> Seen:
    known = len(bench.faults)
    seen = bench.run(call, profile=profile, privacy=privacy, strict=False)
    for fault in bench.faults[known:]:
        _fail(explained(fault, described or str(call)))
    return seen


def _from_threads(bench: HintsBench, calls: list[FakeCall]) -> list[list[Mapping[str, Any]]]:
    """The hints of all calls, from each of many threads, which begin together and change places often."""
    results: list[list[Mapping[str, Any]]] = [[] for _ in range(_THREADS)]
    start = threading.Barrier(_THREADS)

    def make(number: int) -> None:
        start.wait()
        for position in range(len(calls)):
            call = calls[(position + number) % len(calls)]
            results[number].append(bench.run(call, strict=False).hints)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=make, args=(number,), daemon=True) for number in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    return [hints[-number:] + hints[:-number] for number, hints in enumerate(results)]


def _telling(call: FakeCall) -> Iterator[tuple[str, str]]:
    """What tells who is calling, where, or what was said."""
    for field, value in {**call.identity.fields(), **call.facts}.items():
        if field in IDS | NAMES and len(str(value)) >= _SHORTEST_TELLING:
            yield field, str(value)
    for message in call.body["messages"]:
        if message["role"] == "user":
            yield "user's message", message["content"]


def _quickest(bench: HintsBench, call: FakeCall) -> float:
    """The shortest of some tries: what the plugin takes, rather than the machine. One within the budget is enough."""
    took = float("inf")
    for _ in range(_TIMED_TRIES):
        took = min(took, _run(bench, call).milliseconds)
        if took <= BUDGET_MS:
            break
    return took


def _within_budget(took: float, what: str) -> None:
    if took > BUDGET_MS:
        _fail(
            f"contribute_hints took {took:.1f} ms for {what}, in the best of {_TIMED_TRIES} tries; all hint plugins of an "
            f"operator together have {BUDGET_MS:g} ms, and one that takes longer again and again is set aside. Do slow work in "
            "configure, or in a thread of your own that keeps the answer ready."
        )


def _no_faults(bench: HintsBench) -> None:
    for fault in bench.faults:
        _fail(explained(fault))


def _fail(what: str) -> NoReturn:
    pytest.fail(what, pytrace=False)
