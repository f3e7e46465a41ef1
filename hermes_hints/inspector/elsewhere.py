"""What a call that has passed would carry with another profile, by the pipeline that stamps real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast, get_args

from ..endpoints import Endpoint, family_of
from ..errors import ConfigError
from ..explanation import SHOWN_ONLY, Explanation, Overheard, explained, flat, without_making_a_key
from ..identity import Identity
from ..ladder import Ladder
from ..outgoing import Outgoing
from ..pipeline import Pipeline
from ..plugins import Registry
from ..privacy import Privacy
from ..profiles import Profile, find_profile
from ..settings import Settings
from ..wire import SIGNATURE
from .calls import PassedCall

__all__ = ["Elsewhere"]

_ARRIVED = "as it arrived"


class Elsewhere:
    """Writes calls anew for ``endpoint``, as if the operator had given it another of ``profiles``.

    A record that was sent with less privacy can be made more private, and not the other way round.
    """

    def __init__(self, settings: Settings, endpoint: Endpoint, profiles: Mapping[str, Profile]) -> None:
        self._settings, self._stand_in = without_making_a_key(settings)
        self._endpoint = endpoint
        self.profiles = profiles

    def told(self, call: PassedCall, profile: str, privacy: str) -> dict[str, Any]:
        """What ``call`` would carry, as JSON holds it.

        Raises:
            ConfigError: there is no such profile or privacy.
        """
        if privacy not in get_args(Privacy):
            msg = f"privacy: there is none {privacy!r}; use one of {', '.join(get_args(Privacy))}"
            raise ConfigError(msg)
        chosen = find_profile(profile, known=self.profiles)
        pipeline = Pipeline(
            self._settings,
            privacy=cast("Privacy", privacy),
            named=(self._endpoint, chosen),
            plugins=Overheard(Registry()),  # what plugins said has arrived with the call
            ladder=Ladder(),
        )
        told = explained(
            pipeline,
            pipeline.decide(self._endpoint.origin + self._endpoint.path),
            _outgoing(call),
            Identity(**{name: value for name, value in call.arrived.record.items() if name in Identity.model_fields}),
            {name: value for name, value in call.arrived.record.items() if name not in Identity.model_fields},
            lambda: [(_ARRIVED, flat(call.arrived.record))],
        )
        if self._stand_in and any(row.pseudonym for row in told.fields):
            told = replace(told, notes=[*told.notes, SHOWN_ONLY])
        return asdict(_unsigned(told))


def _outgoing(call: PassedCall) -> Outgoing:
    """The request as it was before it carried hints, as far as profiles look at it."""
    arrived = call.arrived
    family = family_of(f"http://any{arrived.path}")
    body: dict[str, Any] = {"model": arrived.model, "stream": arrived.stream, "store": arrived.stored}
    if arrived.other_metadata:
        body["metadata"] = dict.fromkeys(arrived.other_metadata, "(the caller's own)")
    return Outgoing(
        arrived.api,
        body,
        None,
        None,
        body_allowed=family is not None and family.body,
        strict=family is not None and family.strict,
    )


def _unsigned(told: Explanation) -> Explanation:
    """Without a signature that somebody could use."""
    if SIGNATURE not in told.headers:
        return told
    return replace(told, headers={**told.headers, SIGNATURE: "(signed)"})
