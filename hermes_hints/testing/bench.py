"""A hint plugin on a bench: run it against a call; see its hints, the record, and what leaves for any profile and privacy."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from ..errors import ConfigError
from ..ladder import Ladder
from ..pipeline import Pipeline
from ..plugins import LoadedPlugin, Registry
from ..privacy import Privacy
from ..settings import Settings
from .calls import FakeCall
from .faults import Fault, FaultLog
from .sources import found

__all__ = ["HintPluginError", "HintsBench", "Seen"]

_BASE_URL = "http://127.0.0.1:4000/v1"
_PSEUDONYM_KEY = "a key for the bench, and for nothing else"
_MODULES = "hermes_hints_plugins."


class HintPluginError(AssertionError):
    """The hint plugin on the bench is not loaded, or did something that costs it its contribution."""


class Seen(NamedTuple):
    """What came of one call."""

    hints: Mapping[str, Any]
    """What the plugin contributed, as far as it can be sent; nothing where the profile sends nothing at all."""
    record: Mapping[str, Any]
    """All that the request says, after privacy; empty where it says nothing."""
    headers: Mapping[str, str]
    """The header lines that were added."""
    added: Mapping[str, Any]
    """The top-level fields of the body that were added, or added to."""
    body: bytes
    """The whole body, as JSON in UTF-8. (A client may put blanks elsewhere.)"""
    milliseconds: float
    """How long the call waited for the plugin's ``contribute_hints``."""


class HintsBench:
    """One hint plugin as an operator has it: loaded, with its settings, and alone.

    It runs as in a host, under the same isolation, but apart from the plugins of the process, and with a longer time
    budget, because a machine that runs tests may be busy. Nothing is sent and no file is written. Use it with ``with``,
    or through the fixture ``hints_bench``.

    ``plugin`` is an object, class or module, a file or folder, or a name: of an entry point, or ``module:attribute``.
    ``name`` is what an object or module is to be called; ``settings`` is the plugin's own section of the settings;
    ``budget_ms`` is at most 1,000.

    Raises:
        ConfigError: there is no such plugin, or ``settings`` is no mapping. (`state` tells of one that does not load.)
        BaseException: whatever importing the module raises that a name leads to.
    """

    def __init__(
        self,
        plugin: object,
        *,
        name: str | None = None,
        settings: Mapping[str, Any] | None = None,
        budget_ms: float = 1000.0,
    ) -> None:
        self._modules = set(sys.modules)
        source = found(plugin)
        if name is not None and name != source.name and source.plugin is None:
            msg = f"name is {name!r}, but where it lies this plugin is called {source.name!r}; leave name out, or rename it"
            raise ConfigError(msg)
        self.name = name or source.name
        self._settings: dict[str, Any] = {
            "plugins": {self.name: {} if settings is None else settings},
            "budget_ms": budget_ms,
            "pseudonym_key": _PSEUDONYM_KEY,
        }
        chosen = Settings.load({**self._settings, "hints_directory": source.directory})
        self._log = FaultLog(self.name)
        self._registry = _Watched()
        self._pipelines: dict[tuple[str, Privacy], Pipeline] = {}
        alone = "not what is on the bench"
        self._registry.load(chosen, lambda found: None if found == self.name and source.plugin is None else alone)
        if source.plugin is not None:
            self._registry.register(source.plugin, self.name)

    @property
    def state(self) -> LoadedPlugin:
        """The plugin as ``hermes-hints list`` shows it: its state, its hooks, and what went wrong last."""
        return next(plugin for plugin in self._registry.listed() if plugin.name == self.name)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What the plugin did wrong since it was put on the bench, in this order; also what no call waited for any more."""
        return self._log.faults

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the profiles that the plugin declares."""
        return tuple(self._registry.profiles)

    def run(
        self,
        call: FakeCall | str | None = None,
        /,
        *,
        profile: str = "dispatcher",
        privacy: Privacy = "raw",
        strict: bool = True,
        **fields: Any,
    ) -> Seen:
        """What comes of one call to an endpoint of this profile and privacy.

        ``call`` is a `FakeCall`, or the text that the user says; then ``fields`` are as for `FakeCall.of`. With ``strict``
        a fault of the plugin raises; without, it is only in `faults`.

        Raises:
            HintPluginError: the plugin is not loaded, or did something wrong; its own exception is the cause.
            ConfigError: there is no such profile, privacy or field.
        """
        if isinstance(call, FakeCall) and fields:
            msg = f"{', '.join(fields)}: give fields to FakeCall.of, or a text and fields here, not both"
            raise ConfigError(msg)
        made = call if isinstance(call, FakeCall) else FakeCall.of(call, **fields)
        known = len(self.faults)
        if strict and self.state.state != "loaded":
            msg = f"the hint plugin {self.name} is {self.state.state}: {self.state.error}"
            raise HintPluginError(msg) from next((fault.cause for fault in reversed(self.faults)), None)
        seen = self._run(made, self._pipeline(profile, privacy))
        new = self.faults[known:]
        if strict and new:
            msg = f"the hint plugin {self.name} {new[0]}"
            raise HintPluginError(msg) from new[0].cause
        return seen

    def hints(self, call: FakeCall | str | None = None, /, **fields: Any) -> dict[str, Any]:
        """The hints that the plugin contributes to one call; as `run`."""
        return dict(self.run(call, **fields).hints)

    def _run(self, call: FakeCall, pipeline: Pipeline) -> Seen:
        outgoing = call.outgoing()
        self._registry.told.contributed = ({}, 0.0)
        stamp = pipeline.stamp(outgoing, pipeline.decide(_BASE_URL), call.identity, call.facts)
        hints, milliseconds = self._registry.told.contributed
        extra = {} if stamp is None else stamp.extra_body() or {}
        return Seen(
            hints,
            {} if stamp is None else stamp.record,
            {} if stamp is None else stamp.carriers.headers,
            {} if stamp is None else stamp.carriers.body,
            json.dumps({**call.body, **extra}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
            milliseconds,
        )

    def _pipeline(self, profile: str, privacy: Privacy) -> Pipeline:
        made = self._pipelines.get((profile, privacy))
        if made is None:
            if "." in profile and profile not in self._registry.profiles:
                declared = ", ".join(self.profiles) or "none"
                msg = f"profile: there is no profile {profile!r}; {self.name} declares {declared}"
                raise ConfigError(msg)
            endpoint = {"match": _BASE_URL, "profile": profile, "privacy": privacy}
            settings = Settings.load({**self._settings, "endpoints": [endpoint]}, where="bench")
            made = Pipeline(settings, plugins=self._registry, ladder=Ladder())
            self._pipelines[profile, privacy] = made
        return made

    def close(self) -> None:
        """Unload the plugin."""
        self._registry.unregister(self.name)
        self._log.close()
        for module in [name for name in sys.modules if name.startswith(_MODULES) and name not in self._modules]:
            del sys.modules[module]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Told(threading.local):
    contributed: tuple[Mapping[str, Any], float] = ({}, 0.0)


class _Watched(Registry):
    """A registry that tells each thread what its latest call was given, and how long it took."""

    def __init__(self) -> None:
        super().__init__()
        self.told = _Told()

    def contribute(self, call: object, identity: object) -> Mapping[str, Any]:
        began = time.perf_counter()
        hints = super().contribute(call, identity)
        took = time.perf_counter() - began
        self.told.contributed = (dict(hints), took * 1000)
        return hints
