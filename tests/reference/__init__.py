"""The reference pages that come from the code: ``make reference`` writes them, and a test holds that they are what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from . import api, cli, profiles, settings, wire

DOCS = Path(__file__).resolve().parents[2] / "docs"
_NOTE = "<!-- Written by `make reference` from the code. -->\n\n"
PAGES: Mapping[str, Callable[[], str]] = {
    "reference/api.md": api.page,
    "reference/wire.md": wire.page,
    "reference/profiles.md": profiles.page,
    "reference/settings.md": settings.page,
    "reference/cli.md": cli.page,
}


def written(name: str) -> str:
    """What the page is to be."""
    return _NOTE + PAGES[name]().rstrip() + "\n"
