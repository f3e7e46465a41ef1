"""The table of supported versions says what runs have left, and is not written from half a run or a failed one."""

from __future__ import annotations

import pytest
from versions.__main__ import page

NEWEST = {"openai": "3.57.0", "pydantic": "2.14.4", "httpx": "0.28.1", "httpx2": "2.1.0", "pluggy": "1.7.0"}
PINNED = {"openai": "2.24.0", "pydantic": "2.13.4", "httpx": "0.28.1", "pluggy": "1.7.0"}
HOSTS = {"hermes-0.19.0": 101, "hermes-0.22.2": 102}


def run(tests, packages=NEWEST, passed=1, *, failed=0, hosts=(), python="3.11.7"):
    outcomes = {"passed": passed, "failed": failed}
    return {
        "tests": tests,
        "packages": packages,
        "outcomes": outcomes,
        "hosts": dict(hosts),
        "python": python,
        "exit_status": int(bool(failed)),
    }


@pytest.fixture
def environments(tmp_path):
    for host in HOSTS:
        (tmp_path / f"{host}-coverage-1a2b").mkdir()
        (tmp_path / f"{host}-coverage-1a2b" / "constraints.txt").write_text("openai==2.24.0\npydantic==2.13.4\n")
    return tmp_path


def rows(text):
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def test_each_run_is_a_row_and_each_hermes(environments):
    runs = [
        run("tests/contract", PINNED, 300),
        run("tests/e2e", passed=250, hosts=HOSTS.items()),
        run("all", PINNED, 2100),
        run("all", passed=2200),
    ]

    _, _, *told = rows(page(runs, environments))
    assert told[:3] == [
        ["all", "2,200", "3.11.7", "3.57.0", "httpx2 2.1.0", "2.14.4", "1.7.0"],
        ["all", "2,100", "3.11.7", "2.24.0", "httpx 0.28.1", "2.13.4", "1.7.0"],
        ["`tests/contract`", "300", "3.11.7", "2.24.0", "httpx 0.28.1", "2.13.4", "1.7.0"],
    ]
    assert told[-2:] == [
        ["0.19.0", "101", "3.11.7", "2.24.0", "2.13.4"],
        ["0.22.2", "102", "3.11.7", "2.24.0", "2.13.4"],
    ]


def test_what_is_declared_and_was_not_run_is_said(environments):
    runs = [run("all"), run("all", python="3.13.0"), run("tests/e2e", hosts=HOSTS.items())]

    assert "Declared and not in this run: Python 3.12, 3.14." in page(runs, environments)


def test_without_real_programs_the_page_says_so(environments):
    assert "Nothing was run with a real Hermes" in page([run("all")], environments)
    assert "Nothing was run" not in page([run("all"), run("tests/e2e", hosts=HOSTS.items())], environments)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], "there is none"),
        ([run("tests/e2e"), run("tests/contract")], "there is tests/contract, tests/e2e"),
        ([run("all", failed=1), run("tests/e2e")], "1 of 2 runs failed: all"),
    ],
)
def test_half_a_run_or_a_failed_one_makes_no_page(runs, said, environments):
    with pytest.raises(LookupError, match=said):
        page(runs, environments)
