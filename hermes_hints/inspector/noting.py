"""Noting a call while it passes: never before the bytes, and never in their way."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from starlette.types import Scope

from ..endpoints import family_of
from ..signature import Keys
from .answers import AnswerReader
from .arrived import read_request
from .calls import Answered, Calls, PassedCall, State
from .credentials import Credentials
from .lines import Lines

__all__ = ["Noting"]

_MOST_BYTES = 32 << 20
"""A longer body is passed on all the same, and not read."""


class Noting:
    """One request and its answer; what is no LLM call is not noted.

    ``turns`` is held by one at a time, in the order in which requests were complete: so are their numbers.
    """

    def __init__(
        self, calls: Calls, scope: Scope, carriers: frozenset[str], key: Keys | None, turns: asyncio.Lock
    ) -> None:
        self.state: State | None = None
        """How it ended; ``None`` as long as it has not."""
        self._calls = calls
        self._scope = scope
        self._carriers = carriers
        self._key = key
        self._turns = turns
        self._path: str = scope["raw_path"].decode("latin-1")
        self._wanted = scope["method"] == "POST" and family_of(f"http://any{self._path}") is not None
        self._credentials = Credentials(scope["headers"], scope["query_string"])
        self._body = bytearray()
        self._size = 0
        self._since = time.monotonic()
        self._answered = Answered()
        self._told = self._answered
        self._reader = AnswerReader(())
        self._call: asyncio.Task[PassedCall] | None = None

    def arriving(self, piece: bytes) -> None:
        """The next bytes of the request's body."""
        self._size += len(piece)
        if self._wanted and self._size <= _MOST_BYTES:
            self._body += piece

    def arrived(self) -> None:
        """The request is complete: have it read, beside what is passed on."""
        self._since = time.monotonic()
        self._note()

    def _note(self) -> None:
        if self._wanted and self._call is None:
            self._call = asyncio.ensure_future(self._read(bytes(self._body) if self._size <= _MOST_BYTES else b""))
            self._call.add_done_callback(lambda _: self._tell())
            self._body.clear()

    async def _read(self, body: bytes) -> PassedCall:
        query, lines = self._scope["query_string"], self._scope["headers"]
        async with self._turns:
            arrived = await asyncio.to_thread(read_request, self._path, query, lines, body, self._carriers, self._key)
            return self._calls.begin(replace(arrived, bytes=self._size))

    def began(self, status: int, lines: Lines) -> None:
        """The endpoint answers."""
        self._reader = AnswerReader(lines)
        self._answered = replace(self._answered, status=status, state="answering")
        self._tell()

    def saw(self, piece: bytes) -> None:
        """These bytes of the answer were passed back."""
        answered, model = self._answered, self._reader.model
        self._reader.feed(piece)
        first = answered.first_seconds is None
        seconds = self._seconds() if first else answered.first_seconds
        self._answered = replace(answered, bytes=answered.bytes + len(piece), first_seconds=seconds)
        if first or model != self._reader.model:
            self._tell()

    def refused(self, status: int) -> None:
        """The endpoint was not reached."""
        self.state = "not reached"
        self._answered = replace(self._answered, status=status)

    async def end(self) -> None:
        """Nothing more comes."""
        self._reader.end()
        self._answered = replace(self._answered, state=self.state or "client gone", seconds=self._seconds())
        self._note()
        if self._call is not None:
            await self._call
            self._tell()

    def _seconds(self) -> float:
        return round(time.monotonic() - self._since, 4)

    def _tell(self) -> None:
        if self._call is None or not self._call.done():
            return
        call, reader = self._call.result(), self._reader
        answered = replace(
            self._answered,
            model=self._credentials.out_of(reader.model),
            tokens_read=reader.read,
            tokens_written=reader.written,
            tools=tuple(name for name in reader.tools if name in call.arrived.tools),
            reads_hints=reader.reads_hints,
        )
        if answered != self._told:  # a request that was read late may have its answer already
            self._told = answered
            self._calls.change(call, answered)
