"""The homes that this process serves: a gateway may serve several profiles at once (0.22), each configured on its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ..endpoints import parse_endpoint
from ..openai import install_at, install_pipeline, installed, uninstall
from ..pipeline import Pipeline
from ..policy import Decision
from ..profiles import BUILTIN
from .configuration import named_home

__all__ = ["Homes", "current", "enter", "leave", "stand_at_anthropic", "standing"]


class Homes:
    """The pipeline of each home that has hermes-hints enabled; for every request, that of the home its code works for.

    To the client classes it is a pipeline. What code of any other home sends goes on as it is.
    """

    __slots__ = ("_pipelines",)

    def __init__(self) -> None:
        self._pipelines: Mapping[str, Pipeline] = {}

    def enter(self, here: str, pipeline: Pipeline) -> None:
        """From now on, stamp what code of this home sends; replaces what was so far."""
        others = self._pipelines.keys() - {here}
        self._pipelines = {**self._pipelines, here: pipeline}
        if not others or cast("object", installed()) is not self:
            install_pipeline(cast("Pipeline", self))

    def leave(self, here: str) -> None:
        """Leave alone what code of this home sends; with the last home, the client classes are as they were."""
        self._pipelines = {other: pipeline for other, pipeline in self._pipelines.items() if other != here}
        if not self._pipelines:
            uninstall()

    def __getattr__(self, name: str) -> Any:
        """That part of the pipeline of the home that the running code works for."""
        return getattr(self._pipelines.get(current(), _NOTHING), name)


class _Nothing:
    """What there is of a pipeline where hermes-hints is not enabled."""

    witness = None

    @staticmethod
    def decide(base_url: object) -> Decision:
        return Decision(
            parse_endpoint(str(base_url)), BUILTIN["off"], "none", "hermes-hints is not enabled in this home"
        )

    @staticmethod
    def stamp(*_: object) -> None:
        return None


_NOTHING = _Nothing()


_changing = threading.Lock()
"""The host loads the plugins of several profiles in threads."""


def enter(here: str, pipeline: Pipeline) -> None:
    """Have the requests of this home stamped in this process; see `Homes.enter`."""
    with _changing:
        found: object = installed()
        homes = found if isinstance(found, Homes) else Homes()
        homes.enter(here, pipeline)


def leave(here: str) -> None:
    """Have them no longer stamped; see `Homes.leave`."""
    with _changing:
        found: object = installed()
        if isinstance(found, Homes):
            found.leave(here)


def standing() -> bool:
    """Whether what the plugin leaves with a request is taken off again before the request leaves this process."""
    return isinstance(cast("object", installed()), Homes)


def current() -> str:
    """The home that the running code works for."""
    return _real(named_home())


@lru_cache(maxsize=256)
def _real(named: str) -> str:
    return str(Path(named).expanduser().resolve()) if named else named


_CLIENTS = (
    *("Anthropic", "AsyncAnthropic"),
    *("AnthropicBedrock", "AsyncAnthropicBedrock"),
    *("AnthropicVertex", "AsyncAnthropicVertex"),
)


def stand_at_anthropic() -> bool:
    """Stamp what the Anthropic SDK's clients send too, once the host has imported it; whether that is so.

    The import takes a while and is left to the host.
    """
    sdk = sys.modules.get("anthropic")
    kinds = [kind for name in _CLIENTS if isinstance(kind := getattr(sdk, name, None), type)]
    install_at(kinds)
    return bool(kinds)
