"""docs/coverage.md is what a run of the end-to-end tests has written, of both hosts, and docs/hermes.md tells of each of its lines."""

from __future__ import annotations

import re

from e2e.harness.seen import Seen, page
from pages import text_of

PAGE = text_of("docs/coverage.md")
HEAD, _, *ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("|")
]


def test_it_is_as_the_run_writes_it():
    assert PAGE.startswith(page([], ()).partition("\n| ")[0])
    assert HEAD[:3] == ["purpose", "platform", "API"]
    assert [row[:3] for row in ROWS] == sorted(row[:3] for row in ROWS)
    assert {"chat completions", "responses", "messages", "converse"} <= {row[2] for row in ROWS}
    assert {"loopback", "cli", "cron", "api_server"} <= {row[1] for row in ROWS}


def test_both_hosts_said_who_where_and_which_conversation_in_every_turn():
    column = {name: HEAD.index(name) for name in ("person", "chat", "conversation", "turn", "request")}
    (main,) = (row for row in ROWS if row[:3] == ["`main`", "loopback", "chat completions"])
    assert {name: main[at] for name, at in column.items()} == dict.fromkeys(column, "yes")
    assert {row[column["person"]] for row in ROWS if row[1] in ("cron", "api_server")} == {"-", "0.22: -"}


def test_every_kind_of_call_in_it_is_told_of():
    (table,) = re.findall(r"^\| call \| `purpose` \|.*?\n\n", text_of("docs/hermes.md"), re.MULTILINE | re.DOTALL)
    told = set(re.findall(r"`(\w+)`", table)) | {"vision", "web_extract", "session_search", "approval"}
    assert {row[0].strip("`") for row in ROWS} - told <= {"-"}


def test_a_cell_tells_what_calls_of_tests_that_passed_have_carried():
    def seen(test, host, *fields):
        return Seen(test, host, "main", "cli", "chat completions", frozenset(fields))

    both = [seen("a", "0.19", "user_id", "call"), seen("a", "0.22", "user_id")]
    more = [seen("b", "0.22", "call"), seen("c", "0.22", "task_id")]

    row = page([*both, *more], {"c"}).splitlines()[-1]

    assert [cell.strip() for cell in row.split("|")][4:-1] == [
        "0.19: yes, 0.22: some",
        *["-"] * 6,
        "0.19: yes, 0.22: some",
        "-",
    ]
