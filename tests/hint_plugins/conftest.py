"""The hint plugins that come with the project, on the bench as an operator has them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from hermes_hints.testing import HintsBench

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


@pytest.fixture
def load(request):
    """Load the ``PLUGIN`` that a module's tests are about, with these settings."""
    with ExitStack() as benches:
        yield lambda **settings: benches.enter_context(HintsBench(PLUGINS / request.module.PLUGIN, settings=settings))


@pytest.fixture
def refused(load):
    """Load it with settings that it refuses; in which words."""

    def refused(**settings):
        state = load(**settings).state
        assert state.state == "failed"
        return state.error

    return refused
