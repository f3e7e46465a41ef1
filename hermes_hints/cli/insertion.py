"""Putting one entry into config.yaml, with every other byte of the file as it was."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..errors import ConfigError

__all__ = ["block", "with_first_entry"]

_STEP = 2
_EMPTY = re.compile(r"(?P<key>[^#]*?:)[ \t]*(?:\{[ \t]*\}|\[[ \t]*\]|null|~)?(?P<rest>[ \t]*(?:#.*)?)")


class _UnsuitableError(Exception):
    """There is no place for a line."""


def block(path: Sequence[str], entry: str, column: int = 0) -> list[str]:
    """The list at ``path`` with ``entry`` as its only one, as lines of YAML that start at ``column``."""
    lines = [" " * (column + _STEP * depth) + f"{key}:" for depth, key in enumerate(path)]
    return [*lines, " " * (column + _STEP * len(path)) + "- " + entry]


def with_first_entry(text: str, path: Sequence[str], entry: str) -> str:
    """``text``, a YAML file, with ``entry`` as the first one of the list at ``path``; missing keys are added.

    Lines are only added, but for an empty ``{}``, ``[]`` or ``null`` on the way. What comes out is read back, and has to
    be what was there and the entry.

    Raises:
        ConfigError: ruamel.yaml is not installed, or the file is written in a way into which no line can be put.
    """
    try:
        yaml: Any = importlib.import_module("ruamel.yaml")
    except ImportError:
        msg = "writing needs ruamel.yaml, which comes with Hermes"
        raise ConfigError(msg) from None
    try:
        lines = text.splitlines(keepends=True)
        newline = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += newline
        _insert(lines, yaml.YAML().load(text), path, entry, newline)
        changed = "".join(lines)
        safe = yaml.YAML(typ="safe", pure=True)
        if safe.load(changed) != _wanted(safe.load(text), path, safe.load(entry)):
            raise _UnsuitableError  # noqa: TRY301 - as where no place was found
    except (_UnsuitableError, yaml.error.YAMLError, LookupError, ValueError) as error:
        msg = "it is written in a way into which no line can be put"
        raise ConfigError(msg) from error
    return changed


def _insert(lines: list[str], document: object, path: Sequence[str], entry: str, newline: str) -> None:
    node: Any = document
    missing = [*path]
    line, column = len(lines) - 1, 0
    while missing and node:
        mapping = _block_style(node, Mapping)
        column = mapping.lc.key(next(iter(mapping)))[1]
        if missing[0] not in mapping:
            break
        line, node = mapping.lc.key(missing[0])[0], mapping[missing.pop(0)]
        column += _STEP
    if not missing and node:
        _before_first(lines, node, entry, newline)
        return
    if not node and len(missing) < len(path):
        lines[line] = _without_value(lines[line])
    lines[line + 1 : line + 1] = [added + newline for added in block(missing, entry, column)]


def _block_style(node: object, kind: type[Any]) -> Any:  # noqa: ANN401 - ruamel's own types
    """``node``, where it is a mapping or list that is written line by line."""
    if not isinstance(node, kind) or cast("Any", node).fa.flow_style():
        raise _UnsuitableError
    return node


def _before_first(lines: list[str], node: Any, entry: str, newline: str) -> None:  # noqa: ANN401 - likewise
    line, column = _block_style(node, list).lc.item(0)
    dash = lines[int(line)].rindex("-", 0, int(column))
    lines.insert(line, " " * dash + "- " + entry + newline)


def _without_value(line: str) -> str:
    content = line.rstrip("\r\n")
    found = _EMPTY.fullmatch(content)
    if found is None:
        raise _UnsuitableError
    return found["key"] + found["rest"].rstrip() + line[len(content) :]


def _wanted(before: object, path: Sequence[str], entry: object) -> object:
    if not path:
        return [entry, *cast("list[object]", before or [])]
    mapping = dict(cast("Mapping[str, object]", before or {}))
    return {**mapping, path[0]: _wanted(mapping.get(path[0]), path[1:], entry)}
