"""The full load takes minutes: it runs where it is asked for, with ``-m load``."""

from __future__ import annotations


def pytest_configure(config):
    config.addinivalue_line("markers", "load: the full load, 100,000 requests; run by `make load`")


def pytest_collection_modifyitems(config, items):
    if "load" not in config.option.markexpr:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("load")])
        items[:] = [item for item in items if not item.get_closest_marker("load")]
