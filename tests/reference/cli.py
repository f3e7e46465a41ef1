"""docs/reference/cli.md."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from hermes_hints import Identity
from hermes_hints.cli import add_commands

from .docstrings import field_docs, table


def page() -> str:
    parser = argparse.ArgumentParser(prog="hermes-hints")
    add_commands(parser)
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    said = {choice.dest: choice.help or "" for choice in commands._choices_actions}
    parts = [_section(name, said[name], command) for name, command in commands.choices.items()]
    status = next(command.epilog for command in commands.choices.values())
    return f"""# Command line

`hermes-hints …`, and `hermes hints …` inside Hermes. What each is for, with what it prints, is in
[the guide](../cli.md).

{(status or "").capitalize()}.

{chr(10).join(parts)}"""


def _section(name: str, summary: str, parser: argparse.ArgumentParser) -> str:
    rows = [(_written(action), _what(action)) for action in _arguments(parser)]
    return f"## {name}\n\n{summary[0].upper() + summary[1:]}.\n\n{table(('argument', 'what'), rows)}\n"


def _arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Those that take a place first."""
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    yield from sorted(actions, key=lambda action: bool(action.option_strings))


def _written(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or 'NAME'}"
    return ", ".join(f"`{flag}{value}`" for flag in action.option_strings) or f"`{action.metavar}`"


def _what(action: argparse.Action) -> str:
    told = action.help or field_docs(Identity)[action.dest.removeprefix("hints_identity_")]
    choices = ", ".join(f"`{choice}`" for choice in action.choices or ())
    return "; ".join(part for part in (told, choices and f"one of {choices}") if part)
