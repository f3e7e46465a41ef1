"""What `make demo` shows: a real Hermes, real turns, and what a dispatcher makes of the hints that arrive.

Three people talk to one unmodified Hermes in two rooms, through its own gateway; two hint plugins contribute; a plain
OpenAI client calls beside it, once whole and once streamed. The table at the end is what the embedded dispatcher saw and
why it chose; the program fails when a call was not attributed to who made it, or not routed as the rules say.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.environments import CHECKOUT, HERMES_0_19, PROJECT, environment
from harness.gateway import Person, Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from openai import OpenAI

from hermes_hints import calling, hint, identify, wrap
from hermes_hints.dispatcher import CallLog, LoggedCall, create_app, running
from hermes_hints.rules import load_rules

ALICE = Person("@alice:example.org", "Alice")
BOB = Person("@bob:example.org", "Bob")
CAROL = Person("@carol:example.org", "Carol")
DAVE = "dave"
OPS = Room("!ops:example.org", "Ops")
LAB = Room("!lab:example.org", "Lab")

SAID = (
    (ALICE, OPS, "What is on today?"),
    (BOB, OPS, "force-cloud Prove that there are infinitely many primes."),
    (CAROL, LAB, "Name this compound."),
    (ALICE, OPS, "And tomorrow?"),
)
EXPECTED_MODEL = {
    (ALICE.user_id, "main"): "local-large",
    (BOB.user_id, "main"): "cloud-large",
    (CAROL.user_id, "main"): "local-candidate",
    (DAVE, "report"): "cloud-large",
}
HINT_PLUGINS = (CHECKOUT / "plugins" / "experiment-arm", CHECKOUT / "plugins" / "intent-words")
# A hash draws the arm; under this name Alice and Bob are in the control group and Carol tries the new model.
EXPERIMENT = {"name": "demo-1", "by": "user_id", "arms": {"control": 2, "treatment": 1}}


Tell = Callable[[str], None]


def main() -> int:
    started = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {line}", flush=True)

    tell("a Hermes of its own: hermes-agent 0.19.0 and hermes-hints, unmodified, in .environments/")
    host = environment("hermes-0.19.0-hints", [HERMES_0_19], project=PROJECT, progress=tell)
    log = CallLog()
    app = create_app(load_rules(Path(__file__).with_name("demo_rules.yaml")), log=log)
    with running(app) as base_url, tempfile.TemporaryDirectory() as directory:
        tell(f"the embedded dispatcher listens on {base_url}")
        talk_to_hermes(host.programs, Path(directory), base_url, tell)
        call_plainly(base_url, tell)
        calls = log.calls()
    print()
    print(table(calls))
    print()
    problems = [problem for call in calls for problem in problems_of(call)] + missing(calls)
    for problem in problems:
        print(f"PROBLEM  {problem}")
    if not problems:
        people = len({call.record["user_id"] for call in calls})
        print(f"All {len(calls)} calls of {people} people arrived attributed, and were routed by what they said.")
    return 1 if problems else 0


def talk_to_hermes(programs: Path, directory: Path, base_url: str, tell: Tell) -> None:
    home = HermesHome(
        base_url,
        folders=HINT_PLUGINS,
        enabled=("hermes-hints",),
        settings={"experiment-arm": EXPERIMENT},
    ).write(directory / "home")
    tell("hermes gateway run, with hermes-hints and two hint plugins enabled")
    with running_gateway(Hermes(programs, home)) as gateway:
        gateway.say(CAROL, LAB, "Hello!")  # Hermes adds a note for newcomers to the very first answer
        for person, room, text in SAID:
            answer = gateway.say(person, room, text)
            tell(f"{person.user_name} in {room.chat_name}: {text}")
            tell(f"    {answer.splitlines()[-1][:90]}")


def call_plainly(base_url: str, tell: Tell) -> None:
    client = wrap(OpenAI(base_url=base_url, api_key="none"))
    question = {"model": "any", "messages": [{"role": "user", "content": "Summarise the week."}]}
    with identify(user_id=DAVE, session_id="weekly-report"), hint(user_intent="force-cloud"), calling(purpose="report"):
        whole = client.chat.completions.create(**question).choices[0].message.content
        streamed = "".join(
            chunk.choices[0].delta.content or ""
            for chunk in client.chat.completions.create(**question, stream=True)
            if chunk.choices
        )
    tell("a plain OpenAI client, whole and streamed")
    tell(f"    {str(whole).splitlines()[-1][:90]}")
    tell(f"    {streamed.splitlines()[-1][:90]}")


def table(calls: Sequence[LoggedCall]) -> str:
    """Who, where, which conversation, what for, which hints; the model chosen, and by which rule."""
    head = ("who", "where", "conversation", "purpose", "hints", "model chosen", "because")
    rows = [head, *(row(call) for call in calls)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def row(call: LoggedCall) -> tuple[str, ...]:
    said = call.record
    hints = [str(said[field]) for field in ("user_intent", "experiment_arm") if field in said]
    return (
        said.get("user_name") or said.get("user_id") or "?",
        said.get("chat_name") or "-",
        said.get("conversation_id") or "?",
        said.get("purpose") or "?",
        ", ".join(hints) or "-",
        call.chosen_model or "?",
        call.rule or "?",
    )


def problems_of(call: LoggedCall) -> list[str]:
    """What is wrong with one call: a field that every call must have, or a model that the rules did not mean."""
    said = call.record
    name = f"{said.get('purpose', 'a call')} of {said.get('user_id', 'nobody')}"
    problems = [f"{name}: no {field}" for field in ("user_id", "conversation_id", "purpose") if field not in said]
    room = {ALICE.user_id: OPS.chat_id, BOB.user_id: OPS.chat_id, CAROL.user_id: LAB.chat_id}.get(
        said.get("user_id", "")
    )
    if said.get("chat_id") != room:
        problems.append(f"{name}: came from {said.get('chat_id')}, not from {room}")
    expected = EXPECTED_MODEL.get((said.get("user_id", ""), said.get("purpose", "")))
    if expected is not None and call.chosen_model != expected:
        problems.append(f"{name}: went to {call.chosen_model}, not to {expected}")
    return problems


def missing(calls: Sequence[LoggedCall]) -> list[str]:
    """Calls that should have come and did not."""
    seen = {(call.record.get("user_id"), call.record.get("purpose"), call.streamed) for call in calls}
    wanted = {(who, "main", True) for who in (ALICE.user_id, BOB.user_id, CAROL.user_id)}
    wanted |= {(DAVE, "report", False), (DAVE, "report", True)}
    return [
        f"no {purpose} call of {who} ({'streamed' if streamed else 'whole'})"
        for who, purpose, streamed in wanted - seen
    ]


if __name__ == "__main__":
    sys.exit(main())
