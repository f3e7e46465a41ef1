"""The one way from who is calling to what a request carries; every door calls it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast

from . import carriers
from .call import CALL_FIELDS, Call, described, fresh_request_id
from .carriers import Carriers
from .context import current
from .endpoints import Endpoint, parse_endpoint
from .hints import Hints, merge_hints
from .identity import NOBODY, Identity
from .ladder import Ladder, Rung, verdict
from .notices import once
from .outgoing import Outgoing
from .plugins import Registry, registry
from .policy import Decision, Policy
from .privacy import Keyring, Privacy, guarded, pseudonym
from .profiles import BUILTIN, Profile
from .profiles.advertised import Advertised, Question
from .profiles.learned import Learned, Watch, watch
from .profiles.writing import annotate, native_fields, native_lines, values_of
from .receive import from_object, read
from .repeats import Ready, Repeats
from .settings import Settings
from .signature import key_bytes, sign
from .values import made_of
from .wire import BODY_KEY, MAX_HEADERS_BYTES, SIGNATURE, Record

__all__ = ["Pipeline", "Spelled", "Stamp", "Testimony", "Witness"]

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
_MOST_BESIDE_SIGNATURE = MAX_HEADERS_BYTES - 128
"""The line of a signature has 110 bytes until the year 2286."""


class Spelled(NamedTuple):
    """What one request says, and what carries it."""

    record: dict[str, Any]
    carriers: Carriers

    def signed(self, signature: str) -> Spelled:
        """The same with a signature in its headers."""
        return self._replace(carriers=Carriers({**self.carriers.headers, SIGNATURE: signature}, self.carriers.body))


class Stamp(NamedTuple):
    """What one request is to carry, and what is needed to send it again with less."""

    outgoing: Outgoing
    decision: Decision
    rung: Rung
    content: Spelled | Ready

    @property
    def record(self) -> dict[str, Any]:
        """What it says."""
        return self.content.record

    @property
    def carriers(self) -> Carriers:
        """What carries it."""
        return self.content.carriers

    def extra_body(self) -> Mapping[str, Any] | None:
        """The ``extra_body`` to send: a new mapping where something was added, else the caller's own."""
        added = self.carriers.body
        return {**(self.outgoing.extra or {}), **added} if added else self.outgoing.extra

    def header_lines(self) -> Mapping[str, Any] | None:
        """The headers to send: a new mapping where something was added, else the caller's own."""
        added = self.carriers.headers
        return {**(self.outgoing.headers or {}), **added} if added else self.outgoing.headers


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
        self.policy = Policy(settings, privacy, plugins=lambda: plugins.profiles, learned=_learned)
        self.ladder = _ladder if ladder is None else ladder
        if ladder is None:
            _ladder.keep_in(settings.rung_file(), carriers.digest(repr((settings.endpoints, settings.profiles))))
        _learned.keep_in(settings.recognised_file())
        self._named = named
        self.witness = witness
        self._plugins = plugins
        self._keyring = Keyring(settings.key_text(), settings.key_file())
        signing_key = settings.signing_key_text()
        self._signing_key = None if signing_key is None else key_bytes(signing_key)
        self._room = MAX_HEADERS_BYTES if signing_key is None else _MOST_BESIDE_SIGNATURE
        self._decisions: tuple[object, object, dict[int, tuple[object, Decision]]] = (None, None, {})
        """Made under what was learned, and under the plugins' profiles."""
        self._held: dict[str, tuple[Decision, bool]] = {}
        self._repeats = Repeats()

    def decide(self, base_url: object) -> Decision:
        """What the endpoint at ``base_url`` (text, or any URL object) may have."""
        learned, profiles, decisions = self._decisions
        if learned is not _learned.known or profiles is not self._plugins.profiles:
            decisions = dict[int, tuple[object, Decision]]()
            self._decisions = (_learned.known, self._plugins.profiles, decisions)
        known = decisions.get(id(base_url))
        if known is not None and known[0] is base_url:
            return known[1]
        decision = self._decide(str(base_url))
        if len(decisions) >= _MOST_ENDPOINTS:
            decisions.clear()
        decisions[id(base_url)] = (base_url, decision)
        return decision

    def _decide(self, base_url: str) -> Decision:
        endpoint = parse_endpoint(base_url)
        if self._named is not None and endpoint.host and self._named[0].origin == endpoint.origin:
            return self.policy.named(endpoint, self._named[1])
        return self.policy.decide(endpoint)

    def holds(self, decision: Decision, url: object) -> bool:
        """Whether ``decision`` holds for a request to ``url``, which is read anew."""
        text = str(url)
        known = self._held.get(text)
        if known is None or known[0] is not decision:
            if len(self._held) >= _MOST_ENDPOINTS:
                self._held.clear()
            there = self._decide(text)
            known = self._held[text] = decision, decision.covers(there)
            if not known[1]:
                message = "hermes-hints: a request for %s (%s) is led to %s (%s) and carries no hints"
                at = decision.endpoint.origin, decision.reason, there.endpoint.origin, there.reason
                once(logging.WARNING, ("led", *at), message, *at)
        return known[1]

    def stamp(
        self,
        outgoing: Outgoing,
        decision: Decision,
        identity: Identity | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Stamp | None:
        """What this request carries to this endpoint; ``None`` for nothing.

        ``identity`` and ``facts`` (fields of `Call` and `Hints`) are what the door itself knows. Who and which call win over
        the ambient scope; hints come under it, and over those of plugins. Never raises: a failure of our own is logged once.
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
        if identity is None and self.witness is not None:
            witnessed = self.witness.here()
            if witnessed is None:
                return None
            identity, facts = witnessed[0], {**witnessed[1], **facts}
        ambient = current()
        untouched = outgoing.untouched()
        own = {} if untouched else outgoing.own_fields()
        who = self._who(ambient.identity, identity, own)
        call = _call(ambient.call, facts, own)
        asked: Call | None = None
        hints: Mapping[str, Any] = {}
        if self._plugins.busy:
            asked = described(
                call,
                outgoing,
                model=model if isinstance(model, str) else None,
                base_url=_address(decision.endpoint),
                api=outgoing.api,
                stream=bool(outgoing.get("stream")),
            )
            # A copy: frozen as it is, a plugin can write past that, and this one may be the client's for good.
            shown = made_of(Identity, {**who.__dict__}, {*who.__pydantic_fields_set__})
            hints = self._plugins.contribute(asked, shown)
        if facts or ambient.hints:
            hints = _under(hints, facts, ambient.hints)
        ids = guarded(call, decision.privacy, self._keyring)
        # A message has a place of its own for the user, which `_carriers` knows.
        narrow = outgoing.strict or outgoing.api == "messages"
        open_to_all = outgoing.body_allowed and outgoing.headers_allowed and not narrow
        if untouched and open_to_all and rung is Rung.FULL and decision.profile is _DISPATCHER:
            content = self._all_three(who, ids, hints, decision.privacy)
        else:
            record = {**self._record(who, ids, hints, decision.privacy), **own}
            content = Spelled(record, self._carriers(outgoing, decision, rung, record))
            if decision.profile.span:
                annotate(values_of(decision.profile.span, record, self._hashed))
            if not (content.carriers.body or content.carriers.headers):
                return None
        if self._plugins.observed:
            carried = content.carriers
            copied = Carriers(dict(carried.headers), _copied(carried.body))
            self._plugins.observe(asked, Record.model_construct(**_copied(content.record)), copied)
        return Stamp(outgoing, decision, rung, content)

    def _who(self, ambient: Identity, told: Identity | None, own: dict[str, Any]) -> Identity:
        """The client's identity under the ambient scope's, the door's and, taken out of ``own``, the request's own."""
        who = self.identity if ambient is NOBODY else ambient.over(self.identity)
        if told is not None:
            who = told.over(who)
        if own:
            who = Identity(**{field: own.pop(field) for field in Identity.model_fields if field in own}).over(who)
        return who

    def _record(
        self, who: Identity, call: Mapping[str, Any], hints: Mapping[str, Any], privacy: Privacy
    ) -> dict[str, Any]:
        """The record of a ``call`` that is guarded already; nothing that may be changed in it is anyone else's."""
        record = {**guarded(who.fields(), privacy, self._keyring), **call, **hints}
        if "ext" in record:
            record["ext"] = {**record["ext"]}
        return record

    def _all_three(
        self, who: Identity, call: Mapping[str, Any], hints: Mapping[str, Any], privacy: Privacy
    ) -> Spelled | Ready:
        """What `_carriers` comes to for the profile ``dispatcher`` and a request of which all places are free, sooner."""
        content: Spelled | Ready | None = self._repeats.ready(who, call, hints, privacy)
        if content is not None and self._signing_key is None:
            return content
        record = self._record(who, call, hints, privacy)
        if content is None:
            body = {BODY_KEY: carriers.body_object(record), "metadata": carriers.metadata(record, ())}
            carried = Carriers(carriers.headers(record, (), self._room), body)
            content = self._repeats.keep(who, call, hints, privacy, carried) or Spelled(record, carried)
        return content if self._signing_key is None else content.signed(sign(record, self._signing_key))

    def _carriers(self, outgoing: Outgoing, decision: Decision, rung: Rung, record: dict[str, Any]) -> Carriers:
        profile = decision.profile
        body: dict[str, Any] = {}
        narrow = outgoing.strict or outgoing.has("user")
        if outgoing.body_allowed and rung is Rung.FULL:
            self._fill_body(body, outgoing, profile, record)
        elif rung is Rung.HEADERS and profile.body and outgoing.body_allowed and not narrow and "user_id" in record:
            body["user"] = record["user_id"]
        lines: dict[str, str] = {}
        if outgoing.headers_allowed and profile.heads:
            taken = {str(name).lower() for name, _ in outgoing.header_items()}
            said = _advertised.taken(_address(decision.endpoint)) if profile.advertised else None
            if profile.headers:
                key = self._signing_key
                lines = _welcome(carriers.headers(record, taken, self._room), said)
                if key is not None and SIGNATURE.lower() not in taken:
                    signature = {SIGNATURE: sign(_as_read(outgoing, lines, body, record), key)}
                    lines.update(_welcome(signature, said))
            if profile.native_headers or profile.json_headers or profile.baggage:
                lines.update(_welcome(native_lines(profile, outgoing, record, taken, self._hashed), said))
        return Carriers(lines, body)

    def _fill_body(self, body: dict[str, Any], outgoing: Outgoing, profile: Profile, record: dict[str, Any]) -> None:
        if profile.body and not outgoing.strict:
            given = outgoing.get(BODY_KEY)
            if given is None or isinstance(given, Mapping):
                body[BODY_KEY] = carriers.body_object(record)
                if given:
                    body[BODY_KEY].update(cast("Mapping[str, Any]", given))
        stored = profile.metadata == "always" or (profile.metadata == "stored" and outgoing.stored())
        if stored and not outgoing.strict:
            pairs = outgoing.merged("metadata")
            if pairs is not None:
                ours = carriers.metadata(record, pairs)
                if ours:
                    body["metadata"] = {**pairs, **ours}
        if profile.native_body or profile.request_metadata:
            native_fields(profile, outgoing, body, record, self._hashed)

    def _hashed(self, text: str) -> str:
        return pseudonym(self._keyring.key(), text)

    @staticmethod
    def question(decision: Decision) -> Question | None:
        """What to ask the endpoint before anything is stamped for it; ``None`` for nothing, as mostly."""
        return _advertised.question(_address(decision.endpoint)) if decision.profile.advertised else None

    def watch(self, client: Any, decision: Decision) -> Watch | None:
        """Look at the client's next answer, where it may tell what the endpoint is; `Watch.end` when it has come."""
        due = decision.recognisable and _learned.due(decision.endpoint)
        return watch(_learned, client, decision.endpoint) if due else None

    def step_down(self, stamp: Stamp, error: Exception) -> tuple[Stamp | None, bool] | None:
        """What to send after ``error``: the same request on a lower rung (``None``: bare), and whether we were named.

        ``None`` when the answer is the caller's business.
        """
        lower = verdict(error, stamp.rung, stamp.carriers.body, stamp.carriers.headers)
        if lower is None:
            return None
        rung, named = lower
        if self._outdated(stamp.decision):
            rung, stamp = Rung.FULL, stamp._replace(decision=self.policy.decide(stamp.decision.endpoint))
        if rung is Rung.BARE:
            return None, named
        return self.restamped(stamp, stamp.outgoing, rung), named

    def restamped(self, stamp: Stamp, outgoing: Outgoing, rung: Rung) -> Stamp:
        """The same for what has become of the request, or on another rung."""
        record = stamp.record
        carried = self._carriers(outgoing, stamp.decision, rung, record)
        return Stamp(outgoing, stamp.decision, rung, Spelled(record, carried))

    @staticmethod
    def _outdated(decision: Decision) -> bool:
        """Whether the endpoint was recognised since."""
        return decision.recognisable and _learned.profile(decision.endpoint.origin) is not None

    def settle(self, stamp: Stamp, rung: Rung, error: Exception, *, named: bool) -> None:
        """Remember that the endpoint refused ``stamp`` with ``error`` and answered well on ``rung``."""
        origin, model = stamp.decision.endpoint.origin, stamp.outgoing.get("model")
        if self._outdated(stamp.decision):
            return  # it was refused what it will not be sent again
        self.ladder.settle(origin, model, rung, named=named, status=getattr(error, "status_code", None))


def _call(ambient: Mapping[str, Any], facts: Mapping[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Call` from the ambient scope, the door and, taken out of ``own``, the request itself."""
    call = {**ambient}
    if facts:
        call.update(from_object({field: facts[field] for field in CALL_FIELDS if field in facts}))
    if own:
        call.update((field, own.pop(field)) for field in CALL_FIELDS if field in own)
    if "request_id" not in call:
        call["request_id"] = fresh_request_id()
    return call


def _under(hints: Mapping[str, Any], facts: Mapping[str, Any], ambient: Mapping[str, Any]) -> Mapping[str, Any]:
    """``hints`` under those of the door, and both under the ambient scope's."""
    told = {field: facts[field] for field in Hints.normalisers if field in facts}
    return merge_hints(merge_hints({**hints}, told), ambient) if told or ambient else hints


def _welcome(lines: dict[str, str], said: Collection[str] | None) -> dict[str, str]:
    """The lines whose names an endpoint says it takes; all of them where it does not say."""
    return lines if said is None else {name: line for name, line in lines.items() if name.lower() in said}


def _copied(value: Any) -> Any:
    """A copy that an observer may change without changing what is sent."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in cast("Mapping[str, Any]", value).items()}
    return [_copied(item) for item in cast("list[object]", value)] if isinstance(value, list) else value


_DISPATCHER = BUILTIN["dispatcher"]
_ladder = Ladder()
_learned = Learned()
_advertised = Advertised(_learned.asked)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_advertised.let_go)


@lru_cache(maxsize=_MOST_ENDPOINTS)
def _address(endpoint: Endpoint) -> str:
    return endpoint.origin + endpoint.path


def _as_read(
    outgoing: Outgoing, lines: Mapping[str, str], body: Mapping[str, Any], record: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What the receiver will read of a request that carries this."""
    if BODY_KEY in body and outgoing.untouched():
        return record
    pairs = [(name, value) for name, value in outgoing.header_items() if isinstance(value, str)]
    content = {key: body[key] if key in body else outgoing.get(key) for key in (BODY_KEY, "metadata")}
    return read([*pairs, *lines.items()], content).fields()
