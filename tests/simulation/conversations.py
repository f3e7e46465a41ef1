"""People who talk to an agent: which calls their conversations make, when, and what each prompt begins with.

The numbers are those of Hermes' kind of agent: a long system prompt with tools that all conversations of one agent share,
turns of several calls that each add to the prompt, a title, subagents with a prompt of their own, and a compression that
replaces what was said by a summary and gives the session another id.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

BLOCK = 512
"""Tokens that a cache holds or drops together."""

SYSTEM = 12_000
"""Tokens of system prompt and tools."""
WINDOW = 64_000
"""Tokens at which a conversation is compressed."""
SUMMARY = 3_000
TITLE = 1_000
THINKING = 45.0
"""Median seconds that a person takes to answer."""
TURNS = 12.0
"""Mean turns of a conversation."""
SUBAGENTS = 0.1
"""Share of turns that start subagents."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: when it is sent, for which conversation and session, and its prompt as blocks."""

    at: float
    conversation_id: str
    session_id: str
    prompt: tuple[int, ...]


@dataclass
class Prompt:
    """What a session has said so far; a block is known by everything up to it."""

    random: random.Random
    blocks: list[int] = field(default_factory=list)
    spare: int = 0

    def add(self, tokens: float) -> None:
        self.spare += int(tokens)
        while self.spare >= BLOCK:
            self.spare -= BLOCK
            self.blocks.append(self.random.getrandbits(60))

    @property
    def tokens(self) -> int:
        return len(self.blocks) * BLOCK + self.spare


class Conversation:
    """One person's conversation, from its first call to its last."""

    def __init__(self, seed: int, begins: float, shared: tuple[int, ...]) -> None:
        self._random = random.Random(seed)
        self._at = begins
        self._shared = shared
        self._id = f"conversation-{seed:08}"
        self._session = self._id
        self._sessions = itertools.count(1)
        self._prompt = self._fresh()

    def calls(self) -> Iterator[Call]:
        """Its calls in the order of time."""
        turns = max(1, round(self._random.expovariate(1 / TURNS)))
        for turn in range(turns):
            self._prompt.add(self._random.lognormvariate(math.log(120), 1))
            yield from self._steps(self._prompt, self._session)
            if turn == 0:
                yield Call(self._at, self._id, self._session, tuple(self._own(TITLE)))
            if self._random.random() < SUBAGENTS:
                yield from self._subagents()
            if self._prompt.tokens > WINDOW:
                yield from self._compression()
            self._at += self._random.lognormvariate(math.log(THINKING), 1)

    def _steps(self, prompt: Prompt, session_id: str) -> Iterator[Call]:
        """The calls of one turn: each but the last runs a tool, whose output joins the prompt."""
        for _ in range(1 + min(12, int(self._random.expovariate(1 / 2.5)))):
            yield Call(self._at, self._id, session_id, tuple(prompt.blocks))
            prompt.add(self._random.lognormvariate(math.log(900), 1))
            self._at += self._random.uniform(2, 12)

    def _subagents(self) -> Iterator[Call]:
        for _ in range(self._random.randint(1, 3)):
            prompt = self._fresh()
            prompt.add(self._random.uniform(300, 2_000))
            yield from self._steps(prompt, self._next_session())

    def _compression(self) -> Iterator[Call]:
        yield Call(self._at, self._id, self._session, tuple(self._own(WINDOW / 2)))
        self._prompt = self._fresh()
        self._prompt.add(SUMMARY)
        self._session = self._next_session()

    def _fresh(self) -> Prompt:
        return Prompt(self._random, list(self._shared))

    def _own(self, tokens: float) -> list[int]:
        prompt = Prompt(self._random)
        prompt.add(tokens)
        return prompt.blocks

    def _next_session(self) -> str:
        return f"{self._id}-{next(self._sessions)}"


def calls_of(conversations: int, *, seed: int = 1, hours: float = 1.0) -> list[Call]:
    """All calls of conversations that begin within some hours, in the order of time."""
    drawn = random.Random(seed)
    shared = tuple(drawn.getrandbits(60) for _ in range(SYSTEM // BLOCK))
    found = (
        call
        for number in range(conversations)
        for call in Conversation(seed * 1_000_000 + number, drawn.uniform(0, hours * 3600), shared).calls()
    )
    return sorted(found, key=lambda call: call.at)
