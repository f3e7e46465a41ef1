"""What is kept of an answer: the model that served it, tokens, and the tools that it asks for.

An `AnswerReader` is given the bytes after they were passed on, piece by piece, and keeps no text of them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from .lines import Lines, find

__all__ = ["AnswerReader"]

_MOST_BYTES = 8 << 20
"""An answer that is longer, and no stream, is not read; nor is a longer line of a stream."""
_MOST_CHARS = 512
_MOST_TOOLS = 32
_TELLING = (b'"usage"', b'"name"')


class _Unpacker(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


class AnswerReader:
    """Reads one answer, by its headers. Never raises, whatever comes."""

    def __init__(self, lines: Lines) -> None:
        self.model: str | None = None
        """As the endpoint names it."""
        self.read: int | None = None
        """Tokens of the question, where they are told."""
        self.written: int | None = None
        """Tokens of the answer, where they are told."""
        self.tools: list[str] = []
        """The names of the functions that it calls, in order: whatever the model made of them."""
        self.reads_hints = find(lines, b"x-hermes-hints") is not None
        """Whether the endpoint says of itself that it reads hints."""
        kind = (find(lines, b"content-type") or b"").partition(b";")[0].strip().lower()
        packed = (find(lines, b"content-encoding") or b"identity").strip().lower()
        self._streamed = kind == b"text/event-stream"
        self._wanted = (self._streamed or kind == b"application/json") and packed in _PACKED
        self._unpacker: _Unpacker | None = zlib.decompressobj(_PACKED[packed]) if _PACKED.get(packed) else None
        self._rest = bytearray()

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body, as they are on the wire."""
        if not self._wanted:
            return
        try:
            self._rest += piece if self._unpacker is None else self._unpacker.decompress(piece, _MOST_BYTES)
        except zlib.error:
            self._give_up()
            return
        if self._unpacker is not None and self._unpacker.unconsumed_tail:
            self._give_up()
            return
        if self._streamed:
            *lines, last = self._rest.split(b"\n")
            self._rest = last
            for line in lines:
                self._line(line)
        if len(self._rest) > _MOST_BYTES:
            self._give_up()

    def end(self) -> None:
        """There are no more bytes."""
        if self._wanted:
            self._line(self._rest) if self._streamed else self._take(self._rest)
        self._give_up()

    def _give_up(self) -> None:
        self._wanted = False
        self._rest = bytearray()

    def _line(self, line: bytearray) -> None:
        if line.startswith(b"data:") and (self.model is None or any(part in line for part in _TELLING)):
            self._take(line[5:])

    def _take(self, content: bytearray) -> None:
        try:
            found: object = json.loads(content)
        except (ValueError, RecursionError):
            return
        event = _mapping(found)
        for told in _parts(event):
            model = told.get("model")
            if self.model is None and isinstance(model, str) and model:
                self.model = model[:_MOST_CHARS]
            usage = _mapping(told.get("usage"))
            self.read = _count(usage, self.read, "prompt_tokens", "input_tokens")
            self.written = _count(usage, self.written, "completion_tokens", "output_tokens")
        for name in _begun(event) if self._streamed else _asked_for(event):
            if len(self.tools) < _MOST_TOOLS:
                self.tools.append(name)


_PACKED: Mapping[bytes, int] = {b"identity": 0, b"gzip": zlib.MAX_WBITS | 16, b"deflate": zlib.MAX_WBITS}
"""What can be read, with zlib's ``wbits``."""


def _parts(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The answer itself, or what an event of the responses API or of Anthropic's says of it."""
    yield event
    for name in ("response", "message"):
        if isinstance(event.get(name), dict):
            yield event[name]


def _begun(event: Mapping[str, Any]) -> Iterator[str]:
    """The names of the functions that an event of a stream begins to call."""
    for choice in _list(event.get("choices")):
        yield from _functions(_mapping(_mapping(choice).get("delta")))
    if event.get("type") in ("response.output_item.added", "content_block_start"):
        yield from _blocks([event.get("item"), event.get("content_block")])


def _asked_for(answer: Mapping[str, Any]) -> Iterator[str]:
    """The names of the functions that a whole answer calls."""
    for choice in _list(answer.get("choices")):
        yield from _functions(_mapping(_mapping(choice).get("message")))
    yield from _blocks([*_list(answer.get("output")), *_list(answer.get("content"))])


def _functions(message: Mapping[str, Any]) -> Iterator[str]:
    for call in _list(message.get("tool_calls")):
        yield str(_mapping(_mapping(call).get("function")).get("name"))


def _blocks(blocks: Iterable[object]) -> Iterator[str]:
    for block in blocks:
        if _mapping(block).get("type") in ("function_call", "tool_use"):
            yield str(_mapping(block).get("name"))


def _count(usage: Mapping[str, Any], before: int | None, *names: str) -> int | None:
    values = [value for name in names if type(value := usage.get(name)) is int and value >= 0]
    return max(values, default=before)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
