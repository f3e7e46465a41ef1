"""What the public may import is exactly what is listed, all of it documented; and the schema is the models'."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import types
from importlib import metadata, resources

import pytest
from hypothesis import given
from strategies import records

import hermes_hints
from hermes_hints.carriers import body_object
from hermes_hints.schema import FILE, schema
from hermes_hints.wire import VERSION, WIRE_FIELDS, Record

MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(hermes_hints.__path__, "hermes_hints.")
    if not found.name.endswith("__main__")
)
NOT_OURS = {"Any", "TYPE_CHECKING", "annotations"}


def test_the_public_surface_is_what_is_listed():
    """Also where names are made only when they are asked for."""
    surface = {
        name
        for name in dir(hermes_hints)
        if not name.startswith("_")
        and name not in NOT_OURS
        and not isinstance(getattr(hermes_hints, name), types.ModuleType)
    }
    assert surface | {"receive"} == set(hermes_hints.__all__)
    assert len(hermes_hints.__all__) == len(set(hermes_hints.__all__))


def test_type_checkers_see_the_same_surface():
    """What stands under ``if TYPE_CHECKING`` is what a name really gives."""
    tree = ast.parse(inspect.getsource(hermes_hints))
    seen = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            seen.update({name.name: node.module for name in node.names})
    assert seen.keys() == set(hermes_hints.__all__)
    for name, home in seen.items():
        module = importlib.import_module(f"hermes_hints.{home or name}")
        assert getattr(hermes_hints, name) is (getattr(module, name) if home else module)


def test_the_names_of_the_contract_are_there():
    assert set(hermes_hints.__all__) >= {
        *("Call", "ConfigError", "Hints", "Identity", "Record", "Settings", "calling", "hint", "hookimpl", "hookspec"),
        *("identify", "install", "loaded_plugins", "receive", "register", "uninstall", "unregister", "unwrap", "wrap"),
    }
    assert callable(hermes_hints.receive.read)


def test_star_import_gives_the_public_surface():
    names = {}
    exec("from hermes_hints import *", names)  # noqa: S102 - what a user may write
    assert set(hermes_hints.__all__) == names.keys() - {"__builtins__"}


def test_the_version_is_that_of_the_distribution():
    try:
        version = metadata.version("hermes-hints")
    except metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert hermes_hints.__version__ == version


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        hermes_hints.nonsense  # noqa: B018 - the access is the test


@pytest.mark.parametrize("name", MODULES)
def test_every_module_lists_what_it_offers_and_documents_it(name):
    module = importlib.import_module(name)
    assert module.__doc__
    offered = module.__all__
    defined = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
        and value.__name__ == key
    }
    assert defined <= set(offered)
    for key in offered:
        value = getattr(module, key)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{name}.{key} has no docstring"
        if inspect.isclass(value) and value.__module__ == name:
            for member, function in vars(value).items():
                if not member.startswith("_") and isinstance(
                    function, types.FunctionType | classmethod | staticmethod | property
                ):
                    assert inspect.getdoc(getattr(value, member)), f"{name}.{key}.{member} has no docstring"


def of_the_models():
    """The schema as the models have it, without what pydantic adds: a default of null would say that null may be sent."""
    drawn = Record.model_json_schema()["properties"]
    fields = {
        name: {key: value for key, value in drawn[name].items() if key not in ("title", "default")}
        for name in WIRE_FIELDS
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The object `hermes` of an LLM request, version {VERSION}",
        "description": "Who asks, where and in which conversation, and how the request is wished to be served: the caller's "
        "claim, not a fact. A field that has no value is absent, never null.",
        "type": "object",
        "properties": {"v": {"const": VERSION}, **fields},
        "required": ["v"],
    }


def test_the_published_schema_is_that_of_the_models(tmp_path):
    published = resources.files("hermes_hints.schema").joinpath(FILE).read_text(encoding="utf-8")
    anew = tmp_path / FILE
    anew.write_text(json.dumps(of_the_models(), indent=2) + "\n", "utf-8")
    assert published == anew.read_text("utf-8"), f"{anew} is what the models have now; the published one is another"
    assert f"hermes-hints-{VERSION}.schema.json" == FILE
    assert schema() == of_the_models()


def test_the_schema_has_every_field_of_the_contract():
    assert list(schema()["properties"]) == ["v", *WIRE_FIELDS]
    assert "null" not in json.dumps({key: value for key, value in schema().items() if key != "description"})


KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
CHECKS = {
    "$schema": lambda value, rule: True,
    "title": lambda value, rule: True,
    "description": lambda value, rule: True,
    "const": lambda value, rule: value == rule,
    "enum": lambda value, rule: value in rule,
    "minLength": lambda value, rule: len(value) >= rule,
    "maxLength": lambda value, rule: len(value) <= rule,
    "maxItems": lambda value, rule: len(value) <= rule,
    "maxProperties": lambda value, rule: len(value) <= rule,
    "minimum": lambda value, rule: value >= rule,
    "maximum": lambda value, rule: value <= rule,
    "pattern": lambda value, rule: re.search(rule, value) is not None,
    "required": lambda value, rule: all(key in value for key in rule),
    "items": lambda value, rule: all(fits(item, rule) for item in value),
    "propertyNames": lambda value, rule: all(fits(key, rule) for key in value),
    "additionalProperties": lambda value, rule: all(fits(item, rule) for item in value.values()),
    "properties": lambda value, rule: all(fits(value[key], rule[key]) for key in value.keys() & rule.keys()),
}
"""The keywords of JSON Schema that ours uses; another one is a KeyError."""


def is_a(value, kind):
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def fits(value, rules):
    kinds = rules.get("type", list(KINDS))
    if not any(is_a(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    return all(CHECKS[keyword](value, rule) for keyword, rule in rules.items() if keyword != "type")


def fits_the_schema(value):
    return fits(json.loads(json.dumps(value)), schema())


@given(records)
def test_what_is_sent_is_what_the_schema_says(record):
    assert fits_the_schema(body_object(record))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"v": 2},
        {"v": 1, "user_id": None},
        {"v": 1, "user_id": ""},
        {"v": 1, "user_id": 5},
        {"v": 1, "user_id": "x" * 513},
        {"v": 1, "call": 0},
        {"v": 1, "call": True},
        {"v": 1, "priority": "urgent"},
        {"v": 1, "labels": "a,b"},
        {"v": 1, "labels": ["x"] * 33},
        {"v": 1, "ext": {"no-dot": 1}},
        {"v": 1, "ext": {"a.b": [1]}},
        {"v": 1, "ext": {"a." + "b" * 52: 1}},
    ],
    ids=range(14),
)
def test_what_is_never_sent_is_not_what_the_schema_says(wrong):
    assert not fits_the_schema(wrong)
