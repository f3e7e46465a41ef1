"""What ``doctor`` says of each entry of ``endpoints``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..endpoints import parse_match
from ..settings import Settings
from .endpoint_report import EndpointReport
from .remedies import Problem, Remedy
from .targets import single_endpoint

__all__ = ["RuleReport", "report_rules"]


@dataclass(frozen=True, slots=True)
class RuleReport:
    """One entry of ``endpoints``."""

    match: str
    profile: str
    privacy: str
    covers: Sequence[str]
    """The URLs of the endpoints that it decides about."""


def report_rules(
    settings: Settings, endpoints: Sequence[EndpointReport], place: str
) -> tuple[list[RuleReport], list[Problem]]:
    """Each rule with what it covers, and a note for each one that an earlier rule makes pointless."""
    reports: list[RuleReport] = []
    notes: list[Problem] = []
    for position, rule in enumerate(settings.endpoints):
        covered = [report.url for report in endpoints if report.reason == f"endpoints: {rule.match}"]
        reports.append(RuleReport(rule.match, rule.profile, rule.privacy, covered))
        only = single_endpoint(rule.match)
        earlier = settings.endpoints[:position]
        above = next(
            (other.match for other in earlier if only is not None and parse_match(other.match).covers(only)), None
        )
        if above is not None:
            what = f"the entry {rule.match} of endpoints never counts: {above} stands before it"
            notes.append(Problem(what, Remedy(f"{place}.endpoints.{position}", "# leave it out, or move it up")))
    return reports, notes
