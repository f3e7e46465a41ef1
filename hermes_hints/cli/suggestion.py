"""Which profile and privacy fit an endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..endpoints import Endpoint
from ..privacy import Privacy
from ..profiles import BUILTIN, Profile

__all__ = ["misfit", "suggested"]

_BY_KIND: Mapping[str, Sequence[str]] = {"LiteLLM": ("litellm", "headers"), "Hermes": ("hermes", "off")}
_BY_HOST: Mapping[str, Sequence[str]] = {
    "api.openai.com": ("openai",),
    "api.anthropic.com": ("anthropic",),
    "openrouter.ai": ("openrouter", "off"),
}


def suggested(endpoint: Endpoint, kind: str | None) -> tuple[str, Privacy]:
    """A profile that exists and a privacy, by what the endpoint was recognised as, its host and its reach.

    For a public host every id is a pseudonym, unless the operator asks for something else.
    """
    fitting = (*_BY_KIND.get(kind or "", ()), *_BY_HOST.get(endpoint.host, ()), "dispatcher")
    profile = next(name for name in fitting if name in BUILTIN)
    return profile, "pseudonymous" if endpoint.reach == "public" and profile != "off" else "raw"


def misfit(profile: Profile, kind: str | None) -> str | None:
    """Why an endpoint of this kind should not have this profile; ``None`` where nothing speaks against it."""
    if kind == "LiteLLM" and profile.body:
        return "it passes the object hermes on to the providers behind it"
    if kind == "Hermes" and profile.headers:
        return "it would load the stored session that X-Hermes-Session-Id names"
    return None
