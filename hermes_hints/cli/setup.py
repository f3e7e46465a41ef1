"""``setup``: the settings for one model endpoint, shown, or written when told to."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..endpoints import Endpoint, parse_endpoint
from ..errors import ConfigError
from ..hermes.configuration import PLACE, PLUGIN, admission, load_settings
from ..plugins import registry
from ..policy import Policy
from ..privacy import Privacy
from ..profiles import find_profile
from .output import OK, PROBLEMS, say, say_json
from .recognition import misfit, recognise, suggested
from .remedies import match_of, rule
from .surroundings import Surroundings, configuration_file, parsed
from .targets import find_targets

__all__ = ["Proposal", "run", "with_first_entry"]

_PATH = (*PLACE.split("."), "endpoints")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What ``setup --json`` prints."""

    url: str
    recognised: str | None
    profile: str
    privacy: Privacy
    needed: bool
    """Whether the settings do not say the same already."""
    block: str
    """YAML to be pasted into the configuration."""
    written: str | None
    """The file that it was written into."""
    copy: str | None
    """The copy of what that file was."""
    problem: str | None
    """Why it was not written although that was asked."""
    next_step: str | None


def run(args: argparse.Namespace, surroundings: Surroundings, _heard: list[str]) -> int:
    """Propose, and write where told: 1 where that could not be done.

    Raises:
        ConfigError: the settings that are there do not load, or there is no endpoint to propose for.
    """
    settings = surroundings.settings()
    surroundings.load_plugins(settings)
    if args.hints_write and args.hints_settings is not None:
        msg = "--write: puts settings into the configuration; it does not go with --settings"
        raise ConfigError(msg)
    endpoint = _asked(args.hints_base_url, surroundings, quiet=args.hints_json)
    kind = None
    if not args.hints_no_probe and endpoint.reach != "public":
        kind = recognise(endpoint).kind
    known = {**settings.known_profiles(), **registry.profiles}
    profile, privacy = suggested(endpoint, kind)
    if args.hints_profile is not None:
        profile = find_profile(args.hints_profile, key="--endpoint-profile", known=known).name
    privacy = args.hints_privacy or privacy
    entry = rule(match_of(endpoint), profile, privacy)
    decision = Policy(settings, plugins=lambda: registry.profiles).decide(endpoint)
    needed = not (decision.chosen and (decision.profile.name, decision.privacy) == (profile, privacy))
    written = copy = problem = None
    if args.hints_write and needed:
        file = surroundings.file or configuration_file()
        try:
            copy = _write(file, endpoint, entry, profile)
            written = str(file)
        except (ConfigError, OSError) as error:
            problem = f"{file}: {error}"
    proposal = Proposal(
        endpoint.origin + endpoint.path,
        kind,
        profile,
        privacy,
        needed,
        "\n".join(_block(_PATH, entry)),
        written,
        copy,
        problem,
        _next_step(surroundings),
    )
    if args.hints_json:
        say_json(proposal)
    else:
        say(_lines(proposal, misfit(known[profile], kind)))
    return OK if problem is None else PROBLEMS


def _asked(base_url: str | None, surroundings: Surroundings, *, quiet: bool) -> Endpoint:
    if base_url is None:
        targets, _ = find_targets(surroundings.configuration or {})
        default = targets[0].shown if targets else ""
        shown = f" [{default}]" if default else ""
        with contextlib.redirect_stdout(sys.stderr) if quiet else contextlib.nullcontext():
            try:
                base_url = input(f"Base URL of the model endpoint{shown}: ").strip() or default
            except EOFError:
                base_url = ""
    endpoint = parse_endpoint(base_url)
    if endpoint.scheme not in ("http", "https") or not endpoint.host:
        msg = f"--base-url: {base_url!r} is no URL of an endpoint; write one such as http://127.0.0.1:4000/v1"
        raise ConfigError(msg)
    return endpoint


def _write(file: Path, endpoint: Endpoint, entry: str, profile: str) -> str | None:
    """Put the entry into the file, in one step, and keep a copy of what it was: where that is.

    Raises:
        ConfigError: no line can be put into the file, or the settings would not say what they should.
        OSError: the file or its directory cannot be read or written.
    """
    real = file.resolve()
    before = real.read_bytes().decode("utf-8") if real.exists() else ""
    after = with_first_entry(before, _PATH, entry)
    _check(after, real, endpoint, profile)
    copy = None
    if real.exists():
        copy = real.with_name(f"{real.name}.{time.strftime('%Y%m%d-%H%M%S')}.{secrets.token_hex(2)}.bak")
        _copied(real, copy)
    fresh = real.with_name(f".{real.name}.{secrets.token_hex(4)}")
    try:
        if copy is not None:
            _copied(real, fresh)
        else:
            fresh.touch(mode=0o600, exist_ok=False)
        fresh.write_bytes(after.encode())
        fresh.replace(real)
    finally:
        fresh.unlink(missing_ok=True)
    return None if copy is None else str(copy)


def _copied(source: Path, target: Path) -> None:
    """A copy with the same content, mode and owner, which nobody else could read at any time."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        shutil.copyfile(source, target)
        is_, should = target.stat(), source.stat()
        if os.name == "posix" and (is_.st_uid, is_.st_gid) != (should.st_uid, should.st_gid):
            os.chown(target, should.st_uid, should.st_gid)
        shutil.copymode(source, target)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _check(text: str, file: Path, endpoint: Endpoint, profile: str) -> None:
    decision = Policy(load_settings(parsed(text, file))).decide(endpoint)
    if decision.profile.name != profile:
        msg = f"with the entry the endpoint would have the profile {decision.profile.name}; is it covered twice?"
        raise ConfigError(msg)


def _next_step(surroundings: Surroundings) -> str | None:
    if (
        surroundings.in_host
        or surroundings.configuration is None
        or admission(surroundings.configuration)(PLUGIN) is None
    ):
        return None
    return f"hermes plugins enable {PLUGIN}"


def _lines(proposal: Proposal, warning: str | None) -> list[str]:
    known = f", which is {proposal.recognised}" if proposal.recognised else ""
    lines = [f"{proposal.url}{known}: profile {proposal.profile}, privacy {proposal.privacy}"]
    if warning is not None:
        lines.append(f"mind: {warning}")
    if not proposal.needed:
        lines.append("the settings say so already")
    elif proposal.written is not None:
        lines.append(
            f"written into {proposal.written}; what it was is in {proposal.copy}"
            if proposal.copy
            else f"written into {proposal.written}"
        )
    else:
        if proposal.problem is not None:
            lines.append(f"not written: {proposal.problem}")
        lines += ["in config.yaml (an entry goes before those that are there):", "", *proposal.block.splitlines(), ""]
        if proposal.problem is None:
            lines.append("to write it: the same with --write")
    if proposal.next_step is not None:
        lines.append(f"then: {proposal.next_step}")
    return lines


_STEP = 2
_EMPTY = re.compile(r"(?P<key>[^#]*?:)[ \t]*(?:\{[ \t]*\}|\[[ \t]*\]|null|~)?(?P<rest>[ \t]*(?:#.*)?)")


class _UnsuitableError(Exception):
    """There is no place for a line."""


def _block(path: Sequence[str], entry: str, column: int = 0) -> list[str]:
    """The list at ``path`` with ``entry`` as its only one, as lines of YAML that start at ``column``."""
    lines = [" " * (column + _STEP * depth) + f"{key}:" for depth, key in enumerate(path)]
    return [*lines, " " * (column + _STEP * len(path)) + "- " + entry]


def with_first_entry(text: str, path: Sequence[str], entry: str) -> str:
    """``text``, a YAML file, with ``entry`` as the first one of the list at ``path``; missing keys are added.

    Lines are only added, but for an empty ``{}``, ``[]`` or ``null`` on the way. What comes out is read back.

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
    lines[line + 1 : line + 1] = [added + newline for added in _block(missing, entry, column)]


def _block_style(node: object, kind: type[Any]) -> Any:
    """``node``, where it is a mapping or list that is written line by line."""
    if not isinstance(node, kind) or cast("Any", node).fa.flow_style():
        raise _UnsuitableError
    return node


def _before_first(lines: list[str], node: Any, entry: str, newline: str) -> None:
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
