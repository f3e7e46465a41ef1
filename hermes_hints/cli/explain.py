"""``explain``: one request, field by field: from where, kept or dropped, and why."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from ..context import Scope, current, hint
from ..endpoints import CONVERSE, parse_endpoint
from ..errors import ConfigError
from ..explanation import REQUEST, SHOWN_ONLY, Explanation, Overheard, Source, explained, flat, without_making_a_key
from ..identity import NOBODY, Identity
from ..outgoing import Outgoing
from ..pipeline import Pipeline
from ..plugins import registry
from ..policy import Decision
from ..profiles import find_profile
from ..receive import read
from .output import OK, PROFILE_FLAGS, say, say_json, table
from .recognition import suggested
from .remedies import named
from .surroundings import Surroundings
from .targets import api_of, find_targets, outgoing_to

__all__ = ["Given", "given_of", "hints_of", "outgoing_of", "run", "sources_of"]

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


@dataclass(frozen=True, slots=True)
class Given:
    """What the operator said of the request, and how."""

    identity: Identity
    facts: Mapping[str, Any]
    """Fields of `Call`."""
    flags: Mapping[str, str]
    """The argument that each identity field came by."""
    own: Identity
    """What this environment says by itself."""


def given_of(args: argparse.Namespace, own: Identity) -> Given:
    """Who is asking and what for, as the arguments say; ``own`` is what this environment says by itself."""
    fields = {field: getattr(args, f"hints_identity_{field}") for field in Identity.model_fields}
    said = {field: value for field, value in fields.items() if value}
    flags = {field: PROFILE_FLAGS.get(field, "--" + field.replace("_", "-")) for field in said}
    facts = {"request_id": secrets.token_hex(16)} | ({"purpose": args.hints_purpose} if args.hints_purpose else {})
    return Given(Identity(**said), facts, flags, own)


def outgoing_of(args: argparse.Namespace, model: str | None, api_mode: str | None) -> Outgoing:
    """The request as its caller would make it; ``model`` and ``api_mode`` are what the configuration has for the endpoint.

    Raises:
        ConfigError: the file of ``--request`` holds no JSON object, or a ``--header`` is none.
    """
    api = args.hints_api or api_of(api_mode)
    message = args.hints_message or ""
    bodies: dict[str, dict[str, Any]] = {
        "chat.completions": {"messages": [{"role": "user", "content": message}]},
        "messages": {"messages": [{"role": "user", "content": message}]},
        CONVERSE: {"messages": [{"role": "user", "content": [{"text": message}]}]},
        "responses": {"input": message},
        "embeddings": {"input": message},
    }
    body = {"model": args.hints_model or model or "model", **bodies.get(api, {"prompt": message})}
    if args.hints_stream:
        body["stream"] = True
    if args.hints_request is not None:
        body.update(_request(args.hints_request))
    headers = dict(_pair("--header", text) for text in args.hints_headers)
    return outgoing_to(api, body, headers)


def _request(name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text("utf-8"))
    except (OSError, ValueError) as error:
        msg = f"--request: {name} holds no JSON that can be read ({error})"
        raise ConfigError(msg) from error
    if not isinstance(found, dict):
        msg = f"--request: {name} must hold the JSON object of a request's body, not {type(found).__name__}"
        raise ConfigError(msg)
    return cast("Mapping[str, Any]", found)


def sources_of(outgoing: Outgoing, given: Given, said: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Source]:
    """Who said what, the strongest first: the order of docs/wire.md, which `Pipeline` keeps.

    ``said`` is what each hint plugin contributed, the weakest first.
    """
    own = read(outgoing.header_items(), {**(outgoing.body or {}), **(outgoing.extra or {})}).fields()
    identity = given.identity.fields()
    derived = {"conversation_id"} & identity.keys() - given.flags.keys()
    return [
        (REQUEST, flat(own)),
        *((flag, {field: identity[field]}) for field, flag in given.flags.items()),
        *(("session_id", {field: identity[field]}) for field in derived),
        *(
            ("--purpose" if field == "purpose" else "made for it", {field: value})
            for field, value in given.facts.items()
        ),
        ("this environment", given.own.fields()),
        ("--hint", flat(current().hints)),
        *((f"plugin {name}", flat(hints)) for name, hints in reversed(said)),
    ]


def hints_of(pairs: Sequence[str]) -> Scope:
    """The scope that ``--hint`` stands for.

    Raises:
        ConfigError: a hint that does not exist, or a value that it cannot have.
    """
    fields: dict[str, Any] = {}
    ext: dict[str, Any] = {}
    for text in pairs:
        key, value = _pair("--hint", text)
        if "." in key:
            ext[key] = _scalar(value)
        else:
            fields[key] = value
    try:
        return hint(**fields, **({"ext": ext} if ext else {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        msg = f"--hint{' ' + place if place else ''}: {first['msg'].removeprefix('Value error, ')}"
        raise ConfigError(msg) from None


def _scalar(text: str) -> object:
    """A number or truth value where the text is one in JSON, else the text."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, bool | int | float) else text


def _pair(flag: str, text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        msg = f"{flag}: {text!r} is not of the form KEY=VALUE"
        raise ConfigError(msg)
    return key, value
