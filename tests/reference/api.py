"""docs/reference/api.md."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
import types
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from hermes_hints import Record

from .docstrings import field_docs, first_sentence, markdown, signature, table

MODULES = (
    "hermes_hints",
    "hermes_hints.receive",
    "hermes_hints.inbound",
    "hermes_hints.inbound.asgi",
    "hermes_hints.inbound.aiohttp",
    "hermes_hints.rules",
    "hermes_hints.dispatcher",
    "hermes_hints.litellm",
    "hermes_hints.profiles",
    "hermes_hints.testing",
    "hermes_hints.schema",
)
"""What people import from."""


def page() -> str:
    parts = [_module(name) for name in MODULES]
    return f"""# Python API

What can be imported, module by module. The hooks are in [Hooks](hooks.md), the keys of settings in [Settings](settings.md), and what
the fields of a record mean in [the wire contract](wire.md).

{chr(10).join(parts)}"""


def _module(name: str) -> str:
    module = importlib.import_module(name)
    names = [key for key in module.__all__ if not isinstance(getattr(module, key), types.ModuleType)]
    entries = [_entry(module, key) for key in names]
    return f"## {name}\n\n{markdown(module.__doc__ or '')}\n\n" + "\n".join(entries)


def _entry(module: types.ModuleType, name: str) -> str:
    value = getattr(module, name)
    if inspect.isclass(value):
        return f"### {name}\n\n{_class(value)}\n"
    if inspect.isfunction(value):
        return f"### {name}\n\n```python\ndef {signature(value)}: ...\n```\n\n{markdown(value.__doc__ or '')}\n"
    return f"### {name}\n\n{_constant(module, name)}\n"


def _class(kind: type[Any]) -> str:
    parts = [_constructor(kind), markdown(kind.__doc__ or "")]
    docs = {field: said for field, said in field_docs(kind).items() if field in _fields(kind)}
    if kind is Record:
        parts.append("Its fields are those of [the wire contract](wire.md#fields).")
    elif docs:
        parts.append(table(("field", "what"), [(f"`{field}`", docs.get(field, "")) for field in _fields(kind)]))
    members = [
        f"- `{_written(member, name)}`: {first_sentence(inspect.getdoc(member) or '')}"
        for name, member in _members(kind)
    ]
    if members:
        parts.append("It has:\n\n" + "\n".join(members))
    return "\n\n".join(part for part in parts if part)


def _constructor(kind: type[Any]) -> str:
    """Nothing for values, whose fields are listed, and for what only this package makes."""
    if issubclass(kind, BaseModel | BaseException | tuple) or kind.__init__ is object.__init__:
        return ""
    written = signature(kind.__init__, "__init__").replace("(", "(self, ", 1).replace("(self, \n", "(\n    self,\n", 1)
    body = textwrap.indent(f"def {written.replace('(self, )', '(self)')}: ...", "    ")
    return f"```python\nclass {kind.__name__}:\n{body}\n```"


def _fields(kind: type[Any]) -> list[str]:
    if issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return list(getattr(kind, "_fields", None) or getattr(kind, "__dataclass_fields__", ()))


def _members(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    hidden = ("_", "model_")  # what begins so is private, or pydantic's
    for name, member in vars(kind).items():
        if isinstance(member, types.FunctionType | classmethod | staticmethod | property) and not name.startswith(
            hidden
        ):
            yield name, member


def _written(member: Any, name: str) -> str:
    if isinstance(member, property):
        return name
    function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    return " ".join(signature(function, name).split())


def _constant(module: types.ModuleType, name: str) -> str:
    """What stands under the constant where it is defined."""
    home, doc = _defined(module, name)
    value = getattr(home, name)
    if not doc:
        msg = f"{home.__name__}.{name} has no docstring"
        raise LookupError(msg)
    shown = f"`{value!r}`. " if isinstance(value, int | str | tuple) else ""
    return shown + markdown(doc)


def _defined(module: types.ModuleType, name: str) -> tuple[types.ModuleType, str]:
    tree = ast.parse(inspect.getsource(module))
    for statement, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            said = following.value if isinstance(following, ast.Expr) else None
            return module, said.value if isinstance(said, ast.Constant) and isinstance(said.value, str) else ""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom) and any(imported.name == name for imported in statement.names):
            package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
            return _defined(importlib.import_module(f"{'.' * statement.level}{statement.module}", package), name)
    msg = f"{module.__name__}.{name} is defined nowhere"
    raise LookupError(msg)
