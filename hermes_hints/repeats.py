"""What the calls of a conversation have in common, made ready once: headers as bytes, fields of the body as JSON.

For requests in which the caller has put nothing where hints go, to endpoints that get all three carriers.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring  # in C where there is one
from typing import Any, NamedTuple

from .carriers import Carriers, Line, encode, lines_of
from .identity import Identity
from .privacy import Privacy
from .wire import BODY_KEY, MAX_HEADERS_BYTES, METADATA_PREFIX, SIGNATURE, TICKET

__all__ = ["Ready", "Repeats"]


class Ready(NamedTuple):
    """What one request is given where its client has built it."""

    lines: Sequence[Line]
    tail: bytes
    """What goes behind the caller's own fields of the body: ours as JSON, and the brace that closes it."""

    @property
    def record(self) -> dict[str, Any]:
        """What it says, read back."""
        said: dict[str, Any] = json.loads(b"{" + self.tail)[BODY_KEY]
        del said["v"]
        return {**said, "labels": tuple(said["labels"])} if "labels" in said else said

    @property
    def carriers(self) -> Carriers:
        """The same as texts and objects."""
        return Carriers({name.decode(): text.decode() for name, _, text in self.lines}, json.loads(b"{" + self.tail))

    def signed(self, signature: str) -> Ready:
        """The same with a signature in its headers."""
        return self._replace(lines=[*self.lines, *lines_of({SIGNATURE: signature})])


class Repeats:
    """Keeps what was written for each conversation and purpose last. Bounded, safe under threads."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[object, _Kept] = {}

    def ready(self, who: Identity, call: Mapping[str, Any], hints: Mapping[str, Any], privacy: Privacy) -> Ready | None:
        """What `keep` was given for such a call before, with the fields of this ``call``; ``None`` where there is none.

        ``who`` and ``hints`` are as they were before ``privacy``, ``call`` as it is after.
        """
        kept = self._kept.get((who.conversation_id, call.get("purpose"), privacy))
        if (
            kept is None
            or not (kept.hints is hints or kept.hints == hints)
            or not (kept.who is who or kept.who.__dict__ == who.__dict__)
            or kept.fields != (*call,)
        ):
            return None
        return kept.ready(call)

    def keep(
        self, who: Identity, call: Mapping[str, Any], hints: Mapping[str, Any], privacy: Privacy, carried: Carriers
    ) -> Ready | None:
        """Keep what was written for these, which are never changed, and return it for this ``call``.

        ``None`` where another ``call`` might leave less room for the rest, or equal hints are written in different ways, as
        ``True`` and ``1``.
        """
        if TICKET not in carried.headers or sum(map(len, carried.headers.values())) > MAX_HEADERS_BYTES // 4:
            return None
        if any(type(value) is not str for value in hints.get("ext", {}).values()):
            return None
        body, in_body = _form(carried.body[BODY_KEY], "", call)
        pairs, in_pairs = _form(carried.body["metadata"], METADATA_PREFIX, call)
        fields = (*call,)
        lines = lines_of(carried.headers)
        ticket = list(carried.headers).index(TICKET)
        kept = _Kept(
            who,
            hints,
            fields,
            f'"{BODY_KEY}":{body},"metadata":{pairs}}}'.encode(),
            operator.itemgetter(*map(fields.index, (*in_body, *in_pairs))),
            lines[:ticket],
            lines[ticket + 1 :],
        )
        if len(self._kept) >= _MOST_CONVERSATIONS:
            self._kept.clear()
        self._kept[who.conversation_id, call.get("purpose"), privacy] = kept
        return kept.ready(call)


class _Kept(NamedTuple):
    who: Identity
    hints: Mapping[str, Any]
    fields: Sequence[str]
    """Those of `Call`, in their order."""
    form: bytes
    """The tail, with a place for each of them in the body's object, and for most in ``metadata``."""
    places: Callable[[Sequence[Any]], Any]
    """Puts their values where the form has its places."""
    before: Sequence[Line]
    """The headers before the one of the request's id."""
    behind: Sequence[Line]

    def ready(self, call: Mapping[str, Any]) -> Ready | None:
        ticket = encode(call["request_id"])
        if not ticket:
            return None
        said = [(encode_basestring(value) if type(value) is str else str(value)).encode() for value in call.values()]
        return Ready([*self.before, (*_TICKET_NAMES, ticket.encode()), *self.behind], self.form % self.places(said))


def _form(content: Mapping[str, Any], prefix: str, call: Mapping[str, Any]) -> tuple[str, list[str]]:
    """An object as JSON, with the values left open for `%` that differ from ``call`` to call, and which these are."""
    left_open = {prefix + field: field for field in call if field != "purpose"}
    members: list[str] = []
    for name, value in content.items():
        if name not in left_open:
            members.append(f"{_dumps(name)}:{_dumps(value)}".replace("%", "%%"))
        elif type(value) is type(call[left_open[name]]):
            members.append(f'"{name}":%b')
        else:  # a number, which metadata holds as text
            members.append(f'"{name}":"%b"')
    return "{" + ",".join(members) + "}", [left_open[name] for name in content if name in left_open]


_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # as the SDK writes bodies
_MOST_CONVERSATIONS = 1024
_TICKET_NAMES = (TICKET.encode(), TICKET.lower().encode())
