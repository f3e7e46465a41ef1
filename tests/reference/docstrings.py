"""From docstrings, signatures and fields to Markdown."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

_SECTION = re.compile(r"^(Args|Raises|Returns|Yields):$")
_ENTRY = re.compile(r"^(\w[\w.]*): (.*)$")


def markdown(docstring: str) -> str:
    """A docstring of the house: paragraphs, ``Args:`` and ``Raises:`` with entries, a block after ``::``."""
    parts: list[str] = []
    block: list[str] | None = None
    for paragraph in filter(None, inspect.cleandoc(docstring).split("\n\n")):
        if block is not None and paragraph.startswith("    "):
            block.append(paragraph)
            continue
        parts += _fenced(block)
        block = [] if paragraph.endswith("::") else None
        lines = paragraph.splitlines()
        section = _SECTION.match(lines[0])
        if section is not None:
            parts.append(f"{section[1]}:\n\n{_entries(textwrap.dedent(chr(10).join(lines[1:])))}")
        else:
            parts.append(_inline(re.sub(r"::$", ":", paragraph)).removeprefix(":") or "")
    parts += _fenced(block)
    return "\n\n".join(part for part in parts if part)


def _fenced(block: list[str] | None) -> list[str]:
    if not block:
        return []
    code = textwrap.dedent("\n\n".join(block))
    try:
        ast.parse(code)
    except SyntaxError:
        return [f"```yaml\n{code}\n```"]
    return [f"```python\n{code}\n```"]


def _entries(text: str) -> str:
    entries: list[str] = []
    for line in text.splitlines():
        entry = _ENTRY.match(line)
        if entry is not None:
            entries.append(f"- `{entry[1]}`: {entry[2]}")
        elif entries:
            entries[-1] += " " + line.strip()
        else:
            entries.append(f"- {line}")
    return _inline("\n".join(entries))


def _inline(text: str) -> str:
    return text.replace("``", "`")


def first_sentence(docstring: str) -> str:
    """What stands before the first blank line, on one line."""
    return " ".join(_inline(inspect.cleandoc(docstring).split("\n\n")[0]).split())


def signature(function: Callable[..., Any], name: str | None = None) -> str:
    """As a caller reads it: the annotations as they are written, the defaults as they are."""
    shown = inspect.signature(function)
    parts: list[str] = []
    kinds = [parameter.kind for parameter in shown.parameters.values()]
    for index, parameter in enumerate(shown.parameters.values()):
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not any(
            kind in (parameter.VAR_POSITIONAL, parameter.KEYWORD_ONLY) for kind in kinds[:index]
        ):
            parts.append("*")
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        written = f"{star}{parameter.name}"
        if parameter.annotation is not parameter.empty:
            written += f": {_annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            written += f" = {_default(parameter.default)}" if ": " in written else f"={_default(parameter.default)}"
        parts.append(written)
        if parameter.kind is parameter.POSITIONAL_ONLY and kinds[index + 1 : index + 2] != [parameter.POSITIONAL_ONLY]:
            parts.append("/")
    result = "" if shown.return_annotation is shown.empty else f" -> {_annotation(shown.return_annotation)}"
    head = f"{name or function.__name__}"
    line = f"{head}({', '.join(parts)}){result}"
    if len(line) <= 100:
        return line
    return f"{head}(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}"


def _annotation(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _default(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool | int | float | tuple):
        return repr(value)
    if inspect.isfunction(value):
        return value.__name__
    return f"{type(value).__name__}()" if isinstance(value, BaseModel) else "..."


@functools.cache
def field_docs(kind: type) -> Mapping[str, str]:
    """What stands under each field of a class, its bases' included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("hermes_hints"):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(definition, ast.ClassDef)
        for statement, following in zip(definition.body, definition.body[1:], strict=False):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                found[statement.target.id] = " ".join(_inline(following.value.value).split())
    return found


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table. A cell has no pipe: what stands for one is read in different ways."""
    lines = [head, ("---",) * len(head), *rows]
    assert not any("|" in cell for line in lines for cell in line), rows
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
