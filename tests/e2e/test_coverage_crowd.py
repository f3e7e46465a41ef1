"""Forty people talk to one gateway at once, with subagents, titles and errands under way: nobody is taken for another."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from harness.covering import (
    CAROL,
    ERRANDS,
    PLUGIN,
    TOOLS_IN_THE_OPEN,
    answered,
    assert_says,
    is_title,
    order,
    told,
    whole,
)
from harness.environments import Environment
from harness.gateway import Gateway, Person, Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.replies import Reply
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

AT_ONCE = 8
"""0.19 works on ten turns at a time, whatever its load."""
FIRST = re.compile(r"person\d\d asks (nest 1|do:)")
ROOMS = tuple(Room(f"!room{number}:example.org", f"Room {number}") for number in range(10))
PEOPLE = tuple(Person(f"@person{number:02}:example.org", f"Name {number:02}") for number in range(40))
PLACES = {person.user_id: ROOMS[number % len(ROOMS)] for number, person in enumerate(PEOPLE)}


AT_EASE = {**TOOLS_IN_THE_OPEN, "delegation": {"max_concurrent_children": len(PEOPLE)}}
"""More subagents than the host lets work in the background are run at once, and report nothing later."""


class Crowd:
    """Answers when eight people are waiting for their first answer, so that their turns run at the same time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrived = 0
        self._inside = 0
        self.most_at_once = 0

    def __call__(self, call: RecordedCall) -> Reply:
        if FIRST.match(call.question) and call.tools and not call.tool_results:
            self._gather()
        return answered(call)

    def _gather(self) -> None:
        with self._changed:
            self._arrived += 1
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
            wave = -(-self._arrived // AT_ONCE) * AT_ONCE
            self._changed.notify_all()
            together = self._changed.wait_for(lambda: self._arrived >= wave, 60)
            self._inside -= 1
        assert together


def question(number: int, person: Person) -> str:
    name = person.user_id[1:9]
    if number % 2:
        return f"{name} asks nest 1 for {name}"
    return f"{name} asks " + order("errand", what="call", task="vision", text=f"an-errand-for-{name}")


def talk(gateway: Gateway, upstream: Upstream) -> None:
    posted = [
        gateway.post(person, PLACES[person.user_id], question(number, person)) for number, person in enumerate(PEOPLE)
    ]
    for said in posted:
        gateway.answer(said, seconds=120)
    for person in PEOPLE:
        name = person.user_id[1:9]
        upstream.wait_for(lambda call, name=name: is_title(call) and name in call.question)
    for person in PEOPLE[1::2]:
        name = person.user_id[1:9]
        upstream.wait_for(lambda call, name=name: "ASYNC DELEGATION" in call.question and name in call.question)


@pytest.fixture(scope="module")
def calls(hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[RecordedCall]]:
    crowd = Crowd()
    with running_upstream(crowd) as upstream:
        home = HermesHome(upstream.base_url, folders=(ERRANDS,), enabled=(PLUGIN,), more=AT_EASE)
        hermes = Hermes(hinted_host.programs, home.write(tmp_path_factory.mktemp("crowd") / "home"))
        with running_gateway(hermes) as gateway:
            gateway.say(CAROL, Room("!first:example.org", "First"), "hello")  # the very first answer carries a note
            before = len(upstream.calls)
            talk(gateway, upstream)
        assert upstream.failures == []
        assert crowd.most_at_once >= AT_ONCE
        yield [call for call in upstream.calls[before:] if b"person" in call.body]


def test_every_call_says_whose_it_is_and_names_nobody_else(calls: Sequence[RecordedCall]) -> None:
    people = {person.user_id: person for person in PEOPLE}
    for call in calls:
        (name,) = set(re.findall(rb"person\d\d", whole(call)))
        person = people[f"@{name.decode()}:example.org"]
        place = PLACES[person.user_id]
        assert_says(
            call,
            {"user_id": person.user_id, "user_name": person.user_name, "platform": "loopback"},
            chat_id=place.chat_id,
            chat_name=place.chat_name,
        )


def test_nobodys_conversation_was_had_alone(calls: Sequence[RecordedCall]) -> None:
    speakers = [told(call)["user_id"] for call in calls]

    for person in PEOPLE:
        first = speakers.index(person.user_id)
        last = len(speakers) - 1 - speakers[::-1].index(person.user_id)
        assert set(speakers[first:last]) > {person.user_id}


def test_every_kind_of_call_was_made_for_everybody(calls: Sequence[RecordedCall]) -> None:
    made = Counter((told(call)["purpose"], told(call)["user_id"]) for call in calls)

    for number, person in enumerate(PEOPLE):
        kinds = {"main", "title_generation", "subagent" if number % 2 else "vision"}
        assert {purpose for purpose, user_id in made if user_id == person.user_id} == kinds


def test_every_person_is_in_a_conversation_of_their_own(calls: Sequence[RecordedCall]) -> None:
    conversations = {(told(call)["user_id"], told(call)["conversation_id"]) for call in calls}

    assert len(conversations) == len({conversation for _, conversation in conversations}) == len(PEOPLE)
    assert len({told(call)["request_id"] for call in calls}) == len(calls)
