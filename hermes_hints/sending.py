"""One request of an OpenAI client: stamped, and on its way down the ladder.

``options`` is the SDK's ``FinalRequestOptions``, of either major; it and the client are ``Any``, as openai is not imported
here. Options are replaced, never changed: their parts are the caller's own objects.
"""

from __future__ import annotations

import io
import logging
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol, cast

from .carriers import Line, lines_of
from .endpoints import Family, family_of
from .ladder import Rung
from .notices import once
from .outgoing import Outgoing
from .pipeline import Pipeline, Spelled, Stamp, Testimony, Witness
from .policy import Decision
from .profiles.advertised import Question
from .repeats import Ready
from .wire import BODY_KEY, HEADERS, SIGNATURE, TICKET

__all__ = ["Door", "Sending", "prepared"]

logger = logging.getLogger(__name__)


class Door(Protocol):
    """What stands at the requests of a client."""

    @property
    def pipeline(self) -> Pipeline:
        """What stamps them."""
        ...

    def builds(self, client: Any) -> bool:
        """Whether `Sending.build` is where each request of this client is built, with nothing in front."""
        ...


class Sending:
    """One request on its way down the ladder; without a ``stamp``, as it is."""

    __slots__ = (
        "_before",
        "_family",
        "_onward",
        "_pipeline",
        "_refused",
        "_stamp",
        "_strayed",
        "_whole",
        "bare",
        "client",
        "door",
        "options",
        "watch",
    )

    def __init__(
        self, door: Door, client: Any, bare: Any, family: Family | None = None, stamp: Stamp | None = None
    ) -> None:
        self.door = door
        self.client = client
        self.bare = bare
        self._before = {**bare.__dict__}
        self._pipeline = door.pipeline
        self._family = family
        self._stamp = stamp
        self._whole = stamp is None or not door.builds(client)
        self._strayed = False
        self._onward: Any = None
        self._refused: tuple[Stamp, Exception, bool] | None = None
        self.options = bare if stamp is None else self._stamped(stamp)
        self.watch = None if stamp is None else door.pipeline.watch(client, stamp.decision)
        """Looks at the answer where it may tell what the endpoint is; whoever sends ends it."""

    def same_as(self, options: Any) -> bool:
        """Whether ``options`` are of this very call, and not of another that is made on its way."""
        return options.json_data is self.options.json_data and options.method == self.bare.method

    def unstamped(self, options: Any) -> Any:
        """``options`` that a wrapper made of these, without what was stamped here; the same object where nothing was."""
        stamp = self._stamp
        if stamp is None:
            return options
        changes: dict[str, Any] = {}
        carried = stamp.carriers
        for part, added in (("extra_json", carried.body), ("headers", carried.headers)):
            given = _mapping(getattr(options, part))
            ours = [name for name, value in added.items() if given is not None and given.get(name) == value]
            if given is not None and ours:
                before = getattr(self.bare, part)
                own = _mapping(before) or {}
                kept = {name: value for name, value in given.items() if name not in ours}
                kept.update((name, own[name]) for name in ours if name in own)
                changes[part] = kept if kept or own else before
        if options.follow_redirects is False and self.bare.follow_redirects is not False:
            changes["follow_redirects"] = self.bare.follow_redirects
        return options.model_copy(update=changes) if changes else options

    def _made_of(self, options: Any) -> bool:
        """Whether a request of these ``options`` asks for what this one does: on the way the client may build others."""
        bare = self.bare
        return options.method == bare.method and (options.url == bare.url or family_of(options.url) is self._family)

    def build(self, inner: Callable[..., Any], options: Any, rest: Mapping[str, Any]) -> Any:
        """Call ``inner``, the client's own ``_build_request``, and give what it builds the rest of what was stamped.

        What would go where nothing was decided for is built without hints. ``options`` are the client's own copy, where it
        then reads whether to follow redirects. Raises nothing of its own.
        """
        ours = self._made_of(options) or self.same_as(options)  # before the client of an Azure model writes into them
        if ours and self._onward is not None:
            return self._onward
        request = inner(options, **rest)
        stamp = self._stamp
        if stamp is None:
            return request
        try:
            again = self._completed(request, options, stamp, ours=ours)
        except Exception as problem:  # noqa: BLE001 - no request fails because of hints
            _own_failure(problem, "a request could not be given its hints and goes on without them")
            again = self.bare
        return request if again is None else inner(again, **rest)

    def _completed(self, request: Any, options: Any, stamp: Stamp, *, ours: bool) -> Any:
        """Give ``request`` what its options do not have. Other options to build it of where that cannot be, or may not."""
        strayed = not self._pipeline.holds(stamp.decision, request.url)
        if not ours:
            bare = self.unstamped(options)
            carries = bare.extra_json is not options.extra_json or bare.headers is not options.headers
            return bare if strayed and carries else None
        self._strayed = strayed
        if strayed:
            options.__dict__["follow_redirects"] = self._before["follow_redirects"]
            return self.unstamped(options)
        if self._whole or options is self.bare:
            return None
        # httpx would carry the body and X- headers to wherever a redirect leads; the ladder follows it bare instead.
        options.__dict__["follow_redirects"] = False
        return None if self._given(request, options, stamp.content) else self._spelled_out(options, stamp)

    def _stamped(self, stamp: Stamp) -> Any:
        """The options to send, of which `build` does the rest where it can."""
        ready = not self._whole and isinstance(stamp.content, Ready)
        return self.bare if ready else _stamped_options(self.bare, stamp, whole=self._whole)

    def _given(self, request: Any, options: Any, content: Spelled | Ready) -> bool:
        """Add to ``request`` what its options do not have; whether that could be done."""
        ready = content if isinstance(content, Ready) else None
        lines = lines_of(content.carriers.headers) if ready is None else ready.lines
        if not lines:
            return True
        kinds = _kinds(request.__class__)
        if kinds is None or request.headers.__class__ is not kinds[0]:
            return False
        # Anything that httpx itself offers encodes, or compares, each header with every other again.
        held: list[Line] = request.headers._list  # noqa: SLF001
        present = [*map(_lower, held)]
        if ready is not None:
            for part in (options.json_data, options.extra_json):
                if part and ("metadata" in part or BODY_KEY in part):
                    return False
            if request.stream.__class__ is not kinds[1] or not _append(request, held, present, ready.tail):
                return False
        if not (_NAMES if ready is not None else frozenset(map(_lower, lines))).isdisjoint(present):
            ours = set(map(_lower, lines))
            held[:] = [line for line in held if line[1] not in ours]
        held.extend(lines)
        return True

    def _spelled_out(self, options: Any, stamp: Stamp) -> Any:
        """``options`` with all of it, beside what a wrapper may have put there since."""
        outgoing = _outgoing(self.client, options, cast("Family", self._family))
        return _stamped_options(options, self._pipeline.restamped(stamp, outgoing, stamp.rung), whole=True)

    def step_down(self, error: Exception) -> bool:
        """Whether to send again, with ``options`` as they are now. Never raises."""
        try:
            return self._step_down(error)
        except Exception as problem:  # noqa: BLE001 - the caller is to see the error that it would see without hints
            _own_failure(problem, "an error could not be read and is passed on as it is")
            return False

    def _step_down(self, error: Exception) -> bool:
        stamp = self._stamp
        if stamp is None or self._strayed:
            return False
        if not self._whole:
            # Code below may have written into the options that it was handed.
            self.bare = self.bare.model_copy()
            self.bare.__dict__.update(self._before)
        response = getattr(error, "response", None)
        onward = getattr(response, "next_request", None)
        if response is not None and onward is not None:
            follows = self.bare.follow_redirects
            if follows is False or (follows is None and not self.client._client.follow_redirects):  # noqa: SLF001
                return False
            if onward.method.lower() != self.bare.method.lower():
                # The call has been made, and this asks what it came to.
                if _place(onward.url) != _place(response.request.url) and _signs(self.client):
                    return False
                for name in stamp.carriers.headers:
                    onward.headers.pop(name, None)
                self._onward, self._stamp, self.options = onward, None, self.bare
                return True
        down = self._pipeline.step_down(stamp, error)
        if down is None:
            return False
        lower, named = down
        if self._refused is None:
            self._refused = (stamp, error, named)
        self._stamp = lower
        self.options = self.bare if lower is None else self._stamped(lower)
        return True

    def answered(self) -> None:
        """Remember the rung that was answered well, where it is not the first. Never raises."""
        if self._refused is not None:
            stamp, error, named = self._refused
            rung = Rung.BARE if self._stamp is None else self._stamp.rung
            try:
                self._pipeline.settle(stamp, rung, error, named=named)
            except Exception as problem:  # noqa: BLE001 - the answer is good
                _own_failure(problem, "what an endpoint refuses could not be remembered")
            self._refused = None


def _place(url: Any) -> tuple[Any, ...]:
    return url.scheme, url.host, url.port


def _signs(client: Any) -> bool:
    """Whether such a client may put a credential into each request that it sends, also where a redirect leads elsewhere."""
    if client._client.auth is not None or getattr(client, "_provider_runtime", None) is not None:  # noqa: SLF001
        return True
    own = (getattr(client.__class__, name, None) for name in ("_prepare_request", "_custom_auth", "custom_auth"))
    makers = [getattr(getattr(found, "fget", found), "__module__", "") for found in own if found is not None]
    return not all(maker.startswith(("openai.", "anthropic.")) for maker in makers)


@lru_cache(maxsize=8)
def _kinds(kind: Any) -> tuple[Any, Any] | None:
    """Of what kind headers and stream of such a request are, where they are kept as both majors of httpx do."""
    try:
        tried = kind("POST", "http://localhost", headers={"A": "b"}, content=b"{}")
        headers, stream = tried.headers, tried.stream
        lines = {(b"A", b"a", b"b"), (b"Content-Length", _LENGTH, b"2")}
        known = lines.issubset(headers._list) and tried._content == b"{}" and [*stream.__class__(b"[]")] == [b"[]"]  # noqa: SLF001
    except Exception as problem:  # whatever another kind of request raises
        logger.debug("hermes-hints: requests of the kind %s are given hints by their options", kind, exc_info=problem)
        return None
    return (headers.__class__, stream.__class__) if known and kind.__module__.startswith("httpx") else None


def _append(request: Any, held: list[Line], names: list[bytes], tail: bytes) -> bool:
    """Put ``tail`` at the end of the JSON object that is the body of ``request``; whether it is one, and not empty."""
    body: bytes = request._content  # noqa: SLF001
    if body[:2] != b'{"' or body[-1:] != b"}" or _LENGTH not in names:
        return False
    # What a BytesIO is made of it writes to where it is, and need not copy, as soon as nobody else holds it.
    held_in, writer = request.stream.__class__, io.BytesIO(body)
    del body, request._content, request.stream  # noqa: SLF001
    writer.seek(-1, io.SEEK_END)
    writer.write(b"," + tail)
    whole = request._content = writer.getvalue()  # noqa: SLF001
    request.stream = held_in(whole)
    held[names.index(_LENGTH)] = (b"Content-Length", _LENGTH, b"%d" % len(whole))
    return True


_LENGTH = b"content-length"
_NAMES = frozenset(name.lower().encode() for name in (*dict(HEADERS).values(), SIGNATURE))
_lower = operator.itemgetter(1)


def _own_failure(problem: Exception, what: str) -> None:
    once(logging.ERROR, ("sending", what, type(problem)), "hermes-hints: %s", what, cause=problem, private=True)


def prepared(
    door: Door, client: Any, options: Any, outer: Sending | None = None, *, asked: bool = False
) -> Sending | Question | None:
    """The request of ``client`` as it is to be sent; ``None`` when it is to go on as it is.

    Unless the endpoint was ``asked`` what it takes, it may be a question instead. ``outer`` is the request on whose way this
    one is made: where a wrapper passes it on, it is decided anew.
    """
    family = family_of(options.url)
    if family is None or options.files or options.method.lower() != "post":
        return None
    pipeline = door.pipeline
    decision = _decided(pipeline, client, options.url)
    if decision.profile.advertised and not asked and (question := pipeline.question(decision)) is not None:
        return question
    told = None if pipeline.witness is None else _ticket(options.headers, pipeline.witness)
    bare = options if outer is None else outer.unstamped(options)
    if told is not None:
        lines = {name: line for name, line in bare.headers.items() if name != TICKET}
        bare = bare.model_copy(update={"headers": lines})
    elif bare is options and decision.profile.silent:
        return None
    identity, facts = told or (None, None)
    stamp = pipeline.stamp(_outgoing(client, bare, family), decision, identity, facts)
    if stamp is None and bare is options:
        return None
    return Sending(door, client, bare, family, stamp)


def _decided(pipeline: Pipeline, client: Any, url: str) -> Decision:
    """What the endpoint may have that a request to ``url`` goes to."""
    if "://" in url:
        return pipeline.decide(url)
    decision = pipeline.decide(client.base_url)
    # Azure's clients send some requests to the endpoint that they were made for, whatever `base_url` says since.
    azure = getattr(client, "_azure_endpoint", None)
    if azure is None or getattr(client, "_azure_deployment", None) is None:
        return decision
    another = pipeline.decide(azure)
    return decision if another.alike(decision) else decision.withheld("an Azure client with two endpoints")


def _ticket(headers: Any, witness: Witness) -> Testimony | None:
    lines = _mapping(headers)
    ticket = None if lines is None else lines.get(TICKET)
    return witness.redeem(ticket) if isinstance(ticket, str) else None


def _mapping(value: object) -> Mapping[str, Any] | None:
    if value is None or type(value) is dict:
        return cast("dict[str, Any] | None", value)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def _outgoing(client: Any, options: Any, family: Family) -> Outgoing:
    given = options.json_data
    body = _mapping(given)
    readable = (body is not None or given is None) and getattr(options, "content", None) is None
    lines, own = options.headers, getattr(client, "_custom_headers", None)
    # By position: by name it takes a microsecond more.
    return Outgoing(
        family.api,
        body,
        options.extra_json,
        _mapping(lines) if lines else None,
        family.body and readable,
        _mapping(own) if own else None,
        family.strict,
    )


def _stamped_options(options: Any, stamp: Stamp, *, whole: bool) -> Any:
    changes: dict[str, Any] = {"follow_redirects": False}
    carried = stamp.carriers
    if carried.body:
        changes["extra_json"] = stamp.extra_body()
    if whole and carried.headers:
        changes["headers"] = stamp.header_lines()
    return options.model_copy(update=changes)
