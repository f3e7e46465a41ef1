"""What the coverage tests have seen of each kind of call on each host, as the table in docs/coverage.md."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .upstream import RecordedCall

HOSTS = ("0.19", "0.22")
APIS = {
    "/chat/completions": "chat completions",
    "/responses": "responses",
    "/messages": "messages",
    "/converse": "converse",
    "/converse-stream": "converse",
}
FIELDS = {
    "person": "user_id",
    "chat": "chat_id",
    "conversation": "conversation_id",
    "session": "session_id",
    "parent": "parent_session_id",
    "turn": "turn_id",
    "task": "task_id",
    "nth": "call",
    "request": "request_id",
}
"""The columns of the table."""
_HINTED = "X-Hermes-"
_TEST = re.compile(r"hermes-(0\.\d+)")


class Seen(NamedTuple):
    """One call that a test has read: by which host, of which kind, and which fields it carried in any carrier."""

    test: str
    host: str
    purpose: str
    platform: str
    api: str
    fields: frozenset[str]


seen: list[Seen] = []
"""By this process."""


def note(call: RecordedCall) -> None:
    """Keep what a call carried; of one that carries nothing, nothing."""
    said = carried(call)
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    host = _TEST.search(test) or re.search(r"/(0\.\d+)", said.get("agent", ""))
    api = next((name for end, name in APIS.items() if call.path.endswith(end)), call.path)
    if said and host is not None:
        purpose, platform = said.get("purpose", "-"), said.get("platform", "-")
        seen.append(Seen(test, host[1], purpose, platform, api, frozenset(said)))


def carried(call: RecordedCall) -> dict[str, str]:
    """The fields of a call, from all of its carriers."""
    start = _HINTED.lower()
    lines = {name.lower().removeprefix(start): value for name, value in call.headers if name.lower().startswith(start)}
    found = {
        "conversation_id" if name == "session-id" else name.replace("-", "_"): text for name, text in lines.items()
    }
    for pairs in (call.json.get("metadata"), call.json.get("requestMetadata")):
        of_ours = (name for name in pairs or () if name.startswith("hermes_"))
        found |= {name.removeprefix("hermes_"): pairs[name] for name in of_ours}
    return found | {name: str(value) for name, value in (call.json.get("hermes") or {}).items()}


def page(found: Iterable[Seen], failed: Collection[str]) -> str:
    """The page, from what tests that passed have seen."""
    kinds: dict[tuple[str, str, str], dict[str, list[frozenset[str]]]] = {}
    for one in found:
        if one.test not in failed:
            kinds.setdefault((one.purpose, one.platform, one.api), {}).setdefault(one.host, []).append(one.fields)
    lines = [
        ("purpose", "platform", "API", *FIELDS),
        ("---",) * (3 + len(FIELDS)),
        *(
            (f"`{purpose}`", platform, api, *_cells(kinds[purpose, platform, api]))
            for purpose, platform, api in sorted(kinds)
        ),
    ]
    return _TEXT + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cells(by_host: Mapping[str, list[frozenset[str]]]) -> Iterable[str]:
    for field in FIELDS.values():
        states = {host: _state(field, by_host[host]) for host in HOSTS if host in by_host}
        alike = len(set(states.values())) == 1
        if alike and len(states) == len(HOSTS):
            yield next(iter(states.values()))
        else:
            yield ", ".join(f"{host}: {state}" for host, state in states.items())


def _state(field: str, calls: list[frozenset[str]]) -> str:
    having = sum(field in fields for fields in calls)
    return "yes" if having == len(calls) else "some" if having else "-"


_TEXT = """# Which calls are covered

Written by `make coverage`: what arrived at the scripted endpoints of `tests/e2e/test_coverage_*.py`, with real Hermes 0.19.0 and 0.22.2, in
tests that passed. Each line is a kind of call; a cell says whether the calls of that kind carried the field on both hosts, in any carrier:
*yes* in all of them, *some* in a part (calls outside a turn have no turn, a new session no parent), *-* in none. A version stands where the
hosts differ, or where only one of them makes such calls. A call without a purpose is one that a plugin makes with a client of its own.
What each line rests on, and what is missing, is told in [the Hermes plugin](hermes.md#every-call).

"""
