"""A host in this process, of either version, and an endpoint that keeps what reaches it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from host_in_process import Hermes
from upstream import Upstream

from hermes_hints.hermes import plugin
from hermes_hints.hermes.turns import Turns

Host = Callable[..., Hermes]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """What clients send through: making one takes longer than most tests."""
    with httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        yield client


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, upstream: Upstream, http: httpx.Client, tmp_path: Path) -> Host:
    """A new host, as in a new process: ``host()`` is 0.19, ``host(newer=True)`` is 0.22."""
    for name in [name for name in os.environ if name.startswith("HERMES_") and name != "HERMES_HINTS_HOME"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(plugin, "_turns", Turns())

    def host(**more: Any) -> Hermes:
        return Hermes(monkeypatch, upstream, http, **more)

    return host


@pytest.fixture(params=[False, True], ids=["0.19", "0.22"])
def hermes(request: pytest.FixtureRequest, host: Host) -> Hermes:
    """Either host, with the plugin loaded."""
    hermes = host(newer=request.param)
    hermes.load()
    return hermes
