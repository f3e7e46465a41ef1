"""``explain``: one request, field by field: from where, kept or dropped, and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace

from ..endpoints import parse_endpoint
from ..errors import ConfigError
from ..explanation import SHOWN_ONLY, Explanation, Overheard, explained, without_making_a_key
from ..identity import NOBODY, Identity
from ..pipeline import Pipeline
from ..plugins import registry
from ..policy import Decision
from ..profiles import find_profile
from .output import OK, say, say_json, table
from .recognition import suggested
from .remedies import named
from .request import given_of, hints_of, outgoing_of, sources_of
from .surroundings import Surroundings
from .targets import find_targets

__all__ = ["run"]

_CARRIERS = ("body", "metadata", "headers")


def run(args: argparse.Namespace, surroundings: Surroundings, heard: list[str]) -> int:
    """Print the explanation; the request is made up, and nothing is sent.

    Raises:
        ConfigError: the settings do not load, or an argument has a value that cannot be.
    """
    settings = surroundings.settings()
    surroundings.load_plugins(settings)
    base_url, model, api_mode = _endpoint(args.hints_base_url, surroundings)
    settings, stand_in = without_making_a_key(settings)
    endpoint = parse_endpoint(base_url)
    profile = args.hints_profile
    known = {**settings.known_profiles(), **registry.profiles}
    host = surroundings.host
    plugins = Overheard(registry)
    pipeline = Pipeline(
        settings,
        plugins=plugins,
        identity=NOBODY if host is None else Identity(agent=host.agent),
        privacy=args.hints_privacy,
        named=None if profile is None else (endpoint, find_profile(profile, key="--endpoint-profile", known=known)),
    )
    decision = pipeline.decide(base_url)
    with hints_of(args.hints_hints):
        outgoing = outgoing_of(args, model, api_mode)
        given = given_of(args, pipeline.identity)
        told = explained(
            pipeline,
            decision,
            outgoing,
            given.identity,
            given.facts,
            lambda: sources_of(outgoing, given, plugins.said or []),
        )
    told = replace(told, notes=_notes(told, decision, surroundings.place, heard, stand_in=stand_in))
    if args.hints_json:
        say_json(told)
    else:
        say(_lines(told))
    return OK


def _endpoint(base_url: str | None, surroundings: Surroundings) -> tuple[str, str | None, str | None]:
    """The URL, by default the main model's, and the model and the API that the configuration names for it."""
    targets, _ = find_targets(surroundings.configuration or {})
    if base_url is None:
        if not targets:
            msg = "--base-url: say which endpoint; the configuration names none"
            raise ConfigError(msg)
        return targets[0].base_url, targets[0].model, targets[0].api_mode
    endpoint = parse_endpoint(base_url)
    found = next((target for target in targets if target.endpoint == endpoint), None)
    return (base_url, None, None) if found is None else (base_url, found.model, found.api_mode)


def _lines(told: Explanation) -> list[str]:
    lines = [f"{told.url}: profile {told.profile}, privacy {told.privacy} ({told.reason}), rung {told.rung}"]
    if told.nothing is not None:
        return [*lines, f"nothing is sent: {told.nothing}", *told.notes]
    rows = [
        ["field", "from", "as it is sent", *_CARRIERS],
        *(
            [row.field, row.source, row.value or "-", *(row.carried.get(carrier, "-") for carrier in _CARRIERS)]
            for row in told.fields
        ),
    ]
    lines += [*told.notes, "", *table(rows, indent=0)]
    lines += _grouped(
        "overridden",
        [
            (f"{row.field} {value!r} from {source}", f"{row.source} is stronger")
            for row in told.fields
            for source, value in row.overridden.items()
        ],
    )
    lines += _grouped(
        "left out", [(row.field, f"{where}: {why}") for row in told.fields for where, why in row.dropped.items()]
    )
    lines += _grouped(
        "as a pseudonym", [(row.field, f"privacy: {told.privacy}") for row in told.fields if row.pseudonym]
    )
    lines += ["", "headers that are added", *table([(f"{name}:", value) for name, value in told.headers.items()])]
    body = json.dumps(told.body, indent=2, ensure_ascii=False)
    return [*lines, "", "fields of the body that are added", *("  " + line for line in body.splitlines())]


def _grouped(heading: str, told: Sequence[tuple[str, str]]) -> list[str]:
    """What was told, by reason."""
    reasons: dict[str, list[str]] = {}
    for what, why in told:
        reasons.setdefault(why, []).append(what)
    return ["", heading, *(f"  {why}: {', '.join(which)}" for why, which in reasons.items())] if reasons else []


def _notes(told: Explanation, decision: Decision, place: str, heard: Sequence[str], *, stand_in: bool) -> Sequence[str]:
    notes = [*told.notes, *(line for line in heard if "is a public host" not in line)]
    if decision.profile.silent and decision.endpoint.reach == "public" and not decision.chosen:
        profile, privacy = suggested(decision.endpoint, None)
        remedy = named(decision.endpoint, profile, place, privacy)
        notes.append(f"to name it, write into {remedy.place}: {remedy.line}")
    native = decision.profile.native_body.items()
    hashed = any(written.form == "hashed" and name in told.body for name, written in native)
    if stand_in and (told.privacy == "pseudonymous" or hashed):
        notes.append(SHOWN_ONLY)
    return notes
