"""docs/reference/wire.md."""

from __future__ import annotations

import json
from typing import Any

from hermes_hints import Call, Hints, Identity, Record, carriers
from hermes_hints.schema import FILE, schema
from hermes_hints.signature import sign
from hermes_hints.values import MAX_CHARS
from hermes_hints.wire import (
    CALL_FIELDS,
    HEADERS,
    IDS,
    MAX_HEADER_BYTES,
    MAX_HEADERS_BYTES,
    METADATA,
    METADATA_EXT,
    METADATA_PREFIX,
    NAMES,
    SIGNATURE,
    WHO_AND_WHERE,
)

from .docstrings import field_docs, table

EXAMPLE = {
    "user_id": "@zoe:example.org",
    "user_name": "Zoë",
    "platform": "matrix",
    "chat_id": "!ops:example.org",
    "chat_name": "Ops",
    "chat_type": "group",
    "session_id": "20261121_012008_d4149b13",
    "conversation_id": "20261120_181502_0a81c7f2",
    "agent": "hermes-agent/0.19.0",
    "request_id": "9f2d61c04c8c4f0e",
    "turn_id": "t-7",
    "call": 2,
    "purpose": "main",
    "user_intent": "force-cloud",
    "command_origin": "/hint",
    "priority": "high",
    "labels": ["incident", "eu"],
    "ext": {"acme.region": "eu"},
}
SINCE = 1790000000
KEY = b"a key that sender and receiver share"


def page() -> str:
    record = Record(**EXAMPLE).fields()
    lines = carriers.headers(record, ())
    return f"""# Wire contract

Version 1, from the models in the package. What it is for, what is merged and who gets what is told in
[What a request carries](../wire.md). The same as JSON Schema: [`{FILE}`](../../hermes_hints/schema/{FILE}).

## Fields

{table(("field", "what", "value", "header", "pseudonymous", "none"), _rows())}

Text is up to {MAX_CHARS} characters. In `metadata` a field goes by its name with `{METADATA_PREFIX}` before it, an entry of `ext` by its
key with `{METADATA_EXT}`. The last two columns are what the privacies `pseudonymous` and `none` make of it; `raw` sends everything as it is.

## Example: the body

What stands in the body of a request with everything, under `hermes`:

```json
{_json(carriers.body_object(record))}
```

## Example: metadata

Where the caller has put nothing of its own into `metadata`:

```json
{_json(carriers.metadata(record, ()))}
```

Sixteen pairs in all, the caller's own included. These come first: {", ".join(f"`{field}`" for field, _ in METADATA)}; then `ext`.

## Example: headers

```text
{_headers(lines)}
```

At most {MAX_HEADER_BYTES} bytes a line and {MAX_HEADERS_BYTES} in all. These come first: {", ".join(f"`{name}`" for _, name in HEADERS)}.

## Example: a signature

With the `signing_key` `{KEY.decode()}`, at {SINCE} seconds since 1970:

```text
{SIGNATURE}: {sign(record, KEY, now=SINCE)}
```
"""


def _rows() -> list[tuple[str, ...]]:
    properties = schema()["properties"]
    docs = {
        **field_docs(Identity),
        **{f: d for f, d in field_docs(Call).items() if f in CALL_FIELDS},
        **field_docs(Hints),
    }
    lines = dict(HEADERS)
    return [
        (
            f"`{field}`",
            docs[field],
            _value(rules),
            f"`{lines[field]}`" if field in lines else "-",
            "dropped" if field in NAMES else "pseudonym" if field in IDS else "",
            "dropped" if field in WHO_AND_WHERE else "",
        )
        for field, rules in properties.items()
        if field != "v"
    ]


def _value(rules: dict[str, Any]) -> str:
    if "enum" in rules:
        return ", ".join(f"`{choice}`" for choice in rules["enum"])
    if rules["type"] == "string":
        assert rules["maxLength"] == MAX_CHARS
        return "text"
    if rules["type"] == "integer":
        return f"a whole number from {rules['minimum']}"
    if rules["type"] == "array":
        return f"up to {rules['maxItems']} texts"
    return f"up to {rules['maxProperties']} entries of text, numbers or truth values"


def _json(found: object) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False)


def _headers(lines: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in lines.items())
