"""``doctor``: the host, the settings, every endpoint and every hint plugin, and what to mend."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..pipeline import Pipeline
from ..plugins import LoadedPlugin, registry
from ..privacy import Keyring
from ..settings import Settings
from .endpoint_report import EndpointReport, RuleReport, report_endpoints, report_rules
from .host_report import doors, report_commands, report_host
from .listing import report_directory
from .output import OK, PROBLEMS, WRONG, own_version, problem_lines, say, say_json, table
from .remedies import Problem, Remedy, remedy_for_settings
from .surroundings import Surroundings

__all__ = ["Report", "run"]


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
