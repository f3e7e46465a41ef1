"""The pytest plugin: the fixtures ``hints_bench`` and ``hints_upstream``, and the options of the conformance suite.

It is announced in the entry-point group ``pytest11``, so pytest has it wherever hermes-hints is installed; what costs time
is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .bench import HintsBench
    from .upstream import FakeUpstream

__all__ = ["hints_bench", "hints_upstream", "pytest_addoption"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the conformance suite."""
    group = parser.getgroup("hermes-hints", "hint plugins for hermes-hints")
    group.addoption(
        "--hint-plugin",
        action="append",
        default=[],
        metavar="PLUGIN",
        help="what hermes_hints.testing.conformance tries: a file, a folder, a module, module:attribute, or the name of an "
        "entry point; may be repeated",
    )
    group.addoption(
        "--hint-settings",
        default=None,
        metavar="JSON",
        help="the settings of a hint plugin that cannot work without any",
    )


@pytest.fixture
def hints_bench() -> Iterator[Callable[..., HintsBench]]:
    """Put a hint plugin on a bench: ``hints_bench(plugin, settings={…})``, as `hermes_hints.testing.HintsBench`."""
    from .bench import HintsBench

    with ExitStack() as open_benches:

        def put(plugin: object, **options: Any) -> HintsBench:
            return open_benches.enter_context(HintsBench(plugin, **options))

        yield put


@pytest.fixture
def hints_upstream() -> Iterator[FakeUpstream]:
    """A model endpoint on loopback that keeps the bytes it is sent: `hermes_hints.testing.FakeUpstream`."""
    from .upstream import FakeUpstream

    with FakeUpstream() as upstream:
        yield upstream
