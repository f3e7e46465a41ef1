"""Load: 64 threads, or 1,000 tasks, on one wrapped client. Nothing is lost, fails, or carries another's name."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from crowd import LOWER, PHASES, STRICT, Crowd, Endpoint, Generous, Unsteady, Watching

from hermes_hints import ladder, loaded_plugins, register

FULL, SMALL = 50_000, 1_000


@pytest.mark.parametrize(
    ("kind", "crew", "requests"),
    [
        ("threads", 64, SMALL),
        ("tasks", 50, SMALL),
        pytest.param("threads", 64, FULL, marks=pytest.mark.load),
        pytest.param("tasks", 1000, FULL, marks=pytest.mark.load),
    ],
)
def test_nothing_is_lost_and_nobody_carries_anothers_name(kind, crew, requests, monkeypatch):
    endpoint = Endpoint(requests)
    monkeypatch.setattr(ladder, "time", SimpleNamespace(monotonic=lambda: endpoint.now, time=lambda: endpoint.now))
    for plugin in (Unsteady(), Generous(), Watching()):
        register(plugin)
    crowd = Crowd(endpoint)

    if kind == "threads":
        crowd.threads(crew, requests)
    else:
        asyncio.run(crowd.tasks(crew, requests))

    assert crowd.failed == []
    assert endpoint.wrong == []
    assert bytes(endpoint.answered) == b"\1" * requests
    assert set(endpoint.refused) == {0, 1}
    failures = {plugin.name: plugin.failures for plugin in loaded_plugins()}
    assert failures.pop("Generous") == 0
    assert min(failures.values()) > requests // 8
    for model, strict in STRICT.items():
        for phases in ([0, strict[0]], [strict[0] + 1, strict[1]], [strict[1] + 1, PHASES]):
            assert "full" in endpoint.carried(model, range(*phases))
        assert all(endpoint.refusals[phase, model] for phase in strict)
        assert LOWER[model] in endpoint.carried(model, range(PHASES))
    if requests == FULL:
        before, after = crowd.memory
        assert after - before < requests // 5, "something is kept of each request"
