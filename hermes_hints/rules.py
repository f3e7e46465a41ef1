"""Rules: which model serves a request, by what the request says of itself.

A rule file is YAML (needs PyYAML, which the extra ``dispatcher`` brings)::

    default: local-small
    rules:
      - match: {user_intent: force-cloud}
        model: cloud-large

docs/dispatcher.md has all that it may hold, and how values are compared.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, get_args

import yaml

from .carriers import text_of
from .errors import ConfigError
from .hints import Priority
from .values import EXT_KEY, unknown_name
from .wire import WIRE_FIELDS, Record

__all__ = ["Choice", "Condition", "Pattern", "Presence", "Rule", "Rules", "load_rules", "parse_rules"]

_DEFAULT = "default"
_EXT = "ext."
_FIELDS = frozenset({*WIRE_FIELDS, "model", "api"} - {"ext"})
_VOCABULARY: Mapping[str, tuple[str, ...]] = {
    "priority": get_args(Priority),
    "api": ("chat.completions", "completions", "responses", "embeddings", "messages"),
}
"""Fields with few possible values: a pattern that none of them matches is a mistake."""

_KEYS = {
    "name": "what logs call it",
    "match": "fields and values",
    "model": "the model to serve",
    "reject": "what the caller is told",
    "tags": "a list of texts",
    "priority": "a whole number",
}
"""Of a rule."""

_LAST = 255
"""The highest number of LiteLLM's request priorities (docs.litellm.ai/docs/scheduler)."""

_STAR = re.compile(r"(?<!\\)\*")
_NEEDS_QUOTES = "put text into quotes that begins with one of @ ` * & ! # % [ { or that contains ': ' or ' #'"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Matches text: ``parts`` are what stands between the stars, a single one means exactly that text."""

    written: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, written: str) -> Pattern:
        """Compile a pattern as it is written in a rule file."""
        return cls(written, tuple(part.replace("\\*", "*") for part in _STAR.split(_normal(written))))

    def matches(self, text: str) -> bool:
        """Whether ``text`` (in normal form C) matches; takes time linear in its length for any pattern."""
        first, *inner = self.parts
        if not inner:
            return text == first
        last = inner.pop()
        at, end = len(first), len(text) - len(last)
        if at > end or not text.startswith(first) or not text.endswith(last):
            return False
        for part in inner:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    def holds(self, values: tuple[str, ...]) -> bool:
        """Whether any of a field's values matches."""
        return any(self.matches(value) for value in values)

    def __str__(self) -> str:
        return repr(self.written)


@dataclass(frozen=True, slots=True)
class Presence:
    """Matches any value at all (``present``), or an absent field."""

    present: bool

    def holds(self, values: tuple[str, ...]) -> bool:
        """Whether the field has a value, or has none."""
        return bool(values) is self.present

    def __str__(self) -> str:
        return "present" if self.present else "absent"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of ``match``: a field and what it may be."""

    field: str
    tests: tuple[Pattern | Presence, ...]

    def holds(self, values: tuple[str, ...]) -> bool:
        """Whether the field's values satisfy any of the tests."""
        return any(test.holds(values) for test in self.tests)

    def __str__(self) -> str:
        return f"{self.field} is {' or '.join(map(str, self.tests))}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that serves a request, the name of the rule that chose it (``default``: none did), and why.

    ``reject`` is what the caller is told where the rule refuses the request: then no model serves it. ``tags`` and
    ``priority`` are for receivers that know them, as LiteLLM does.
    """

    model: str
    rule_name: str
    reason: str
    reject: str | None = None
    tags: tuple[str, ...] = ()
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what is done when all conditions hold. Without ``model``, the one serves that would without the rule."""

    name: str
    match: tuple[Condition, ...]
    model: str | None = None
    reject: str | None = None
    tags: tuple[str, ...] = ()
    priority: int | None = None

    @property
    def outcome(self) -> str:
        """What is done, in a few words."""
        if self.reject is not None:
            return f"refused: {self.reject}"
        return self.model or "the model that serves without it"

    def __str__(self) -> str:
        return "; ".join(map(str, self.match))


@dataclass(frozen=True, slots=True)
class Rules:
    """A rule file, compiled. Without ``default``, the model asked for serves where no rule chooses one."""

    default: str | None
    rules: tuple[Rule, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that can be chosen, each once, the default first."""
        chosen = (self.default, *(rule.model for rule in self.rules))
        return tuple(dict.fromkeys(model for model in chosen if model is not None))

    def choose(self, record: Record, *, model: str | None, api: str | None) -> Choice:
        """Choose the model for a request: the first rule that matches, else the default. Pure.

        Args:
            record: what the request says of itself, as `hermes_hints.receive.read` returns it.
            model: the model asked for.
            api: ``chat.completions``, ``responses``, ``completions``, ``embeddings`` or ``messages``.

        The reason is made of the rule's own words; it repeats nothing of the request.
        """
        facts = _facts(record, model, api)
        otherwise = self.default or model or ""
        for rule in self.rules:
            if all(condition.holds(facts.get(condition.field, ())) for condition in rule.match):
                chosen = rule.model or otherwise
                return Choice(chosen, rule.name, str(rule), rule.reject, rule.tags, rule.priority)
        return Choice(otherwise, _DEFAULT, "no rule matched")


def load_rules(path: str | os.PathLike[str], *, needs_default: bool = True) -> Rules:
    """Read a rule file (UTF-8).

    Args:
        path: the file.
        needs_default: whether ``default`` must be there; without it, the model asked for serves.

    Raises:
        ConfigError: the file cannot be read, or says something wrong: with its name, the line, the key, the value
            and what to write instead.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"the rule file {os.fspath(path)!r} cannot be read ({error.strerror}); name a YAML file that can"
        raise ConfigError(msg) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        msg = f"{os.fspath(path)}, line {line}: byte {byte:#x} is not UTF-8; save the file as UTF-8"
        raise ConfigError(msg) from None
    return parse_rules(text, os.fspath(path), needs_default=needs_default)


def parse_rules(text: str, source: str = "rules", *, needs_default: bool = True) -> Rules:
    """Read the text of a rule file; ``source`` is what errors call it, ``needs_default`` as for `load_rules`.

    Raises:
        ConfigError: as `load_rules`.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        found = text.splitlines()[line : line + 1]
        shown = f" in {found[0].strip()[:80]!r}" if found else ""
        msg = f"{source}, line {line + 1}: this is not YAML: {error.problem or error.context}{shown}; {_NEEDS_QUOTES}"
        raise ConfigError(msg) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        msg = f"{source}, line {line}: the character {chr(error.character)!r} is not allowed in YAML; remove it"
        raise ConfigError(msg) from None
    except RecursionError:
        msg = f"{source}, line 1: is nested far too deeply; a rule file needs four levels"
        raise ConfigError(msg) from None
    if root is None:
        least = "default: <model>" if needs_default else "rules: []"
        msg = f"{source}, line 1: is empty; it needs at least {least!r}"
        raise ConfigError(msg)
    return _Reader(source).rules(root, needs_default=needs_default)


class _Reader:
    """Walks the YAML nodes, which know their lines."""

    def __init__(self, source: str) -> None:
        self._source = source

    def rules(self, root: yaml.Node, *, needs_default: bool) -> Rules:
        what = "the rule file"
        given = self._mapping(root, what, {"default": "the model where no rule matches", "rules": "a list of rules"})
        if "default" not in given and needs_default:
            self._fail(root, "'default' is missing; add 'default: <model>', the model where no rule matches")
        default = self._text(given["default"], "default") if "default" in given else None
        listed = given.get("rules")
        if listed is None:
            return Rules(default)
        if not isinstance(listed, yaml.SequenceNode):
            self._fail(listed, f"rules is {_shown(listed)}; write a list, each rule beginning with '- ' ([] for none)")
        names: dict[str, int] = {_DEFAULT: 0}
        rules = tuple(self._rule(node, number, names) for number, node in enumerate(listed.value, 1))
        return Rules(default, rules)

    def _rule(self, node: yaml.Node, number: int, names: dict[str, int]) -> Rule:
        what = f"rule {number}"
        given = self._mapping(node, what, _KEYS)
        if "match" not in given:
            self._fail(node, f"{what} has no 'match'; add 'match: …' ({_KEYS['match']})")
        if not given.keys() - {"name", "match"}:
            self._fail(
                node, f"{what} has no 'model'; add 'model: …' ({_KEYS['model']}), or 'reject', 'tags', 'priority'"
            )
        if "reject" in given and (more := given.keys() & {"model", "tags", "priority"}):
            self._fail(given["reject"], f"{what} rejects, so {min(more)!r} has no effect; keep one of the two")
        name = self._text(given["name"], f"{what}: name") if "name" in given else what
        if name in names:
            before = f"line {names[name]}" if names[name] else "the default, whose name it is"
            self._fail(given.get("name", node), f"{what}: name {name!r} is taken by {before}; choose another")
        names[name] = _line(node)
        match = self._mapping(given["match"], f"{what}: match", None)
        if not match:
            self._fail(given["match"], f"{what}: match is empty; name a field, or use 'default' for what always holds")
        conditions = tuple(self._condition(field, value, what) for field, value in match.items())
        model, reject = (
            self._text(given[key], f"{what}: {key}") if key in given else None for key in ("model", "reject")
        )
        tags = self._tags(given["tags"], f"{what}: tags") if "tags" in given else ()
        priority = self._priority(given["priority"], f"{what}: priority") if "priority" in given else None
        return Rule(name, conditions, model, reject, tags, priority)

    def _tags(self, node: yaml.Node, where: str) -> tuple[str, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._fail(node, f"{where} is {_shown(node)}; write a list of texts, such as [eu, background]")
        return tuple(self._text(item, where) for item in node.value)

    def _priority(self, node: yaml.Node, where: str) -> int:
        written = _shown(node)
        if node.tag != _tag("int") or not re.fullmatch("[0-9]{1,3}", node.value) or int(node.value) > _LAST:
            self._fail(node, f"{where} is {written}; write a whole number from 0 (served first) to {_LAST}")
        return int(node.value)

    def _condition(self, field: str, node: yaml.Node, what: str) -> Condition:
        where = f"{what}: match: {field}"
        if not isinstance(node, yaml.SequenceNode):
            return Condition(field, (self._test(field, node, where),))
        if not node.value:
            self._fail(node, f"{where} is an empty list, which never matches; list values, or leave the key out")
        return Condition(field, tuple(self._test(field, item, where) for item in node.value))

    def _test(self, field: str, node: yaml.Node, where: str) -> Pattern | Presence:
        if isinstance(node, yaml.MappingNode):
            given = self._mapping(node, where, {"present": "true or false"})
            value = given.get("present")
            if value is None or value.tag != _tag("bool") or value.value not in {"true", "false"}:
                shown = "{}" if value is None else _shown(value)
                self._fail(node, f"{where}: present is {shown}; write {{present: true}} or {{present: false}}")
            return Presence(value.value == "true")
        written = self._scalar(node, where, "write {present: false} for an absent field")
        if node.tag == _tag("bool") and written not in {"true", "false"}:
            self._fail(node, f"{where} is {written}; write true or false, or put it into quotes if it is text")
        pattern = Pattern.of(written)
        known = _VOCABULARY.get(field)
        if known is not None and not any(map(pattern.matches, known)):
            self._fail(node, f"{where} is {written!r}, which never matches; it is one of {', '.join(known)}")
        if field == "call" and len(pattern.parts) == 1 and re.fullmatch("[1-9][0-9]*", written) is None:
            self._fail(node, f"{where} is {written!r}, which never matches; it is a whole number from 1")
        return pattern

    def _text(self, node: yaml.Node, where: str) -> str:
        written = self._scalar(node, where, "write a text")
        if node.tag != _tag("str"):
            self._fail(node, f"{where} is {written}, which YAML does not read as text; put it into quotes")
        return written

    def _scalar(self, node: yaml.Node, where: str, remedy: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, f"{where} is {_shown(node)}; write a text")
        if not node.tag.startswith(_tag("")):
            self._fail(node, f"{where}: YAML takes {node.tag!r} for a tag of its own; put the text into quotes")
        written = str(node.value)
        if not written.strip() or node.tag == _tag("null"):
            self._fail(node, f"{where} is {written.strip() or 'empty'}; {remedy} ({_NEEDS_QUOTES})")
        return written

    def _mapping(self, node: yaml.Node, where: str, known: Mapping[str, str] | None) -> dict[str, yaml.Node]:
        """Return the node's entries; ``known`` are the keys it may have, ``None`` stands for the fields of a request."""
        if not isinstance(node, yaml.MappingNode):
            keys = "fields and values" if known is None else ", ".join(f"{key} ({what})" for key, what in known.items())
            self._fail(node, f"{where} is {_shown(node)}; it must be a mapping of {keys}")
        entries: dict[str, yaml.Node] = {}
        lines: dict[str, int] = {}
        for key_node, value in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else _shown(key_node)
            if key in entries:
                self._fail(key_node, f"{where}: {key} is given twice, first on line {lines[key]}; keep one of the two")
            if not (key in known if known is not None else self._is_field(key_node, key, where)):
                problem = unknown_name(where, key, known if known is not None else _FIELDS)
                self._fail(key_node, f"{problem} (given {_shown(value)})")
            entries[key] = value
            lines[key] = _line(key_node)
        return entries

    def _is_field(self, node: yaml.Node, key: str, where: str) -> bool:
        if key != "ext" and not key.startswith(_EXT):
            return key in _FIELDS
        if EXT_KEY.fullmatch(key.removeprefix(_EXT)) is None:
            self._fail(node, f"{where}: {key!r} is no extension field; write ext.<vendor.key>, such as ext.acme.region")
        return True

    def _fail(self, node: yaml.Node, problem: str) -> NoReturn:
        msg = f"{self._source}, line {_line(node)}: {problem}"
        raise ConfigError(msg)


def _facts(record: Record, model: str | None, api: str | None) -> dict[str, tuple[str, ...]]:
    facts: dict[str, tuple[str, ...]] = {}
    for field, value in record.fields().items():
        if field == "ext":
            facts.update((_EXT + key, (_normal(text_of(item)),)) for key, item in value.items())
        else:
            facts[field] = tuple(map(_normal, value)) if field == "labels" else (_normal(text_of(value)),)
    if model:
        facts["model"] = (_normal(model),)
    if api:
        facts["api"] = (api,)
    return facts


def _tag(name: str) -> str:
    return f"tag:yaml.org,2002:{name}"


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, yaml.MappingNode) else repr(str(node.value)[:80])


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
