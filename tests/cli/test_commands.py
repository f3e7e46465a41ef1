"""One parser for two programs: it keeps to itself inside Hermes' own, and its exit status means something."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hermes_hints.cli import add_commands, main, run_in_host
from hermes_hints.identity import Identity

CHECKOUT = Path(__file__).resolve().parents[2]


def hermes(*arguments):
    """The namespace of a program like Hermes, with arguments and a subcommand of the same names as ours."""
    parser = argparse.ArgumentParser(prog="hermes")
    parser.add_argument("--model")
    parser.add_argument("--json", action="store_true")
    commands = parser.add_subparsers(dest="command")
    add_commands(commands.add_parser("hints"))
    return parser.parse_args(arguments)


def test_nothing_of_the_host_s_own_is_overwritten():
    args = hermes("--model", "theirs", "hints", "explain", "--json", "--model", "ours", "--user-id", "u")

    assert (args.command, args.model, args.json) == ("hints", "theirs", False)
    added = set(vars(args)) - {"command", "model", "json"}
    assert {name for name in added if not name.startswith("hints_")} == set()


def test_every_identity_field_has_a_flag():
    fields = {field: f"value of {field}" for field in Identity.model_fields}
    flags = {field: "--hermes-profile" if field == "profile" else "--" + field.replace("_", "-") for field in fields}

    args = hermes("hints", "explain", *(part for field, value in fields.items() for part in (flags[field], value)))

    assert {field: getattr(args, f"hints_identity_{field}") for field in fields} == fields


@pytest.mark.parametrize(
    "arguments", [(), ("no-such-command",), ("doctor", "--no-such-flag"), ("explain", "--privacy", "x")]
)
def test_a_command_line_that_is_wrong_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: hermes-hints" in capsys.readouterr().err


def test_the_version_and_the_meaning_of_the_exit_status_are_told(capsys):
    for argument, text in (
        ("--version", "hermes-hints "),
        ("--help", "2 the command line or the configuration is wrong"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([argument])
        assert ended.value.code == 0
        assert text in " ".join(capsys.readouterr().out.split())


def test_in_the_host_the_status_ends_the_program_where_it_is_not_0(operator, capsys):
    operator.configure()
    assert run_in_host(hermes("hints", "list")) is None
    operator.configure({"endpoint": 1})

    with pytest.raises(SystemExit) as ended:
        run_in_host(hermes("hints", "doctor"))

    assert ended.value.code == 2
    assert "did you mean 'endpoints'?" in capsys.readouterr().out


def test_importing_the_package_brings_no_command_line_along():
    code = (
        "import sys, hermes_hints.hermes; print([name for name in sys.modules if name.startswith('hermes_hints.cli')])"
    )

    ran = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_that_the_terminal_cannot_show_are_no_failure(operator, encoding):
    operator.configure()
    command = [sys.executable, "-m", "hermes_hints.cli", "explain", "--base-url", "http://127.0.0.1:9/v1"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}

    ran = subprocess.run(
        [*command, "--user-name", "Jürgen 🙂"], cwd=CHECKOUT, env=environment, capture_output=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    assert ("J\\xfcrgen" if encoding == "ascii" else "Jürgen").encode() in ran.stdout


@pytest.mark.parametrize("arguments", [("list",), ("explain", "--base-url", "http://127.0.0.1:9/v1")])
def test_a_reader_that_has_gone_is_no_traceback(operator, arguments):
    operator.configure()
    command = [sys.executable, "-m", "hermes_hints.cli", *arguments]
    read, write = os.pipe()
    os.close(read)
    try:
        ran = subprocess.run(command, cwd=CHECKOUT, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write)

    assert (ran.returncode, ran.stderr) == (2, "")


def test_the_docs_name_every_command_and_every_flag():
    docs = (CHECKOUT / "docs" / "cli.md").read_text("utf-8")
    parser = argparse.ArgumentParser()
    add_commands(parser)
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    identity = {"--" + field.replace("_", "-") for field in Identity.model_fields}

    for name, command in commands.choices.items():
        assert f"\n## {name}\n" in docs
        flags = {flag for action in command._actions for flag in action.option_strings}
        assert {flag for flag in flags - identity - {"-h", "--help"} if f"`{flag}" not in docs} == set()


@pytest.mark.parametrize(
    ("absent", "arguments", "extra"),
    [
        ("hermes_hints.inspector", ["inspect", "--upstream", "http://127.0.0.1:9/v1"], "inspect"),
        ("hermes_hints.scaffold", ["new", "ops-first"], "testing"),
    ],
)
def test_a_command_that_is_not_installed_says_what_brings_it(absent, arguments, extra, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, f"{absent}.command", raising=False)

    assert main(arguments) == 2

    told = f"hermes-hints: {arguments[0]} is not part of this installation: pip install 'hermes-hints[{extra}]'\n"
    assert capsys.readouterr() == ("", told)
