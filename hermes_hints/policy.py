"""Who gets what: from an endpoint to a profile and a privacy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .endpoints import Endpoint, Match, parse_match
from .notices import once
from .privacy import Privacy, strictest
from .profiles import BUILTIN, Profile
from .profiles.learned import Learned
from .settings import Settings

__all__ = ["Decision", "Policy"]


class Decision(NamedTuple):
    """What one endpoint may have, and by which rule."""

    endpoint: Endpoint
    profile: Profile
    privacy: Privacy
    reason: str
    recognisable: bool = False
    """Whether the endpoint's answers may give it another profile."""
    chosen: bool = False
    """Whether an entry of the operator's ``endpoints`` decided."""

    def withheld(self, reason: str) -> Decision:
        """The same endpoint, that is to have nothing."""
        return self._replace(profile=BUILTIN["off"], reason=reason, recognisable=False)

    def alike(self, other: Decision) -> bool:
        """Whether what was stamped for the one may go to the other."""
        return (
            self.endpoint.origin == other.endpoint.origin
            and self.profile is other.profile
            and self.privacy == other.privacy
        )

    def covers(self, other: Decision) -> bool:
        """The same where ``other`` was decided later: of endpoints that nobody named, what is known may have changed since."""
        named = self.chosen or other.chosen
        if named:
            return self.alike(other)
        return self.endpoint.origin == other.endpoint.origin and self.privacy == other.privacy


def _no_profiles() -> Mapping[str, Profile]:
    return {}


class Policy:
    """The operator's ``endpoints``, then the built-in rule: your own networks get everything, public hosts nothing.

    ``plugins`` gives the profiles that hint plugins declare, ``learned`` the endpoints that were recognised.
    """

    __slots__ = ("_learned", "_plugins", "_privacy", "_profiles", "_rules")

    def __init__(
        self,
        settings: Settings,
        privacy: Privacy | None = None,
        *,
        plugins: Callable[[], Mapping[str, Profile]] = _no_profiles,
        learned: Learned | None = None,
    ) -> None:
        self._rules: tuple[tuple[Match, str, Privacy], ...] = tuple(
            (parse_match(rule.match), rule.profile, rule.privacy) for rule in settings.endpoints
        )
        self._profiles = settings.known_profiles()
        self._plugins = plugins
        self._learned = learned
        self._privacy: Privacy = strictest(settings.privacy, privacy or "raw")

    def decide(self, endpoint: Endpoint) -> Decision:
        """What ``endpoint`` may have. A public host that nobody named gets nothing, which is said once in the log."""
        for match, name, asked in self._rules:
            if match.covers(endpoint):
                privacy = strictest(asked, self._privacy)
                profile = self._profiles.get(name) or self._plugins().get(name)
                if profile is None:
                    return self._without_profile(endpoint, match, name, privacy)
                return Decision(endpoint, profile, privacy, f"endpoints: {match.text}", chosen=True)
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
        reason = f"a {endpoint.reach} address"
        known = None if self._learned is None else self._learned.profile(endpoint.origin)
        if known is not None:
            kind = "LiteLLM" if known is BUILTIN["litellm"] else "a Hermes"
            return Decision(endpoint, known, self._privacy, f"{reason} that answers as {kind} does")
        return Decision(endpoint, BUILTIN["dispatcher"], self._privacy, reason, recognisable=True)

    @staticmethod
    def _without_profile(endpoint: Endpoint, match: Match, name: str, privacy: Privacy) -> Decision:
        once(
            logging.ERROR,
            ("profile", name),
            "hermes-hints: endpoints: %s has the profile %s, which no loaded hint plugin declares: its requests carry no hints. "
            "Load the plugin that does, or choose another profile",
            match.text,
            name,
        )
        return Decision(
            endpoint,
            BUILTIN["off"],
            privacy,
            f"endpoints: {match.text}, whose profile {name} is not there",
            chosen=True,
        )

    def named(self, endpoint: Endpoint, profile: Profile) -> Decision:
        """What an endpoint may have for which the program itself named the profile."""
        privacy = self._privacy
        for match, _, asked in self._rules:
            if match.covers(endpoint):
                privacy = strictest(asked, privacy)
                break
        return Decision(endpoint, profile, privacy, "named by the program")
