"""Who gets what: from an endpoint to a profile and a privacy."""

from __future__ import annotations

import logging
from typing import NamedTuple

from .endpoints import Endpoint, Match, parse_match
from .notices import once
from .privacy import Privacy, strictest
from .profiles import BUILTIN, Profile
from .settings import Settings

__all__ = ["Decision", "Policy"]


class Decision(NamedTuple):
    """What one endpoint may have, and by which rule."""

    endpoint: Endpoint
    profile: Profile
    privacy: Privacy
    reason: str

    def alike(self, other: Decision) -> bool:
        """Whether what was stamped for the one may go to the other."""
        return (
            self.endpoint.origin == other.endpoint.origin
            and self.profile is other.profile
            and self.privacy == other.privacy
        )


class Policy:
    """The operator's ``endpoints``, then the built-in rule: your own networks get everything, public hosts nothing."""

    __slots__ = ("_privacy", "_rules")

    def __init__(self, settings: Settings, privacy: Privacy | None = None) -> None:
        self._rules: tuple[tuple[Match, Profile, Privacy], ...] = tuple(
            (parse_match(rule.match), BUILTIN[rule.profile], rule.privacy) for rule in settings.endpoints
        )
        self._privacy: Privacy = strictest(settings.privacy, privacy or "raw")

    def decide(self, endpoint: Endpoint) -> Decision:
        """What ``endpoint`` may have. A public host that nobody named gets nothing, which is said once in the log."""
        for match, profile, privacy in self._rules:
            if match.covers(endpoint):
                return Decision(endpoint, profile, strictest(privacy, self._privacy), f"endpoints: {match.text}")
        if endpoint.reach == "public":
            once(
                logging.WARNING,
                ("public", endpoint.origin),
                "hermes-hints: %s is a public host that settings do not name: its requests carry no hints. To send some, add "
                "to endpoints: {match: %s, profile: …}",
                endpoint.origin or "an endpoint without a readable base URL",
                endpoint.host or "…",
            )
            return Decision(endpoint, BUILTIN["off"], self._privacy, "a public host that nobody named")
        return Decision(endpoint, BUILTIN["dispatcher"], self._privacy, f"a {endpoint.reach} address")

    def named(self, endpoint: Endpoint, profile: Profile) -> Decision:
        """What an endpoint may have for which the program itself named the profile."""
        privacy = self._privacy
        for match, _, asked in self._rules:
            if match.covers(endpoint):
                privacy = strictest(asked, privacy)
                break
        return Decision(endpoint, profile, privacy, "named by the program")
