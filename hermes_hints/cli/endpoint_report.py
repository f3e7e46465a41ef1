"""What ``doctor`` says of each model endpoint, and of each entry of ``endpoints``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..call import CALL_FIELDS
from ..endpoints import parse_match
from ..explanation import STAND_IN_KEY
from ..hints import Hints
from ..identity import Identity
from ..pipeline import Pipeline
from ..plugins import Registry
from ..policy import Decision
from ..profiles import BUILTIN
from ..settings import Settings
from .recognition import Recognised, misfit, recognise_all, suggested
from .remedies import Problem, Remedy, named
from .surroundings import Surroundings
from .targets import Target, api_of, find_targets, named_targets, outgoing_to, single_endpoint

__all__ = ["EndpointReport", "Held", "RuleReport", "report_endpoints", "report_rules"]

_NOT_ASKED = Recognised(None, reads_hints=False, detail="not asked")


@dataclass(frozen=True, slots=True)
class Held:
    """A model for which an endpoint refused hints."""

    model: str
    rung: str
    until: str
    """Local time, ``14:05``."""


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """One endpoint that requests go to."""

    url: str
    places: Sequence[str]
    """Where the configuration names it."""
    profile: str
    privacy: str
    reason: str
    rungs: Sequence[Held]
    recognised: str | None
    reads_hints: bool
    answer: str
    sends: Sequence[str]
    """Which fields of the body and how many headers a request with every field would get."""

    def lines(self) -> list[str]:
        """For people."""
        known = self.recognised or "not recognised"
        reads = ", reads hints" if self.reads_hints else ""
        told = [
            ("used as", ", ".join(self.places)),
            ("policy", f"{self.profile}, {self.privacy}: {self.reason}"),
            ("is", f"{known}{reads}: {self.answer}"),
            *(("rung", f"{held.rung} for {held.model} until {held.until}") for held in self.rungs),
            *([("rung", "full")] if self.sends and not self.rungs else []),
            ("gets", ", ".join(self.sends) or "nothing"),
        ]
        return [f"  {self.url}", *(f"    {name:<8}{text}" for name, text in told)]


def report_endpoints(
    surroundings: Surroundings, settings: Settings, pipeline: Pipeline, probe: str
) -> tuple[list[EndpointReport], list[Problem], list[Problem]]:
    """Each configured endpoint, what is to be mended about them, and what is to be known.

    ``probe`` is ``bare``, ``keys`` or ``off``. Only endpoints that get hints, or are near, are asked what they are.
    """
    targets, unknown = find_targets(surroundings.configuration or {})
    targets = (*targets, *named_targets(settings, targets))
    decisions = [pipeline.decide(target.base_url) for target in targets]
    asked = [probe != "off" and _may_be_asked(decision) for decision in decisions]
    answers = iter(
        recognise_all(
            [
                (target.endpoint, target.key if probe == "keys" else None)
                for target, ask in zip(targets, asked, strict=True)
                if ask
            ]
        )
    )
    sample = Pipeline(settings.model_copy(update={"pseudonym_key": STAND_IN_KEY}), plugins=Registry())
    apart = surroundings.isolated
    reports: list[EndpointReport] = []
    problems: list[Problem] = []
    notes = [Problem(sentence, None) for sentence in unknown]
    for target, decision, ask in zip(targets, decisions, asked, strict=True):
        recognised = next(answers) if ask else _NOT_ASKED
        held = _held(pipeline, decision)
        sends = _sends(sample, target, decision, apart=apart)
        reports.append(_report(target, decision, recognised, held, sends))
        problems += _to_mend(decision, recognised, held, surroundings.place)
        notes += _to_know(decision, surroundings.place)
    return reports, problems, notes


def _may_be_asked(decision: Decision) -> bool:
    return not decision.profile.silent or decision.endpoint.reach != "public"


def _held(pipeline: Pipeline, decision: Decision) -> list[Held]:
    return [
        Held(
            str(model or "any model"), rung.name.lower(), time.strftime("%H:%M", time.localtime(time.time() + seconds))
        )
        for (origin, model), (rung, seconds) in pipeline.ladder.held().items()
        if origin == decision.endpoint.origin
    ]


def _sends(sample: Pipeline, target: Target, decision: Decision, *, apart: bool) -> list[str]:
    """What a request to this endpoint that has every field would carry, by name and number, never by value.

    ``apart``: the host keeps plugins in a process of their own.
    """
    outgoing = outgoing_to(api_of(target.api_mode), {"model": target.model, "messages": []}, apart=apart)
    facts: dict[str, Any] = dict.fromkeys((*CALL_FIELDS, *Hints.model_fields), "text")
    facts |= {"call": 1, "priority": "normal", "labels": ("text",), "ext": {"vendor.key": "text"}}
    stamp = sample.stamp(outgoing, decision, Identity(**dict.fromkeys(Identity.model_fields, "text")), facts)
    if stamp is None:
        return []
    body = [
        f"{name} ({len(value)} entries)" if isinstance(value, dict) else name  # pyright: ignore[reportUnknownArgumentType]
        for name, value in stamp.carriers.body.items()
    ]
    lines = len(stamp.carriers.headers)
    return [*body, *([f"{lines} headers"] if lines else [])]


def _report(
    target: Target, decision: Decision, recognised: Recognised, held: Sequence[Held], sends: Sequence[str]
) -> EndpointReport:
    return EndpointReport(
        target.shown,
        target.places,
        decision.profile.name,
        decision.privacy,
        decision.reason,
        held,
        recognised.kind,
        recognised.reads_hints,
        recognised.detail,
        sends,
    )


def _to_mend(decision: Decision, recognised: Recognised, held: Sequence[Held], place: str) -> list[Problem]:
    endpoint, profile = decision.endpoint, decision.profile
    against = misfit(profile, recognised.kind)
    if against is not None:
        better, _ = suggested(endpoint, recognised.kind)
        what = f"{endpoint.origin} is {recognised.kind} and has the profile {profile.name}: {against}"
        return [Problem(what, named(endpoint, better, place, decision.privacy))]
    if not held:
        return []
    models = ", ".join(entry.model for entry in held)
    less = "headers" if profile.body or profile.metadata != "never" else "off"
    what = f"{endpoint.origin} refused hints for {models}; with a profile that it takes, no request is sent twice"
    return [Problem(what, named(endpoint, less, place, decision.privacy))]


def _to_know(decision: Decision, place: str) -> list[Problem]:
    endpoint = decision.endpoint
    if not decision.profile.silent or endpoint.reach != "public" or not endpoint.host:
        return []
    if decision.chosen:
        return []
    profile, privacy = suggested(endpoint, None)
    then = "To say that it is meant so:" if BUILTIN[profile].silent else "To send it some:"
    what = f"{endpoint.origin} gets no hints: {decision.reason}. {then}"
    return [Problem(what, named(endpoint, profile, place, privacy))]


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
