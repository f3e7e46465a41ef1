"""Finding, registering and calling hint plugins."""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .errors import ConfigError
from .finding import ENTRY_POINT_GROUP, HOOKS, described, hooks_of, imported, in_directory, installed
from .hints import MOST_KEYS, Hints, merge_hints, normal_hints
from .isolation import Implementation, Plugin, run_each
from .notices import forget, logger

if TYPE_CHECKING:
    import pluggy

    from .profiles import Profile
    from .settings import Settings

__all__ = ["Admit", "LoadedPlugin", "Registry", "loaded_plugins", "register", "registry", "unregister"]

Source = Literal["entry point", "directory", "registered"]
State = Literal["loaded", "failed", "disabled", "set aside"]

Admit = Callable[[str], str | None]
"""Why a plugin of this name is not to be loaded; ``None`` when it is."""

_RANK: Mapping[Source, int] = {"entry point": 0, "directory": 1, "registered": 2}
_DISABLED = "in disabled_plugins"


class LoadedPlugin(NamedTuple):
    """A hint plugin as `loaded_plugins` lists it."""

    name: str
    source: Source
    location: str
    """The distribution and object, the path, or the module it comes from."""
    state: State
    error: str | None
    """Why it failed, was set aside, or what went wrong last."""
    hooks: tuple[str, ...]
    failures: int
    """How often it raised, was late or returned something unusable."""


class _Entry:
    __slots__ = ("health", "hooks", "location", "module", "name", "order", "profiles", "section", "source", "state")

    def __init__(self, name: str, source: Source, location: str, order: int) -> None:
        self.name = name
        self.source: Source = source
        self.location = location
        self.order = order
        self.state: State = "failed"
        self.health = Plugin(name)
        self.module: object = None
        self.hooks: tuple[str, ...] = ()
        self.section: Mapping[str, Any] = {}
        self.profiles: Mapping[str, Profile] = {}


class Registry:
    """The hint plugins of this process."""

    def __init__(self) -> None:
        self._made_manager: pluggy.PluginManager | None = None
        self._entries: dict[str, _Entry] = {}
        self._order = itertools.count()
        self._lock = threading.RLock()
        self._given: Settings | None = None
        self._admit: Admit = _all_wanted
        self._searched: set[object] = set()
        self._contributors: tuple[Implementation, ...] = ()
        self._observers: tuple[Implementation, ...] = ()
        self._merged: tuple[list[Any], dict[str, Any]] = ([], {})
        """What the contributors returned last, and what that came to: of one call as of the next, mostly."""
        self.busy = False
        """Whether any plugin wants to be called."""
        self.observed = False
        """Whether any plugin wants to see what is stamped."""
        self.profiles: Mapping[str, Profile] = {}
        """The profiles that plugins declare; another object whenever plugins change."""

    @property
    def _manager(self) -> pluggy.PluginManager:
        """Made with the first plugin: importing pluggy costs as much as half of hermes-hints does."""
        if self._made_manager is None:
            import pluggy

            from . import hookspecs

            self._made_manager = pluggy.PluginManager(hookspecs.PROJECT)
            self._made_manager.add_hookspecs(hookspecs)
        return self._made_manager

    @property
    def _settings(self) -> Settings:
        """Those that were given last, or else the defaults; discovery alone needs neither, nor their import."""
        if self._given is None:
            from .settings import Settings

            self._given = Settings.model_construct()
        return self._given

    def load(self, settings: Settings | None = None, admit: Admit | None = None) -> None:
        """Load what is installed and what lies in the operator's directory, once each; hand out new settings.

        ``admit`` tells of a name why a plugin found under it is not wanted, or ``None``; `register` does not ask it.
        """
        with self._lock:
            if admit is not None:
                self._admit = admit
            changed = settings is not None and settings != self._given
            if settings is not None:
                self._given = settings
            if ENTRY_POINT_GROUP not in self._searched:
                self._searched.add(ENTRY_POINT_GROUP)
                for found in installed():
                    self._load_one(found.name, "entry point", described(found), found.load)
            directory = None if self._given is None else self._given.hints_directory
            if directory is not None and directory not in self._searched:
                self._searched.add(directory)
                for name, path in in_directory(directory):
                    self._load_one(name, "directory", str(path), functools.partial(imported, name, path))
            if changed:
                self._hand_out()
            self._arrange()

    def _hand_out(self) -> None:
        """Bring the plugins that are loaded in line with new settings."""
        for entry in self._entries.values():
            if entry.state != "loaded":
                continue
            if entry.name in self._settings.disabled_plugins:
                self._drop(entry)
                entry.state = "disabled"
                entry.health.error = _DISABLED
            elif entry.section != self._settings.plugins.get(entry.name, {}) and not self._configured(entry):
                self._drop(entry)

    def register(self, plugin: object, name: str | None = None) -> LoadedPlugin:
        """Add a plugin object or module; see the module's `register`."""
        chosen = name or _text_at(plugin, "__name__") or type(plugin).__name__
        with self._lock:
            known = self._entries.get(chosen)
            if known is None or known.module is not plugin:
                location = _text_at(plugin, "__file__") or _text_at(plugin, "__module__") or repr(type(plugin))
                self._load_one(chosen, "registered", location, lambda: plugin)
                self._arrange()
            return self._listed(self._entries[chosen])

    def unregister(self, name: str) -> bool:
        """Remove the plugin of that name; whether there was one. A call under way still finishes with it."""
        with self._lock:
            entry = self._entries.pop(name, None)
            if entry is None:
                return False
            self._drop(entry)
            self._arrange()
            return True

    def listed(self) -> tuple[LoadedPlugin, ...]:
        """Every plugin, weakest first."""
        with self._lock:
            return tuple(self._listed(entry) for entry in sorted(self._entries.values(), key=_precedence))

    def contribute(self, call: object, identity: object) -> Mapping[str, Any]:
        """The hints of all plugins together, to be read and not changed; a later plugin wins over an earlier one."""
        contributors = self._contributors
        if not contributors:
            return {}
        results = self._run(contributors, (call, identity))
        before, hints = self._merged
        if len(results) != len(before) or not all(map(operator.is_, results, before)):
            hints = functools.reduce(merge_hints, [result for result in results if result], dict[str, Any]())
            self._merged = (results, hints)
        return hints

    def contributions(self, call: object, identity: object) -> list[tuple[str, dict[str, Any]]]:
        """The hints of each plugin that has any, by its name, the weakest first."""
        contributors = self._contributors
        if not contributors:
            return []
        results = self._run(contributors, (call, identity))
        return [
            (implementation.plugin.name, _apart(result))
            for implementation, result in zip(contributors, results, strict=True)
            if result is not None
        ]

    def observe(self, call: object, record: object, carriers: object) -> None:
        """Show all observers what leaves."""
        self._run(self._observers, (call, record, carriers))

    def _run(self, implementations: Sequence[Implementation], arguments: tuple[Any, ...]) -> list[Any]:
        settings = self._settings
        return run_each(implementations, arguments, settings.budget_ms / 1000, trusting=settings.trust_plugins)

    def _load_one(self, name: str, source: Source, location: str, get: Callable[[], object]) -> None:
        previous = self._entries.pop(name, None)
        if previous is not None:
            logger.info("hermes-hints: plugin %s from %s replaces the one from %s", name, location, previous.location)
            self._drop(previous)
        entry = _Entry(name, source, location, next(self._order))
        self._entries[name] = entry
        unwanted = _DISABLED if name in self._settings.disabled_plugins else None
        if unwanted is None and source != "registered":
            unwanted = self._admit(name)
        if unwanted is not None:
            entry.state = "disabled"
            entry.health.error = unwanted
            return
        forget(("plugin", name, "could not be loaded"))
        try:
            loaded = get()
            entry.module = loaded
            plugin = loaded() if inspect.isclass(loaded) else loaded
            entry.hooks = hooks_of(plugin)
            if self._manager.register(plugin, name) is None:
                msg = "pluggy has this name blocked"
                raise ConfigError(msg)  # noqa: TRY301 - one place says what could not be loaded
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            entry.health.fault("could not be loaded", error, private=False)
            return
        entry.state = "loaded"
        if not self._configured(entry):
            self._drop(entry)

    def _configured(self, entry: _Entry) -> bool:
        """Hand the plugin its own settings; whether it took them."""
        entry.section = self._settings.plugins.get(entry.name, {})
        for found in self._manager.hook.configure.get_hookimpls():
            if found.plugin_name == entry.name:
                try:
                    found.function(*([dict(entry.section)] if inspect.signature(found.function).parameters else []))
                except BaseException as error:
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    entry.health.fault("refuses its settings", error, private=False)
                    return False
        self._declare(entry)
        return True

    def _declare(self, entry: _Entry) -> None:
        """Ask the plugin for its profiles."""
        if "hint_profiles" not in entry.hooks:
            return
        from .profiles.parsing import profiles_of

        taken = {
            name: profile
            for other in self._entries.values()
            if other is not entry
            for name, profile in other.profiles.items()
        }
        functions = [
            found.function
            for found in self._manager.hook.hint_profiles.get_hookimpls()
            if found.plugin_name == entry.name
        ]
        entry.profiles, problems = profiles_of(functions, entry.name, taken)
        for problem in problems:
            entry.health.fault(f"declares no usable profile: {problem}")

    def _drop(self, entry: _Entry) -> None:
        if entry.state == "loaded":
            entry.state = "failed"
            entry.profiles = {}
            self._manager.unregister(name=entry.name)

    def _arrange(self) -> None:
        self._contributors = tuple(self._implementations("contribute_hints"))
        self._observers = tuple(self._implementations("request_stamped"))
        self.observed = bool(self._observers)
        self.busy = self.observed or bool(self._contributors)
        self.profiles = {name: profile for entry in self._entries.values() for name, profile in entry.profiles.items()}

    def _implementations(self, hook: str) -> Iterator[Implementation]:
        if not self._entries:
            return
        arguments = HOOKS[hook]
        kept = {(known.plugin, known.function): known for known in (*self._contributors, *self._observers)}
        found = [
            (implementation, self._entries[implementation.plugin_name])
            for implementation in getattr(self._manager.hook, hook).get_hookimpls()
            if implementation.plugin_name in self._entries
        ]
        for implementation, entry in sorted(
            found, key=lambda pair: (pair[0].tryfirst - pair[0].trylast, *_precedence(pair[1]))
        ):
            positions = [arguments.index(name) for name in inspect.signature(implementation.function).parameters]
            yield kept.get((entry.health, implementation.function)) or Implementation(
                entry.health, hook, implementation.function, positions, _TAKEN[hook]
            )

    @staticmethod
    def _listed(entry: _Entry) -> LoadedPlugin:
        health = entry.health
        state: State = "set aside" if entry.state == "loaded" and health.set_aside else entry.state
        return LoadedPlugin(entry.name, entry.source, entry.location, state, health.error, entry.hooks, health.failures)


def _all_wanted(_: str) -> str | None:
    return None


def _text_at(plugin: object, name: str) -> str | None:
    try:
        found = getattr(plugin, name, None)
    except Exception:  # noqa: BLE001 - an object's own way of looking up may raise anything, and loading it will say so
        return None
    return found if isinstance(found, str) else None


def _precedence(entry: _Entry) -> tuple[int, str, int]:
    return (_RANK[entry.source], "" if entry.source == "registered" else entry.name, entry.order)


def _usable(implementation: Implementation, result: object) -> dict[str, Any]:
    """The part of what a plugin returned that can be used, to be read and not changed; the rest is the plugin's fault."""
    plugin = implementation.plugin
    try:
        given = _mapping_of(result)
        if given is None:
            plugin.fault(
                f"returned {type(result).__name__} from contribute_hints, "
                f"not Hints or a mapping of at most {MOST_KEYS} of its fields"
            )
            return {}
        kept, problems = normal_hints(given)
    except Exception as error:  # noqa: BLE001 - a mapping of the plugin's own may raise anything
        plugin.fault("returned a mapping that cannot be read", error)
        return {}
    for problem in problems:
        plugin.fault(f"returned what cannot be sent: {problem}")
    # Text only: of other values some are equal that are written in different ways, as True and 1.
    if not problems and result.__class__ is dict and {*map(type, given.values())} == {str}:
        implementation.said = ({**given}, kept)
    return kept


def _apart(hints: dict[str, Any]) -> dict[str, Any]:
    """A copy that may become a request's own."""
    return {**hints, "ext": {**hints["ext"]}} if "ext" in hints else {**hints}


def _mapping_of(result: Any) -> Mapping[Any, Any] | None:
    if type(result) is dict:
        return result if len(result) <= MOST_KEYS else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(result, Hints):
        return Hints.fields(result)
    if inspect.iscoroutine(result):
        result.close()
    return result if isinstance(result, Mapping) and len(result) <= MOST_KEYS else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _nothing(_: Implementation, __: object) -> None:
    """What is taken of what an observer returns."""


_TAKEN: Mapping[str, Callable[[Implementation, Any], Any]] = {
    "contribute_hints": _usable,
    "request_stamped": _nothing,
}

registry = Registry()


def register(plugin: object, name: str | None = None) -> LoadedPlugin:
    """Add a hint plugin: a module, an object or a class (called without arguments) with functions marked `hookimpl`.

    ``name`` is by default the module's or class's own. A plugin of the same name is replaced; the same object again is a
    no-op. Never raises for what the plugin is: one that cannot be used is listed as failed, with the reason, and logged.
    """
    return registry.register(plugin, name)


def unregister(name: str) -> bool:
    """Remove the hint plugin of that name; whether there was one."""
    return registry.unregister(name)


def loaded_plugins() -> tuple[LoadedPlugin, ...]:
    """Every hint plugin that was found, from the weakest to the strongest, with its state and what went wrong.

    Precedence: entry points by name, then the hints directory by name, then registered ones in their order; the later
    one wins a field that both set. ``@hookimpl(trylast=True)`` comes before all others, ``tryfirst=True`` after them.
    """
    registry.load()
    return registry.listed()
