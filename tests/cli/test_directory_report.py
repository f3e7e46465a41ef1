"""A directory of hint plugins that is not there, or cannot be read, is told where the operator named it."""

from __future__ import annotations

import json

QUIET = "@hookimpl\ndef contribute_hints(call):\n    return None\n"


def test_a_directory_that_the_operator_named_and_that_is_not_there_is_a_problem_and_the_line_mends_it(
    operator, tmp_path
):
    operator.configure({"hints_directory": str(tmp_path / "hintz")})

    told = operator.run("doctor", "--json")

    assert told.status == 1
    (problem,) = told.json["problems"]
    assert (
        problem["what"] == f"no hint plugins come from hints_directory {tmp_path / 'hintz'}: there is no such directory"
    )
    operator.mend(problem["remedy"])
    assert operator.run("doctor").status == 0


def test_a_directory_that_is_a_file_is_a_problem_whoever_named_it(operator):
    (operator.home / "hints").write_text("not a directory")
    operator.write({"plugins": {"enabled": ["hermes-hints"]}})

    told = operator.run("doctor", "--json")

    assert told.status == 1
    (problem,) = told.json["problems"]
    assert problem["what"].startswith(f"no hint plugins come from {operator.home / 'hints'}: it cannot be read (")


def test_a_directory_of_a_plain_programs_settings_is_looked_at_too(operator, tmp_path):
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"hints_directory": str(tmp_path / "absent")}))

    told = operator.run("doctor", "--settings", str(settings))

    assert told.status == 1
    assert "there is no such directory" in told.output


def test_a_directory_that_the_operator_named_and_that_is_not_there_is_said(operator, tmp_path):
    operator.plugin("quiet", QUIET)
    named = tmp_path / "hintz"
    operator.configure({"hints_directory": str(named)}, plugins={"enabled": ["hermes-hints", "quiet"]})

    told, as_json = operator.run("list"), operator.run("list", "--json")

    assert (told.status, as_json.status) == (1, 1)
    said = f"hermes-hints: no hint plugins come from hints_directory {named}: there is no such directory\n"
    assert (told.output, told.errors) == ("no hint plugins\n", said)
    assert (as_json.json, as_json.errors) == ([], said)


def test_the_usual_directory_need_not_be_there(operator):
    operator.configure()

    told = operator.run("list")

    assert (told.status, told.errors) == (0, "")
