"""The request that ``explain`` makes up from its arguments."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from ..context import Scope, current, hint
from ..endpoints import CONVERSE, FAMILIES, Family
from ..errors import ConfigError
from ..explanation import REQUEST, Source, flat
from ..identity import Identity
from ..outgoing import Outgoing
from ..receive import read
from .output import PROFILE_FLAGS

__all__ = ["APIS", "Given", "api_of", "given_of", "hints_of", "outgoing_of", "outgoing_to", "sources_of"]

# Of two paths of one API the one that Hermes' own client asks at, which comes later, counts.
APIS: Mapping[str, Family] = {
    **{family.api: family for family in FAMILIES.values()},
    CONVERSE: Family(CONVERSE, body=True, strict=True),
}
"""By name."""

_BY_MODE = {"codex_responses": "responses", "anthropic_messages": "messages", "bedrock_converse": CONVERSE}


def api_of(api_mode: str | None) -> str:
    """The API by the name that Hermes' ``api_mode`` has for it; chat completions for any other."""
    return _BY_MODE.get(api_mode or "", "chat.completions")


def outgoing_to(
    api: str, body: Mapping[str, Any], headers: Mapping[str, Any] | None = None, *, apart: bool = False
) -> Outgoing:
    """A request by that API, with as much room as it has; ``apart`` as where plugins run in a process of their own."""
    family = APIS[api]
    return Outgoing(
        api,
        body,
        None,
        headers,
        body_allowed=family.body and (family.strict or not apart),
        strict=family.strict,
        headers_allowed=api != CONVERSE,
    )


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
