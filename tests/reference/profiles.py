"""docs/reference/profiles.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hermes_hints import Hints, Identity, Settings, calling, hint, identify
from hermes_hints.call import CALL_FIELDS
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline
from hermes_hints.profiles import BUILTIN, Native, Profile
from hermes_hints.profiles.declaration import FIELD_IN_TITLE, FIELD_IN_WORDS, Natives, field_name
from hermes_hints.wire import HEADERS

from .docstrings import field_docs, table
from .wire import EXAMPLE

HOST = "llm.example.org"
APIS = {"anthropic": "messages", "bedrock": "converse"}
"""For which API a profile's example is, where it is not chat completions."""


def page() -> str:
    return f"""# Profiles

How each kind of endpoint is written to, from the declarations in the package. Which receivers take what, and how that is known, is in
[Receivers](../downstreams.md); how to declare one's own, too.

What stands as an example under each is added to a request of Zoë's, in a room, in the second call of her turn.

{chr(10).join(_section(profile) for profile in BUILTIN.values())}
## What a declaration can say

{table(("key", "what"), [(f"`{name}`", text) for name, text in field_docs(Profile).items()])}
"""


def _section(profile: Profile) -> str:
    rows = _natives(profile)
    natives = table(("where", "name there", "field", "form", "limit"), rows) + "\n\n" if rows else ""
    return f"""## {profile.name}

{profile.summary}

{_carriers(profile)}

{natives}{_example(profile)}"""


def _carriers(profile: Profile) -> str:
    metadata = {"always": "`metadata`", "stored": "`metadata` where the request is stored", "never": ""}[
        profile.metadata
    ]
    told = [
        "the object `hermes`" if profile.body else "",
        metadata,
        "`X-Hermes-*` headers" if profile.headers else "",
        "`requestMetadata` of Bedrock's Converse API" if profile.request_metadata else "",
    ]
    return f"Carriers: {', '.join(part for part in told if part) or 'none of ours'}."


def _natives(profile: Profile) -> list[tuple[str, ...]]:
    places: list[tuple[str, Natives]] = [
        ("header", profile.native_headers),
        ("body", profile.native_body),
        *((f"in `{header}`", natives) for header, natives in profile.json_headers.items()),
        ("`baggage`", profile.baggage),
        ("span", profile.span),
    ]
    return [(place, *row) for place, natives in places for row in _folded(natives)]


def _folded(natives: Natives) -> list[tuple[str, ...]]:
    """One row for each name; fields that go by their own name, beginning alike, are one row."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for name, native in natives.items():
        form = native.form + (f", for {', '.join(native.apis)}" if native.apis else "")
        form += f", after `{native.prefix}`" if native.prefix else ""
        rows.setdefault((_pattern(name, native), form, str(native.limit)), {})[name] = f"`{native.field}`"
    return [
        (f"`{pattern if len(fields) > 1 else next(iter(fields))}`", ", ".join(fields.values()), form, limit)
        for (pattern, form, limit), fields in rows.items()
    ]


def _pattern(name: str, native: Native) -> str:
    for stands in (FIELD_IN_WORDS, FIELD_IN_TITLE):
        own = field_name(stands, native.field)
        if name.endswith(own):
            return name.removesuffix(own) + stands
    return name


def _example(profile: Profile) -> str:
    headers, body = _sent(profile)
    known = {} if profile.body or profile.name == "headers" else {name for _, name in HEADERS if profile.headers}
    lines = "\n".join(f"{name}: {value}" for name, value in headers.items() if name not in known)
    added = json.dumps(body, indent=2, ensure_ascii=False) if body else ""
    if not lines and not added:
        return ""
    before = "The lines [of `headers`](#headers), and:\n\n" if known else ""
    return f"{before}```text\n{chr(10).join(part for part in (lines, added) if part)}\n```\n"


def _sent(profile: Profile) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    settings = Settings.load(
        {
            "endpoints": [{"match": HOST, "profile": profile.name}],
            "pseudonym_key": "a key of the operator's own",
        }
    )
    pipeline = Pipeline(settings)
    outgoing = Outgoing(APIS.get(profile.name, "chat.completions"), {"model": "m"}, None, None)
    who = Identity(**{name: value for name, value in EXAMPLE.items() if name in Identity.model_fields})
    call = {name: value for name, value in EXAMPLE.items() if name in CALL_FIELDS}
    wish = Hints(**{name: value for name, value in EXAMPLE.items() if name in Hints.model_fields})
    with identify(who), calling(**call), hint(wish):
        stamp = pipeline.stamp(outgoing, pipeline.decide(f"https://{HOST}/v1"))
    return ({}, {}) if stamp is None else (stamp.carriers.headers, stamp.carriers.body)
