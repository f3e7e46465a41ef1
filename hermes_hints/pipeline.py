"""The one way from who is calling to what a request carries; every door calls it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, cast

from . import carriers
from .call import CALL_FIELDS, Call
from .carriers import Carriers
from .context import current
from .endpoints import Endpoint, parse_endpoint
from .families import CONVERSE
from .hints import Hints, merge_hints
from .identity import NOBODY, Identity
from .ladder import Ladder, Rung, verdict
from .notices import once
from .plugins import Registry, registry
from .policy import Decision, Policy
from .privacy import Keyring, Privacy, guarded, pseudonym
from .profiles import Native, Profile
from .receive import from_headers, from_metadata, from_object, read
from .record import Record
from .settings import Settings
from .signature import key_bytes, sign
from .wire import BODY_KEY, MAX_HEADERS_BYTES, METADATA_PREFIX, SIGNATURE

__all__ = ["Outgoing", "Pipeline", "Stamp", "Testimony", "Witness"]

Testimony = tuple[Identity, Mapping[str, Any]]
"""Who a call is for, and fields of `Call` and of `Hints`."""


class Witness(Protocol):
    """A host that knows who its calls are for, also where the code that makes them does not."""

    def redeem(self, ticket: str) -> Testimony | None:
        """What was left under a ticket: the value of ``X-Hermes-Request-Id`` that the host put on a request of its own."""
        ...

    def here(self) -> Testimony | None:
        """Who the running code works for, for a request without a ticket; ``None`` when it is to go on as it is."""
        ...


_MOST_ENDPOINTS = 256
_OURS = "x-hermes-"
_MOST_BESIDE_SIGNATURE = MAX_HEADERS_BYTES - 128
"""The line of a signature has 110 bytes until the year 2286."""


class Outgoing(NamedTuple):
    """A request as its caller made it. The mappings are the caller's own objects: they are read, never changed."""

    api: str
    body: Mapping[str, Any] | None
    """The JSON body, or the SDK's keyword arguments."""
    extra: Mapping[str, Any] | None
    """What the SDK merges over the body: ``extra_body``."""
    headers: Mapping[str, Any] | None
    body_allowed: bool = True
    """Whether this API family may carry anything in its body."""
    client_headers: Mapping[str, Any] | None = None
    """What the caller has its client send with every request."""
    strict: bool = False
    """Whether its body may carry only what the API itself has a place for."""
    headers_allowed: bool = True
    """Whether it may carry headers."""

    def get(self, key: str) -> Any:  # noqa: ANN401 - whatever the caller put there
        """A top-level field as it would be sent."""
        if self.extra is not None and key in self.extra:
            return self.extra[key]
        return None if self.body is None else self.body.get(key)

    def has(self, key: str) -> bool:
        """Whether the caller set a top-level field."""
        return (self.extra is not None and key in self.extra) or (self.body is not None and key in self.body)

    def header_items(self) -> list[tuple[str, Any]]:
        """The caller's headers, those of this request before those of its client."""
        return [item for lines in (self.headers, self.client_headers) if lines for item in lines.items()]


class Stamp(NamedTuple):
    """One request's record, what it carries, and what is needed to send it again with less."""

    outgoing: Outgoing
    decision: Decision
    rung: Rung
    record: dict[str, Any]
    carriers: Carriers

    def extra_body(self) -> Mapping[str, Any] | None:
        """The ``extra_body`` to send: a new mapping where something was added, else the caller's own."""
        if not self.carriers.body:
            return self.outgoing.extra
        return {**(self.outgoing.extra or {}), **self.carriers.body}

    def header_lines(self) -> Mapping[str, Any] | None:
        """The headers to send: a new mapping where something was added, else the caller's own."""
        if not self.carriers.headers:
            return self.outgoing.headers
        return {**(self.outgoing.headers or {}), **self.carriers.headers}


class Pipeline:
    """Identity, hints, policy and profile for the requests of one client, or of a whole process.

    Raises:
        ConfigError: a setting is wrong.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        identity: Identity = NOBODY,
        privacy: Privacy | None = None,
        named: tuple[Endpoint, Profile] | None = None,
        witness: Witness | None = None,
        plugins: Registry = registry,
        ladder: Ladder | None = None,
    ) -> None:
        self.settings = settings
        self.identity = identity
        self.policy = Policy(settings, privacy)
        self.ladder = _ladder if ladder is None else ladder
        if ladder is None:
            _ladder.keep_in(settings.rung_file(), carriers.digest(repr(settings.endpoints)))
        self._named = named
        self.witness = witness
        self._plugins = plugins
        self._keyring = Keyring(settings.key_text(), settings.key_file())
        signing_key = settings.signing_key_text()
        self._signing_key = None if signing_key is None else key_bytes(signing_key)
        self._decisions: dict[int, tuple[object, Decision]] = {}

    def decide(self, base_url: object) -> Decision:
        """What the endpoint at ``base_url`` (text, or any URL object) may have."""
        known = self._decisions.get(id(base_url))
        if known is not None and known[0] is base_url:
            return known[1]
        decision = self._decide(str(base_url))
        if len(self._decisions) >= _MOST_ENDPOINTS:
            self._decisions.clear()
        self._decisions[id(base_url)] = (base_url, decision)
        return decision

    def _decide(self, base_url: str) -> Decision:
        endpoint = parse_endpoint(base_url)
        if self._named is not None and self._named[0].origin == endpoint.origin:
            return self.policy.named(endpoint, self._named[1])
        return self.policy.decide(endpoint)

    def stamp(
        self,
        outgoing: Outgoing,
        decision: Decision,
        identity: Identity | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Stamp | None:
        """What this request carries to this endpoint; ``None`` for nothing.

        ``identity`` and ``facts`` (fields of `Call` and `Hints`) are what the door itself knows. Who and which call win over
        the ambient scope; hints come under it, and over those of plugins.

        Never raises: a failure of our own is logged once, with its cause, and the request goes on as it is.
        """
        if decision.profile.silent:
            return None
        try:
            return self._stamp(outgoing, decision, identity, facts or {})
        except Exception as error:  # noqa: BLE001 - no request fails because of hints
            once(
                logging.ERROR,
                ("stamp", type(error)),
                "hermes-hints: a request to %s could not be stamped and goes on as it is",
                decision.endpoint.origin,
                cause=error,
                private=True,
            )
            return None

    def _stamp(
        self, outgoing: Outgoing, decision: Decision, identity: Identity | None, facts: Mapping[str, Any]
    ) -> Stamp | None:
        model = outgoing.get("model")
        rung = self.ladder.rung(decision.endpoint.origin, model) if self.ladder.holds_any else Rung.FULL
        if rung is Rung.BARE:
            return None
        told = self._told(identity, facts)
        if told is None:
            return None
        identity, facts = told
        ambient = current()
        own = _own_fields(outgoing)
        who = self._who(ambient.identity, identity, own)
        call = _call(ambient.call, facts, own)
        asked: Call | None = None
        hints: dict[str, Any] = {}
        if self._plugins.busy:
            asked = self._described(call, outgoing, decision, model)
            hints = self._plugins.contribute(asked, who)
        if facts:
            merge_hints(hints, {field: facts[field] for field in Hints.normalisers if field in facts})
        if ambient.hints:
            merge_hints(hints, ambient.hints)
        hints.update(own)
        record = {**who.fields(), **call, **hints}
        record = guarded(record, decision.privacy, self._keyring)
        carried = self._carriers(outgoing, decision, rung, record)
        if not (carried.body or carried.headers):
            return None
        if self._plugins.observed:
            shown = Carriers(dict(carried.headers), _copied(carried.body))
            self._plugins.observe(asked, Record.model_construct(**_copied(record)), shown)
        return Stamp(outgoing, decision, rung, record, carried)

    def _who(self, ambient: Identity, told: Identity | None, own: dict[str, Any]) -> Identity:
        """The client's identity under the ambient scope's, the door's and, taken out of ``own``, the request's own."""
        who = self.identity if ambient is NOBODY else ambient.over(self.identity)
        if told is not None:
            who = told.over(who)
        if own:
            who = Identity(**{field: own.pop(field) for field in Identity.model_fields if field in own}).over(who)
        return who

    def _told(
        self, identity: Identity | None, facts: Mapping[str, Any]
    ) -> tuple[Identity | None, Mapping[str, Any]] | None:
        """What the door knows, or else what the host does; ``None`` when the host wants the request left alone."""
        if identity is not None or self.witness is None:
            return identity, facts
        witnessed = self.witness.here()
        return None if witnessed is None else (witnessed[0], {**witnessed[1], **facts})

    @staticmethod
    def _described(call: dict[str, Any], outgoing: Outgoing, decision: Decision, model: object) -> Call:
        endpoint = decision.endpoint
        return Call.about(
            {
                **call,
                "model": model if isinstance(model, str) else None,
                "base_url": endpoint.origin + endpoint.path,
                "api": outgoing.api,
                "stream": bool(outgoing.get("stream")),
            },
            outgoing,
        )

    def _carriers(self, outgoing: Outgoing, decision: Decision, rung: Rung, record: dict[str, Any]) -> Carriers:
        profile = decision.profile
        body: dict[str, Any] = {}
        if outgoing.body_allowed and rung is Rung.FULL:
            self._fill_body(body, outgoing, profile, record)
        elif outgoing.body_allowed and not outgoing.strict and "user_id" in record and not outgoing.has("user"):
            body["user"] = record["user_id"]
        lines: dict[str, str] = {}
        if outgoing.headers_allowed and (profile.headers or profile.native_headers):
            taken = {str(name).lower() for name, _ in outgoing.header_items()}
            if profile.headers:
                key = self._signing_key
                lines = carriers.headers(record, taken, MAX_HEADERS_BYTES if key is None else _MOST_BESIDE_SIGNATURE)
                if key is not None and SIGNATURE.lower() not in taken:
                    lines[SIGNATURE] = sign(_as_read(outgoing, lines, body, record), key)
            for name, native in profile.native_headers.items():
                value = self._native(native, record)
                if value is not None and name.lower() not in taken:
                    lines[name] = carriers.encode(value)
        return Carriers(lines, body)

    def _fill_body(self, body: dict[str, Any], outgoing: Outgoing, profile: Profile, record: dict[str, Any]) -> None:
        if profile.body and not outgoing.strict:
            given = outgoing.get(BODY_KEY)
            if given is None or isinstance(given, Mapping):
                body[BODY_KEY] = carriers.body_object(record)
                if given:
                    body[BODY_KEY].update(cast("Mapping[str, Any]", given))
        stored = profile.metadata == "always" or (profile.metadata == "stored" and _is_stored(outgoing))
        if stored and not outgoing.strict:
            pairs = _callers_metadata(outgoing)
            if pairs is not None:
                ours = carriers.metadata(record, pairs)
                if ours:
                    body["metadata"] = {**pairs, **ours}
        self._fill_native(body, outgoing, profile, record)

    def _fill_native(self, body: dict[str, Any], outgoing: Outgoing, profile: Profile, record: dict[str, Any]) -> None:
        for name, native in profile.native_body.items():
            known = not native.apis or outgoing.api in native.apis
            value = self._native(native, record) if known else None
            if value is not None:
                _put(body, outgoing, name, value)
        if profile.request_metadata and outgoing.api == CONVERSE:
            pairs = _mapping(outgoing.get("requestMetadata"))
            ours = {} if pairs is None else carriers.request_metadata(record, pairs)
            if ours:
                body["requestMetadata"] = {**(pairs or {}), **ours}

    def _native(self, native: Native, record: Mapping[str, Any]) -> str | None:
        value = record.get(native.field)
        if value is None:
            return None
        text = carriers.text_of(value)
        if native.form == "hashed":
            text = pseudonym(self._keyring.key(), text)
        elif native.form == "token":
            text = carriers.routing_token(text)
        return text if len(text) <= native.limit else carriers.digest(text)

    def step_down(self, stamp: Stamp, error: Exception) -> tuple[Stamp | None, bool] | None:
        """What to send after ``error``: the same request on a lower rung (``None``: bare), and whether we were named.

        ``None`` when the answer is the caller's business.
        """
        lower = verdict(error, stamp.rung, stamp.carriers.body, stamp.carriers.headers)
        if lower is None:
            return None
        rung, named = lower
        if rung is Rung.BARE:
            return None, named
        carried = self._carriers(stamp.outgoing, stamp.decision, rung, stamp.record)
        return Stamp(stamp.outgoing, stamp.decision, rung, stamp.record, carried), named

    def settle(self, stamp: Stamp, rung: Rung, error: Exception, *, named: bool) -> None:
        """Remember that the endpoint refused ``stamp`` with ``error`` and answered well on ``rung``."""
        origin, model = stamp.decision.endpoint.origin, stamp.outgoing.get("model")
        self.ladder.settle(origin, model, rung, named=named, status=getattr(error, "status_code", None))


def _call(ambient: Mapping[str, Any], facts: Mapping[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Call` from the ambient scope, the door and, taken out of ``own``, the request itself."""
    call = dict(ambient)
    if facts:
        call.update((field, facts[field]) for field in CALL_FIELDS if field in facts)
    if own:
        call.update((field, own.pop(field)) for field in CALL_FIELDS if field in own)
    if "request_id" not in call:
        call["request_id"] = secrets.token_hex(16)
    return call


def _copied(value: Any) -> Any:  # noqa: ANN401 - any part of a JSON body
    """A copy that an observer may change without changing what is sent."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in cast("Mapping[str, Any]", value).items()}
    return [_copied(item) for item in cast("list[object]", value)] if isinstance(value, list) else value


_ladder = Ladder()


def _as_read(
    outgoing: Outgoing, lines: Mapping[str, str], body: Mapping[str, Any], record: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What the receiver will read of a request that carries this."""
    if BODY_KEY in body and not _own_fields(outgoing):
        return record
    pairs = [(name, value) for name, value in outgoing.header_items() if isinstance(value, str)]
    content = {key: body[key] if key in body else outgoing.get(key) for key in (BODY_KEY, "metadata")}
    return read([*pairs, *lines.items()], content).fields()


def _is_stored(outgoing: Outgoing) -> bool:
    store = outgoing.get("store")
    return store is not False if outgoing.api == "responses" else store is True


def _put(body: dict[str, Any], outgoing: Outgoing, name: str, value: str) -> None:
    """A native field, unless the caller set it."""
    inner = name.removeprefix("metadata.")
    if inner is name:
        if not outgoing.has(name):
            body[name] = value
        return
    pairs = body.get("metadata") or _callers_metadata(outgoing)
    if pairs is not None and inner not in pairs:
        body["metadata"] = {**pairs, inner: value}


def _mapping(found: object) -> Mapping[str, Any] | None:
    """What the caller set as a map, empty where it set nothing; ``None`` where it set something else."""
    return cast("Mapping[str, Any]", found or {}) if found is None or isinstance(found, Mapping) else None


def _callers_metadata(outgoing: Outgoing) -> Mapping[Any, Any] | None:
    """The caller's own pairs, from ``metadata`` and from ``extra_body``; ``None`` where they are no mapping."""
    under = None if outgoing.body is None else outgoing.body.get("metadata")
    over = None if outgoing.extra is None else outgoing.extra.get("metadata")
    if (under is None or isinstance(under, Mapping)) and (over is None or isinstance(over, Mapping)):
        return {**(under or {}), **(over or {})}  # pyright: ignore[reportUnknownVariableType]
    return None


def _own_fields(outgoing: Outgoing) -> dict[str, Any]:
    """What the caller itself put into the request under our names; the body's object wins, then headers."""
    own: dict[str, Any] = {}
    pairs = _callers_metadata(outgoing)
    if pairs and any(isinstance(key, str) and key.startswith(METADATA_PREFIX) for key in pairs):
        own.update(from_metadata(pairs))
    named = [
        (name, value)
        for name, value in outgoing.header_items()
        if isinstance(value, str) and name.lower().startswith(_OURS)
    ]
    if named:
        own.update(from_headers(named))
    if outgoing.has(BODY_KEY):
        own.update(from_object(outgoing.get(BODY_KEY)))
    return own
