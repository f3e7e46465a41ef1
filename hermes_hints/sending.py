"""One request of an OpenAI client: stamped, and on its way down the ladder.

``options`` is the SDK's ``FinalRequestOptions``, of either major; it and the client are ``Any`` here because the package
works without importing openai. Options are replaced, never changed: their parts are the caller's own objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .families import Family, family_of
from .ladder import Rung
from .pipeline import Outgoing, Pipeline, Stamp, Testimony, Witness
from .wire import TICKET

__all__ = ["Sending", "prepared"]


class Sending:
    """One request on its way down the ladder."""

    __slots__ = ("_bare", "_pipeline", "_refused", "_stamp", "options")

    def __init__(self, pipeline: Pipeline, stamp: Stamp | None, bare: Any, options: Any) -> None:
        self._pipeline = pipeline
        self._stamp = stamp
        self._bare = bare
        self._refused: tuple[Stamp, Exception, bool] | None = None
        self.options = options

    def step_down(self, error: Exception) -> bool:
        """Whether to send again, with ``options`` as they are now."""
        stamp = self._stamp
        down = None if stamp is None else self._pipeline.step_down(stamp, error)
        if stamp is None or down is None:
            return False
        lower, named = down
        if self._refused is None:
            self._refused = (stamp, error, named)
        self._stamp = lower
        self.options = self._bare if lower is None else _stamped_options(self._bare, lower)
        return True

    def answered(self) -> None:
        """Remember the rung that was answered well, where it is not the first."""
        if self._refused is not None:
            stamp, error, named = self._refused
            rung = Rung.BARE if self._stamp is None else self._stamp.rung
            self._pipeline.settle(stamp, rung, error, named=named)
            self._refused = None


def prepared(pipeline: Pipeline, client: Any, options: Any) -> Sending | None:
    """The stamped request; ``None`` when it is to go on as it is."""
    family = family_of(options.url)
    if family is None or options.files or options.method.lower() != "post":
        return None
    told = None if pipeline.witness is None else _ticket(options.headers, pipeline.witness)
    decision = pipeline.decide(options.url if "://" in options.url else client.base_url)
    if told is None:
        if decision.profile.silent:
            return None
        stamp = pipeline.stamp(_outgoing(client, options, family), decision)
        return None if stamp is None else Sending(pipeline, stamp, options, _stamped_options(options, stamp))
    identity, facts = told
    bare = options.model_copy(update={"headers": {key: line for key, line in options.headers.items() if key != TICKET}})
    stamp = pipeline.stamp(_outgoing(client, bare, family), decision, identity, facts)
    return Sending(pipeline, stamp, bare, bare if stamp is None else _stamped_options(bare, stamp))


def _ticket(headers: Any, witness: Witness) -> Testimony | None:
    lines = _mapping(headers)
    ticket = None if lines is None else lines.get(TICKET)
    return witness.redeem(ticket) if isinstance(ticket, str) else None


def _mapping(value: object) -> Mapping[str, Any] | None:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def _outgoing(client: Any, options: Any, family: Family) -> Outgoing:
    body = options.json_data
    readable = isinstance(body, Mapping)
    return Outgoing(
        api=family.api,
        body=_mapping(body),
        extra=options.extra_json,
        headers=_mapping(options.headers),
        client_headers=_mapping(getattr(client, "_custom_headers", None)),
        body_allowed=family.body and (readable or body is None) and getattr(options, "content", None) is None,
    )


def _stamped_options(options: Any, stamp: Stamp) -> Any:
    # httpx would carry the body and X- headers to wherever a redirect leads; the ladder follows it bare instead.
    changes: dict[str, Any] = {"follow_redirects": False}
    if stamp.carriers.body:
        changes["extra_json"] = stamp.extra_body()
    if stamp.carriers.headers:
        changes["headers"] = stamp.header_lines()
    return options.model_copy(update=changes)
