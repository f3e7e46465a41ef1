"""A real ``hermes gateway run`` on a real Matrix homeserver, with people in rooms that it has joined."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .environments import HERMES_0_19, HERMES_0_22, PROJECT, Environment, Progress, environment
from .gateway import running_gateway
from .hermes_home import HermesHome
from .hermes_process import Hermes
from .synapse import SYNAPSE, Account, MatrixEvent, Synapse, running_synapse
from .upstream import RecordedCall

WITH_MATRIX = {
    "hermes-0.19.0": HERMES_0_19.replace("==", "[matrix]=="),
    "hermes-0.22.2": HERMES_0_22.replace("==", "[matrix]=="),
}

OPS = "Ops"
LAB = "Café Lab"

DONE = ("\N{WHITE HEAVY CHECK MARK}", "\N{CROSS MARK}")
"""What the gateway puts under every message when it has finished with it, also under those that it does not answer."""

GATHERING_SECONDS = "0.1"
"""How long the gateway waits for more of the same message; 0.6 s by default."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The environments of the two programs."""

    synapse: Environment
    hermes: Environment

    @classmethod
    def installed(cls, host: str, progress: Progress) -> Programs:
        """Synapse, and a Hermes with hermes-hints."""
        return cls(
            environment("synapse", [SYNAPSE], progress=progress),
            environment(f"{host}-matrix-hints", [WITH_MATRIX[host]], project=PROJECT, progress=progress),
        )


@dataclass(frozen=True, slots=True)
class Village:
    """A homeserver with three people whom Hermes serves, one whom it does not, and two rooms that all of them are in."""

    synapse: Synapse
    hermes: Account
    alice: Account
    jose: Account
    bob: Account
    mallory: Account
    ops: str
    lab: str

    @property
    def served(self) -> tuple[Account, ...]:
        return (self.alice, self.jose, self.bob)


class Conversations:
    """What people say to the running gateway, and what it answers them."""

    def __init__(self, hermes: Account) -> None:
        self._hermes = hermes

    def ask(self, who: Account, room_id: str, text: str, *, seconds: float = 60) -> str:
        """Write a message and wait until Hermes is done with it: all that it was answered, "" when nothing was."""
        return self.answer(who, who.send(room_id, text), seconds=seconds)

    def answer(self, who: Account, event_id: str, *, seconds: float = 60) -> str:
        """What a message was answered, waiting until Hermes is done with it. Raises TimeoutError."""
        return "\n".join(event.text for event in self.answers(who, event_id, seconds=seconds))

    def answers(self, who: Account, event_id: str, *, seconds: float = 60) -> list[MatrixEvent]:
        """The same, message by message."""
        who.wait_for(lambda event: event.reacts_to == event_id and self._is_done(event), seconds=seconds)
        return [event for event in who.timeline() if event.answers == event_id and self._is_said(event)]

    def _is_done(self, event: MatrixEvent) -> bool:
        return event.sender == self._hermes.user_id and event.relation.get("key") in DONE

    def _is_said(self, event: MatrixEvent) -> bool:
        return event.sender == self._hermes.user_id and event.kind == "m.room.message"


@contextmanager
def running_village(host: Environment, directory: Path) -> Iterator[Village]:
    """A Village until the block is left; nobody answers in it yet."""
    with running_synapse(host, directory) as synapse:
        hermes = synapse.register("hermes")
        alice, jose = synapse.register("alice", "Alice"), synapse.register("jose", "José")
        bob, mallory = synapse.register("bob", "Bob"), synapse.register("mallory", "Mallory")
        rooms = [alice.create_room(name, (jose, bob, mallory, hermes)) for name in (OPS, LAB)]
        for room_id in rooms:
            for member in (jose, bob, mallory):
                member.join(room_id)
        yield Village(synapse, hermes, alice, jose, bob, mallory, *rooms)


@contextmanager
def running_matrix_gateway(
    programs: Path, home: HermesHome, village: Village, directory: Path, env: Mapping[str, str] | None = None
) -> Iterator[Conversations]:
    """A gateway of ``home`` in the village, from when it has answered in both rooms until the block is left.

    It serves whom it serves there in every room, without being mentioned, and installs nothing while it runs.
    """
    matrix = {
        "MATRIX_HOMESERVER": village.synapse.base_url,
        "MATRIX_ACCESS_TOKEN": village.hermes.access_token,
        "MATRIX_USER_ID": village.hermes.user_id,
        "MATRIX_ALLOWED_USERS": ",".join(account.user_id for account in village.served),
        "MATRIX_REQUIRE_MENTION": "false",
        "MATRIX_AUTO_THREAD": "false",
        "MATRIX_HOME_ROOM": village.ops,
        "HERMES_MATRIX_TEXT_BATCH_DELAY_SECONDS": GATHERING_SECONDS,
    }
    more = {**home.more, "security": {"tirith_enabled": False, "allow_lazy_installs": False}}
    written = replace(home, env={**matrix, **home.env}, more=more).write(directory)
    conversations = Conversations(village.hermes)
    with running_gateway(Hermes(programs, written, env or {})):
        for room_id in (village.ops, village.lab):
            conversations.ask(village.alice, room_id, "/status")
        yield conversations


def is_title(call: RecordedCall) -> bool:
    """Whether a model is asked for a conversation's title."""
    return not call.tools and "title" in json.dumps(call.messages[0])


def asked(text: str) -> Callable[[RecordedCall], bool]:
    """Whether a main turn's model is asked something that begins like this."""
    return lambda call: not is_title(call) and call.question.startswith(text)


def hints(call: RecordedCall) -> dict[str, Any]:
    """The object ``hermes`` of a call's body; empty where there is none."""
    return call.json.get("hermes") or {}
