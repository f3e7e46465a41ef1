"""docs/reference/settings.md."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr

from hermes_hints import Settings
from hermes_hints.hermes.configuration import PLACE, HermesSettings
from hermes_hints.settings import EndpointRule, state_directory

from .docstrings import field_docs, markdown, table

_WORDS = {SecretStr: "text", Path: "a path", bool: "true or false", float: "a number", str: "text"}
_ENVIRONMENT = (
    ("HERMES_HINTS_KEY", "the key for pseudonyms, where `pseudonym_key` is not set"),
    ("HERMES_HINTS_SIGNING_KEY", "the key for signatures, where `signing_key` is not set; of receivers too"),
    ("HERMES_HINTS_HOME", "where hermes-hints keeps what outlives a process"),
)


def page() -> str:
    return f"""# Settings

Of a program: `settings=` of `wrap` and `install`, a mapping or a `Settings`. In Hermes: `{PLACE}` in config.yaml. A key that
does not exist and a value that cannot be are refused, with the place, the value and the remedy.

## Everywhere

{_table(Settings)}

## An entry of `endpoints`

{_table(EndpointRule)}

## In Hermes alone

{_table(HermesSettings, without=Settings)}

## Environment

{table(("variable", "what"), [(f"`{name}`", what) for name, what in _ENVIRONMENT])}

## Files

{markdown(state_directory.__doc__ or "")}

{table(("file", "what"), _files())}
"""


def _files() -> list[tuple[str, ...]]:
    kept = (Settings().key_file, Settings.rung_file, Settings.recognised_file)
    return [
        (f"`{find().name}`", (find.__doc__ or "").removeprefix("Where ").removeprefix("it is kept ").rstrip("."))
        for find in kept
    ]


def _table(kind: type[BaseModel], without: type[BaseModel] | None = None) -> str:
    docs = field_docs(kind)
    rows = [
        (f"`{name}`", _takes(field.annotation, field.metadata), _default(field), docs.get(name, ""))
        for name, field in kind.model_fields.items()
        if without is None or name not in without.model_fields
    ]
    return table(("key", "takes", "default", "what"), rows)


def _default(field: Any) -> str:
    if field.is_required():
        return "to be given"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "-"
    written = {(): "[]", "": "-", True: "true", False: "false"}.get(value) if not isinstance(value, Mapping) else "{}"
    return f"`{written or (format(value, 'g') if isinstance(value, float) else value)}`"


def _takes(annotation: Any, limits: list[Any]) -> str:
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inside)
    if origin in (typing.Union, types.UnionType):
        return _takes(next(kind for kind in inside if kind is not type(None)), limits)
    if origin is tuple:
        entry = "entries" if isinstance(inside[0], type) and issubclass(inside[0], BaseModel) else "texts"
        return f"a list of {entry}"
    if origin is not None and issubclass(origin, Mapping):
        return "a mapping of texts" if inside[1] is str else "a mapping of mappings"
    bounds = {
        sign: getattr(limit, name)
        for limit in limits
        for name, sign in (("gt", "over"), ("le", "up to"))
        if getattr(limit, name, None) is not None
    }
    return " ".join([_WORDS[annotation], *(f"{sign} {bound:g}" for sign, bound in bounds.items())])
