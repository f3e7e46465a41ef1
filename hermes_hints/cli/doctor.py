"""``doctor``: the host, the settings, every endpoint and every hint plugin, and what to mend."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ..errors import ConfigError
from ..hermes.configuration import PLUGIN, HermesSettings, admission
from ..hermes.host import Host, found_at
from ..pipeline import Pipeline
from ..plugins import LoadedPlugin, registry
from ..privacy import Keyring
from ..settings import Settings
from .endpoint_report import EndpointReport, RuleReport, report_endpoints, report_rules
from .listing import report_directory
from .output import OK, PROBLEMS, WRONG, own_version, problem_lines, say, say_json, table
from .remedies import Problem, Remedy, remedy_for_settings
from .surroundings import Surroundings

__all__ = ["Report", "doors", "report_commands", "report_host", "run"]


@dataclass(frozen=True, slots=True)
class Report:
    """What ``doctor --json`` prints."""

    version: str
    host: str | None
    """As on the wire: ``hermes-agent/0.19.0``."""
    doors: Mapping[str, bool]
    """Whether each place of the host that is used is there."""
    configuration: str | None
    settings: str
    """``loaded``, or what is wrong with them."""
    endpoints: Sequence[EndpointReport]
    rules: Sequence[RuleReport]
    plugins: Sequence[LoadedPlugin]
    problems: Sequence[Problem]
    notes: Sequence[Problem]


def run(args: argparse.Namespace, surroundings: Surroundings, _heard: list[str]) -> int:
    """Print the report: 0 where nothing is to be mended, 1 where something is, 2 where the settings do not load."""
    report = _report(surroundings, args.hints_probe)
    if args.hints_json:
        say_json(report)
    else:
        say(_lines(report))
    if report.settings != "loaded":
        return WRONG
    return PROBLEMS if report.problems else OK


def _report(surroundings: Surroundings, probe: str) -> Report:
    problems = [*report_host(surroundings)]
    notes: list[Problem] = []
    endpoints: Sequence[EndpointReport] = ()
    rules: Sequence[RuleReport] = ()
    plugins: Sequence[LoadedPlugin] = ()
    state = "loaded"
    try:
        settings = surroundings.settings()
        pipeline = Pipeline(settings)
    except ConfigError as error:
        state = str(error)
        problems.append(Problem(state, remedy_for_settings(surroundings.kind, surroundings.given, surroundings.place)))
    else:
        surroundings.load_plugins(settings)
        plugins = registry.listed()
        endpoints, found, noted = report_endpoints(surroundings, settings, pipeline, probe)
        rules, shadowed = report_rules(settings, endpoints, surroundings.place)
        of_plugins, disabled = _of_plugins(plugins, surroundings.place)
        problems += report_commands(settings, surroundings.place)
        problems += [*_of_key(settings, endpoints), *found, *report_directory(surroundings, settings), *of_plugins]
        notes += [*noted, *shadowed, *disabled]
    host = surroundings.host
    return Report(
        own_version(),
        None if host is None else host.agent or "hermes-agent",
        {} if host is None else doors(host),
        None if surroundings.file is None else str(surroundings.file),
        state,
        endpoints,
        rules,
        plugins,
        problems,
        notes,
    )


def _of_key(settings: Settings, endpoints: Sequence[EndpointReport]) -> list[Problem]:
    """What is wrong with the key for pseudonyms, where there is one: looking must not make one."""
    file = settings.key_file()
    if settings.key_text() is None and file.exists() and any(report.privacy == "pseudonymous" for report in endpoints):
        try:
            Keyring(None, file).key()
        except ConfigError as error:
            open_to_others = "may be read by others" in str(error)
            return [Problem(str(error), Remedy("shell", f"chmod 600 {file}" if open_to_others else f"rm {file}"))]
    return []


def _of_plugins(plugins: Sequence[LoadedPlugin], place: str) -> tuple[list[Problem], list[Problem]]:
    problems: list[Problem] = []
    notes: list[Problem] = []
    for plugin in plugins:
        if plugin.state in ("failed", "set aside"):
            what = f"hint plugin {plugin.name} ({plugin.location}) is {plugin.state}: {plugin.error}"
            problems.append(Problem(what, Remedy(f"{place}.disabled_plugins", f"- {plugin.name}")))
        elif plugin.state == "disabled":
            wanted = "plugins.enabled" in (plugin.error or "")
            remedy = Remedy("plugins.enabled", f"- {plugin.name}") if wanted else None
            notes.append(Problem(f"hint plugin {plugin.name} is not loaded: {plugin.error}", remedy))
    return problems, notes


def _lines(report: Report) -> list[str]:
    lines = [f"hermes-hints {report.version}, {report.host or 'no Hermes in this environment'}"]
    lines += table([(name, "open" if there else "MISSING") for name, there in report.doors.items()])
    lines.append(f"configuration: {report.configuration or 'none found, so the defaults count'}")
    lines.append(f"settings: {'loaded' if report.settings == 'loaded' else 'WRONG, so no request is stamped'}")
    if report.endpoints:
        lines += ["", "endpoints"]
        for endpoint in report.endpoints:
            lines += endpoint.lines()
    if report.rules:
        lines += ["", "rules"]
        lines += table(
            [
                (rule.match, rule.profile, rule.privacy, ", ".join(rule.covers) or "covers none of these")
                for rule in report.rules
            ]
        )
    if report.plugins:
        lines += ["", "hint plugins"]
        lines += table([(plugin.name, plugin.state, ", ".join(plugin.hooks)) for plugin in report.plugins])
    lines += problem_lines("to mend", report.problems)
    lines += problem_lines("to know", report.notes)
    return [*lines, "", f"{len(report.problems)} to mend" if report.problems else "nothing to mend"]


_LESS_IDENTITY = "requests carry less identity"
_MIDDLEWARE = "middleware llm_request"
_LOST: Mapping[str, str] = {
    _MIDDLEWARE: "main turns are told apart by their context alone, without ids of turns and calls",
    "hook pre_llm_call": "a message that waited for another's turn is not told from it, and /hint counts for nobody",
    "hook pre_gateway_dispatch": "/hint has no effect in chats",
    "hook subagent_start": "what subagents call is nobody's",
    "hook on_session_reset": "a wish for a model outlives the session it was made in",
    "hook post_api_request": "confirm has no effect",
    "hook transform_llm_output": "confirm has no effect",
}
"""What goes without, by door, apart from those that identity is read from."""

_TRUE = frozenset({"1", "true", "yes", "on"})
"""What Hermes takes for true in its environment (``env_var_enabled`` in utils.py)."""
_ISOLATED = (
    "plugins.isolation is host: hermes-hints runs outside the process that calls models; main turns and subagents carry "
    "headers, without chats; titles, summaries, compression and the like carry nothing; hermes hints is no command"
)


def doors(host: Host) -> Mapping[str, bool]:
    """Whether each place of the host that is used is there, by name."""
    middleware = found_at("hermes_cli.middleware", "VALID_MIDDLEWARE")
    known = cast("set[str]", middleware) if isinstance(middleware, set) else set[str]()
    offered = {f"hook {name}" for name in host.hooks} | {f"middleware {name}" for name in known}
    return {
        **{name: door is not None for name, door in host.doors().items()},
        **{name: name in offered for name in _LOST},
    }


def report_host(surroundings: Surroundings) -> Iterator[Problem]:
    """What is to be mended about the host, and about how it is told to load hermes-hints."""
    host, configuration = surroundings.host, surroundings.configuration
    if host is not None:
        for name, there in doors(host).items():
            if not there:
                lost = _LOST.get(name, _LESS_IDENTITY)
                yield Problem(f"this Hermes has no {name}: {lost}", Remedy("shell", "hermes update"))
    if configuration is None:
        return
    if surroundings.isolated:
        yield Problem(_ISOLATED, Remedy("plugins", "isolation: in_process"))
    if surroundings.in_host:
        return
    unwanted = admission(configuration)(PLUGIN)
    if unwanted is not None:
        out = "plugins.disabled" in unwanted
        remedy = (
            Remedy("plugins.disabled", f"# leave out: {PLUGIN}") if out else Remedy("plugins.enabled", f"- {PLUGIN}")
        )
        yield Problem(f"Hermes does not load {PLUGIN}: it is {unwanted}", remedy)
    if os.environ.get("HERMES_SAFE_MODE", "").strip().lower() in _TRUE:
        what = "HERMES_SAFE_MODE is set: Hermes loads no plugins, and hermes hints is no command"
        yield Problem(what, Remedy("shell", "unset HERMES_SAFE_MODE"))


def report_commands(settings: Settings, place: str) -> Iterator[Problem]:
    """Which short forms of ``/hint`` have the name of a command of Hermes' own."""
    resolve = found_at("hermes_cli.commands", "resolve_command")
    if not callable(resolve) or not isinstance(settings, HermesSettings):
        return
    for name in settings.commands:
        if resolve(name) is not None:
            what = f"/{name} is a command of Hermes' own: it cannot be a short form of /hint"
            yield Problem(what, Remedy(f"{place}.commands", f"# leave out: {name}"))
