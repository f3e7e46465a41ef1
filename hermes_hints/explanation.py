"""Where each field of a request comes from and what becomes of it, read off the pipeline itself.

The pipeline stamps the request twice, as with the privacy ``raw`` and as it is: what differs is what privacy did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from . import carriers
from .hints import merge_hints
from .identity import Identity
from .ladder import Rung
from .outgoing import Outgoing
from .pipeline import Pipeline, Stamp
from .plugins import Registry
from .policy import Decision
from .settings import Settings
from .wire import BODY_KEY, MAX_HEADERS_BYTES

__all__ = [
    "REQUEST",
    "SHOWN_ONLY",
    "STAND_IN_KEY",
    "Explanation",
    "Overheard",
    "Row",
    "Source",
    "explained",
    "flat",
    "without_making_a_key",
]

Source = tuple[str, Mapping[str, Any]]
"""Who said something of a request, and what: fields as `flat` has them."""

STAND_IN_KEY = SecretStr("stand-in-for-a-key-that-is-not-made-by-looking")
"""In place of the operator's key where only the form of a request is shown."""

SHOWN_ONLY = "pseudonyms are shown under a key that serves for showing only: yours is made on first use"

REQUEST = "the request itself"
"""The source that is what the caller itself put there."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the record, or one entry of ``ext``."""

    field: str
    source: str
    value: str | None
    """As the endpoint sees it; ``None`` where it does not."""
    pseudonym: bool
    carried: Mapping[str, str]
    """By carrier (``body``, ``metadata``, ``headers``), the name under which it goes."""
    dropped: Mapping[str, str]
    """By carrier, or ``everywhere``, why it does not."""
    overridden: Mapping[str, str]
    """What other sources said, by source."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One request to one endpoint."""

    url: str
    profile: str
    privacy: str
    reason: str
    rung: str
    nothing: str | None
    """Why nothing at all is sent; ``None`` where something is."""
    notes: Sequence[str]
    """What else is to be known: of whole carriers, of plugins that failed, of what would change it."""
    fields: Sequence[Row]
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class Overheard(Registry):
    """The hint plugins of another registry, asked once; what each of them contributed is kept.

    Observers are not called, because nothing is sent.
    """

    def __init__(self, plugins: Registry) -> None:
        super().__init__()
        self._plugins = plugins
        self.busy = plugins.busy
        self.profiles = plugins.profiles
        self.said: list[tuple[str, dict[str, Any]]] | None = None

    def contributions(self, call: object, identity: object) -> list[tuple[str, dict[str, Any]]]:
        """What the plugins contributed when they were asked first."""
        if self.said is None:
            self.said = self._plugins.contributions(call, identity)
        return self.said

    def contribute(self, call: object, identity: object) -> Mapping[str, Any]:
        """The same, together."""
        hints: dict[str, Any] = {}
        for _, contributed in self.contributions(call, identity):
            merge_hints(hints, contributed)
        return hints


def explained(
    pipeline: Pipeline,
    decision: Decision,
    outgoing: Outgoing,
    identity: Identity,
    facts: Mapping[str, Any],
    sources: Callable[[], Sequence[Source]],
) -> Explanation:
    """Stamp ``outgoing`` for ``decision`` and tell of each field where it comes from and where it goes.

    ``identity`` and ``facts`` are those of `Pipeline.stamp`; ``sources`` is asked after it: the strongest first.
    """
    rung = pipeline.ladder.rung(decision.endpoint.origin, outgoing.get("model"))
    open_to_all = decision._replace(privacy="raw")
    whole = pipeline.stamp(outgoing, open_to_all, identity, facts)
    stamp = pipeline.stamp(outgoing, decision, identity, facts)
    carried = carriers.Carriers({}, {}) if stamp is None else stamp.carriers
    endpoint = decision.endpoint
    return Explanation(
        endpoint.origin + endpoint.path,
        decision.profile.name,
        decision.privacy,
        decision.reason,
        rung.name.lower(),
        None if stamp is not None else _why_nothing(decision, rung, whole),
        [] if stamp is None else _notes(stamp),
        [] if whole is None else _rows(whole, stamp, sources()),
        carried.headers,
        carried.body,
    )


def _why_nothing(decision: Decision, rung: Rung, whole: Stamp | None) -> str:
    if decision.profile.silent:
        return f"its profile is {decision.profile.name} ({decision.reason})"
    if rung is Rung.BARE:
        return "it refused hints for this model a short while ago"
    if whole is not None:
        return f"privacy {decision.privacy} leaves nothing that the profile {decision.profile.name} carries"
    return f"there is nothing that the profile {decision.profile.name} carries"


def _notes(stamp: Stamp) -> list[str]:
    notes: list[str] = []
    profile, outgoing = stamp.decision.profile, stamp.outgoing
    if stamp.rung in {Rung.HEADERS, Rung.HEADERS_ALONE}:
        notes.append("body: it refused hints in the body for this model a short while ago, so it gets headers only")
    elif not outgoing.body_allowed:
        notes.append(f"body: {outgoing.api} takes no further fields, so it gets headers only")
    elif outgoing.strict:
        notes.append(f"body: {outgoing.api} takes only what it has a place for")
    elif profile.metadata == "stored" and "metadata" not in stamp.carriers.body:
        notes.append("metadata: this endpoint takes it with requests that it stores, and this one is not stored")
    if not outgoing.headers_allowed:
        notes.append(f"headers: Hermes can put none on {outgoing.api}")
    return notes


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with each entry of ``ext`` under a name of its own."""
    rest = {field: value for field, value in record.items() if field != "ext"}
    return rest | {f"ext.{name}": value for name, value in record.get("ext", {}).items()}


def _rows(whole: Stamp, stamp: Stamp | None, sources: Sequence[Source]) -> list[Row]:
    before = flat(whole.record)
    after = {} if stamp is None else flat(stamp.record)
    lost = {field: None for _, said in sources for field in said if field not in before}
    rows: list[Row] = []
    for field, value in {**before, **lost}.items():
        saying = [(source, said[field]) for source, said in sources if field in said]
        if value is None:
            why = {"everywhere": _why_lost(field)}
            rows.append(Row(field, saying[0][0], None, pseudonym=False, carried={}, dropped=why, overridden={}))
            continue
        adding_up = saying if field == "labels" and saying[:1] != [(REQUEST, value)] else saying[:1]
        source = ", ".join(source for source, _ in adding_up) or "the ambient scope"
        weaker = saying[len(adding_up) :]
        others = {name: carriers.text_of(said) for name, said in weaker if said != value}
        if stamp is None or field not in after:
            why = {"everywhere": "nothing is sent" if stamp is None else f"privacy {stamp.decision.privacy} drops it"}
            rows.append(Row(field, source, None, pseudonym=False, carried={}, dropped=why, overridden=others))
            continue
        carried, dropped = _fate(field, after[field], stamp)
        shown = carriers.text_of(after[field])
        rows.append(Row(field, source, shown, after[field] != value, carried, dropped, others))
    return rows


def _why_lost(field: str) -> str:
    if field in Identity.model_fields:
        return "a stronger source names somebody or something else, which this does not belong to"
    return "a stronger source says all that there is room for, or the request itself has labels or ext of its own"


def _fate(field: str, value: object, stamp: Stamp) -> tuple[dict[str, str], dict[str, str]]:
    """By carrier: under which name the field goes, and why it does not."""
    carried: dict[str, str] = {}
    dropped: dict[str, str] = {}
    profile, body, lines = stamp.decision.profile, stamp.carriers.body, stamp.carriers.headers
    native = [name for name, told in profile.native_body.items() if told.field == field and _is_in(body, name)]
    native += ["user"] if field == "user_id" and "user" in body and "user" not in native else []
    names = [*([f"{BODY_KEY}.{field}"] if BODY_KEY in body else []), *native]
    if names:
        carried["body"] = ", ".join(names)
    alone: dict[str, Any] = {"ext": {field.removeprefix("ext."): value}} if field.startswith("ext.") else {field: value}
    pair, why = _pair(alone, stamp)
    if pair is not None:
        carried["metadata"] = pair
    elif why is not None:
        dropped["metadata"] = why
    if not stamp.outgoing.headers_allowed:
        return carried, dropped
    taken = {str(name).lower() for name, _ in stamp.outgoing.header_items()}
    own_name = {native: name for name, native in ((name, told.field) for name, told in profile.native_headers.items())}
    line = next(iter(carriers.headers(alone, ())), None) if profile.headers else None
    lists = {**profile.json_headers, "baggage": profile.baggage}
    inside = [name for name, told in lists.items() if any(native.field == field for native in told.values())]
    for name in (line, own_name.get(field), *inside):
        if name is not None and name in lines:
            carried["headers"] = ", ".join(filter(None, (carried.get("headers"), name)))
        elif name is not None:
            own = name.lower() in taken
            dropped["headers"] = (
                "the caller's own header stays" if own else f"no room: {MAX_HEADERS_BYTES} bytes at most"
            )
    if profile.headers and line is None:
        dropped.setdefault("headers", "has no header")
    return carried, dropped


def _pair(alone: Mapping[str, Any], stamp: Stamp) -> tuple[str | None, str | None]:
    """The key of the pair of metadata that holds the one field of ``alone``; else why there is none, if it is worth saying."""
    body = stamp.carriers.body
    holder = "requestMetadata" if "requestMetadata" in body else "metadata"
    if holder not in body or (holder == "metadata" and stamp.outgoing.strict):
        return None, None
    pair = next(iter(carriers.metadata(alone, ())), None)
    if pair is None:
        return None, "longer than 512 characters, or without a key"
    if pair in (stamp.outgoing.get(holder) or {}):
        return None, "the caller's own pair stays"
    return (pair, None) if pair in body[holder] else (None, f"no room: {carriers.MAX_PAIRS} pairs at most")


def _is_in(body: Mapping[str, Any], name: str) -> bool:
    """Whether a body has that field; ``metadata.user_id`` is one within another."""
    found: Any = body
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return False
        found = found[part]  # pyright: ignore[reportUnknownVariableType]
    return True


def without_making_a_key(settings: Settings) -> tuple[Settings, bool]:
    """The settings, with a key that only serves for showing where there is none yet; whether it does."""
    if settings.key_text() is not None or settings.key_file().exists():
        return settings, False
    return settings.model_copy(update={"pseudonym_key": STAND_IN_KEY}), True
