"""The operator's command line: ``hermes-hints …``, and ``hermes hints …`` inside Hermes; one parser for both.

Exit status: 0 all is well; 1 there is something to mend; 2 the command line or the configuration is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from ..errors import ConfigError
from ..identity import Identity
from ..privacy import Privacy
from .output import PROFILE_FLAGS, WRONG, heard, own_version
from .surroundings import Surroundings
from .targets import APIS

__all__ = ["add_commands", "main", "run", "run_in_host"]

_EPILOG = "exit status: 0 all is well; 1 there is something to mend; 2 the command line or the configuration is wrong"


def main(argv: Sequence[str] | None = None) -> int:
    """What the console script ``hermes-hints`` runs: the exit status."""
    parser = argparse.ArgumentParser(
        prog="hermes-hints",
        description="What hermes-hints sends, to whom and why; and what to mend.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"hermes-hints {own_version()}")
    add_commands(parser)
    return run(parser.parse_args(argv), in_host=False)


def run_in_host(args: argparse.Namespace) -> None:
    """What ``hermes hints …`` runs. Raises SystemExit: not every host passes on what a handler returns."""
    status = run(args, in_host=True)
    if status:
        raise SystemExit(status)


def run(args: argparse.Namespace, *, in_host: bool) -> int:
    """Run the command that was parsed and print what it says: the exit status."""
    from . import doctor, explain, listing, setup
    from .surroundings import find_surroundings

    commands = {
        "doctor": doctor.run,
        "explain": explain.run,
        "list": listing.run,
        "setup": setup.run,
        "inspect": _inspect,
    }
    try:
        if args.hints_command == "new":
            return _new(args)
        with heard() as lines:
            surroundings = find_surroundings(args.hints_config, args.hints_settings, in_host=in_host)
            status = commands[args.hints_command](args, surroundings, lines)
            sys.stdout.flush()
    except ConfigError as error:
        print(f"hermes-hints: {error}", file=sys.stderr)  # noqa: T201 - a command line prints
        return WRONG
    except BrokenPipeError:
        # Who read the output has gone; Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    return status


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands to ``parser``: the console script's own, or the one that Hermes hands out."""
    # The names of the arguments start with hints_, because Hermes keeps its own in the same namespace.
    commands = parser.add_subparsers(dest="hints_command", metavar="command", required=True)
    _add_doctor(commands)
    _add_explain(commands)
    _command(commands, "list", "hint plugins: from where, in which state, and what went wrong")
    _add_setup(commands)
    _add_inspect(commands)
    _add_new(commands)


def _command(commands: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=_EPILOG
    )
    parser.add_argument("--json", action="store_true", dest="hints_json", help="for programs")
    source = "Hermes' configuration; default: $HERMES_HOME/config.yaml, if there is one"
    parser.add_argument("--config", metavar="FILE", dest="hints_config", help=source)
    settings = "a file with the settings of hermes-hints alone; default: those in the configuration"
    parser.add_argument("--settings", metavar="FILE", dest="hints_settings", help=settings)
    return parser


def _add_doctor(commands: Any) -> None:
    parser = _command(commands, "doctor", "check the host, the settings, every model endpoint and every hint plugin")
    asking = parser.add_mutually_exclusive_group()
    keys = "ask endpoints what they are with the API keys that the configuration has for them; default: without"
    asking.add_argument("--probe", action="store_const", const="keys", dest="hints_probe", help=keys)
    asking.add_argument("--no-probe", action="store_const", const="off", dest="hints_probe", help="ask no endpoint")
    parser.set_defaults(hints_probe="bare")


def _add_explain(commands: Any) -> None:
    parser = _command(commands, "explain", "show what one request would carry to an endpoint: from where, and why")
    parser.add_argument("--base-url", metavar="URL", dest="hints_base_url", help="default: that of the main model")
    who = parser.add_argument_group("who is asking")
    for field in Identity.model_fields:
        flag = PROFILE_FLAGS.get(field, "--" + field.replace("_", "-"))
        who.add_argument(flag, metavar="TEXT", dest=f"hints_identity_{field}")
    what = parser.add_argument_group("the request")
    what.add_argument("--purpose", metavar="TEXT", dest="hints_purpose", help="what the call is for")
    what.add_argument("--model", metavar="NAME", dest="hints_model", help="the model that is asked for")
    what.add_argument("--message", metavar="TEXT", dest="hints_message", help="what the user wrote, for hint plugins")
    api = "default: what the configuration has for the endpoint, else chat.completions"
    what.add_argument("--api", choices=list(APIS), dest="hints_api", help=api)
    what.add_argument("--stream", action="store_true", dest="hints_stream", help="the answer is to be streamed")
    body = "a file with the rest of the JSON body, as the caller would send it; - for standard input"
    what.add_argument("--request", metavar="FILE", dest="hints_request", help=body)
    line = "a header of the caller's own; may be repeated"
    what.add_argument("--header", metavar="NAME=VALUE", action="append", default=[], dest="hints_headers", help=line)
    hint = "a hint, as from `with hint(…)` or /hint; a key with a dot goes into ext; may be repeated"
    what.add_argument("--hint", metavar="KEY=VALUE", action="append", default=[], dest="hints_hints", help=hint)
    _add_choice(parser, "as if the program had named it")


def _add_setup(commands: Any) -> None:
    parser = _command(commands, "setup", "propose the settings for a model endpoint")
    parser.add_argument("--base-url", metavar="URL", dest="hints_base_url", help="default: you are asked")
    write = "put them into the configuration, beside a copy of what it was; default: only show them"
    parser.add_argument("--write", action="store_true", dest="hints_write", help=write)
    parser.add_argument(
        "--no-probe", action="store_true", dest="hints_no_probe", help="do not ask the endpoint what it is"
    )
    _add_choice(parser, "default: by what the endpoint is")


def _add_inspect(commands: Any) -> None:
    parser = _command(commands, "inspect", "pass calls on to a model endpoint, and show what each of them carries")
    upstream = "the base URL of the real endpoint; give your client the one that is printed in its place"
    parser.add_argument("--upstream", metavar="URL", required=True, dest="hints_upstream", help=upstream)
    parser.add_argument("--host", default="127.0.0.1", dest="hints_host", help="a loopback address (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8400, dest="hints_port", help="for calls; 0 is any free one (%(default)s)"
    )
    parser.add_argument(
        "--page-port", type=int, default=8401, dest="hints_page_port", help="for the web page, likewise (%(default)s)"
    )
    parser.add_argument("--no-page", action="store_true", dest="hints_no_page", help="no web page")
    keep = "how many calls are held in memory (%(default)s)"
    parser.add_argument("--keep", type=int, metavar="N", default=500, dest="hints_keep", help=keep)
    record = "append every call to FILE, one JSON object a line; never messages or keys; default: nothing is stored"
    parser.add_argument("--record", metavar="FILE", dest="hints_record", help=record)


def _add_new(commands: Any) -> None:
    summary = "write a new hint plugin: a hook, a manifest, tests that pass, a README"
    parser = commands.add_parser(
        "new", help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=_EPILOG
    )
    parser.add_argument("hints_name", metavar="NAME", help="lower-case words joined by dashes, such as ops-first")
    package = "write a package for pip; default: a folder to be put into $HERMES_HOME/hints"
    parser.add_argument("--package", action="store_true", dest="hints_package", help=package)
    where = "in which the plugin gets a folder of its own; default: where you are"
    parser.add_argument("--directory", metavar="DIR", type=Path, default=Path(), dest="hints_directory", help=where)


def _add_choice(parser: argparse.ArgumentParser, default: str) -> None:
    profile = f"how to write to the endpoint; {default}. (Inside hermes only the longer name, --profile is its own.)"
    parser.add_argument("--endpoint-profile", "--profile", metavar="NAME", dest="hints_profile", help=profile)
    privacy = "what may be said of who and where"
    parser.add_argument("--privacy", choices=get_args(Privacy), dest="hints_privacy", help=privacy)


def _inspect(args: argparse.Namespace, surroundings: Surroundings, _heard: list[str]) -> int:
    """Pass calls on and show them, until a signal ends it.

    Raises:
        ConfigError: the settings do not load, an argument has a value that cannot be, or what it needs is not installed.
    """
    try:
        from ..inspector.command import run  # not part of the base install
    except ModuleNotFoundError as error:
        raise _missing(error, "inspect", "inspect") from error
    settings = surroundings.settings()
    surroundings.load_plugins(settings)
    return run(args, settings)


def _new(args: argparse.Namespace) -> int:
    """Write a hint plugin.

    Raises:
        ConfigError: its name does not do, it cannot be written, or what it needs is not installed.
    """
    try:
        from ..scaffold import run
    except ModuleNotFoundError as error:
        raise _missing(error, "new", "testing") from error
    return run(args)


def _missing(error: ModuleNotFoundError, command: str, extra: str) -> ConfigError:
    if (error.name or "").startswith(("hermes_hints.inspector", "hermes_hints.scaffold")):
        return ConfigError(f"{command} is not part of this installation: pip install 'hermes-hints[{extra}]'")
    return ConfigError(str(error))
