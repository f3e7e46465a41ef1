"""The model endpoints that a Hermes is configured to use, and what the APIs that it speaks may carry."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ..endpoints import CONVERSE, FAMILIES, Endpoint, Family, parse_endpoint, parse_match
from ..hermes.host import found_at
from ..outgoing import Outgoing
from ..settings import Settings

__all__ = ["APIS", "Target", "api_of", "find_targets", "named_targets", "outgoing_to", "single_endpoint"]

_URLS = ("base_url", "url", "api", "baseUrl")
_KEYS = ("api_key", "apiKey")
_KEY_VARIABLES = ("key_env", "api_key_env", "keyEnv", "apiKeyEnv")
_ELSEWHERE = frozenset({"", "auto", "main"})
"""What stands for another entry, or for Hermes' own choice."""


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint, and all places of the configuration that lead there."""

    places: tuple[str, ...]
    base_url: str
    endpoint: Endpoint
    model: str | None
    api_mode: str | None
    key: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The URL without credentials and query."""
        return self.endpoint.origin + self.endpoint.path if self.endpoint.host else "a URL that cannot be read"


@dataclass(frozen=True, slots=True)
class _Entry:
    place: str
    provider: str
    url: str
    told: Mapping[str, Any]


def find_targets(configuration: Mapping[str, Any]) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """The endpoints in the order in which Hermes would come to them, and a sentence for each place that cannot be told from here."""
    entries = [*_entries(configuration)]
    named = {entry.provider: entry for entry in entries if entry.place.startswith(("providers.", "custom_providers."))}
    found: dict[str, Target] = {}
    unknown: list[str] = []
    for entry in entries:
        declared = named.get(entry.provider.removeprefix("custom:"))
        told = {
            **(declared.told if declared is not None else {}),
            **{key: value for key, value in entry.told.items() if value},
        }
        url = entry.url or (declared.url if declared is not None else "") or _of_hermes(entry.provider)
        if not url:
            if entry.provider not in _ELSEWHERE or entry.place == "model":
                provider = f"provider {entry.provider}" if entry.provider not in _ELSEWHERE else "no provider is named"
                unknown.append(f"{entry.place}: {provider}, and where that leads is not known here")
            continue
        endpoint = parse_endpoint(url)
        key = (endpoint.origin or url) + endpoint.path
        before = found.get(key)
        found[key] = Target(
            ((*before.places, entry.place) if before is not None else (entry.place,)),
            url,
            endpoint,
            (before.model if before is not None else None) or _text(told, "default", "model", "default_model"),
            (before.api_mode if before is not None else None) or _api_mode(entry.provider, endpoint, told),
            (before.key if before is not None else None) or _key(told),
        )
    return tuple(found.values()), tuple(unknown)


def named_targets(settings: Settings, found: Sequence[Target]) -> tuple[Target, ...]:
    """The single endpoints that the settings name and decide about, and that are not among those found."""
    named: list[Target] = []
    matches = [parse_match(rule.match) for rule in settings.endpoints]
    for position, rule in enumerate(settings.endpoints):
        endpoint = single_endpoint(rule.match)
        if endpoint is None or any(earlier.covers(endpoint) for earlier in matches[:position]):
            continue
        if not any(matches[position].covers(target.endpoint) for target in found):
            named.append(Target((f"endpoints.{position}",), endpoint.origin + endpoint.path, endpoint, None, None))
    return tuple(named)


def single_endpoint(match: str) -> Endpoint | None:
    """The endpoint that a ``match`` names, where it names a single one; without a scheme, https for a public host."""
    parsed = parse_match(match)
    if parsed.host.startswith("*") or (parsed.network is not None and parsed.network.num_addresses > 1):
        return None
    if parsed.scheme is not None:
        return parse_endpoint(match)
    bare = f"[{match}]" if match.count(":") > 1 and "[" not in match else match
    near = parse_endpoint(f"http://{bare}")
    return near if near.reach != "public" else parse_endpoint(f"https://{bare}")


def _entries(configuration: Mapping[str, Any]) -> Iterator[_Entry]:
    model = configuration.get("model")
    if isinstance(model, str):
        yield _Entry("model", "", "", {"default": model})
    yield from _entry("model", model)
    for name in ("fallback_providers", "fallback_model"):
        yield from _listed(name, configuration.get(name))
    for task, told in _items(configuration.get("auxiliary")):
        yield from _entry(f"auxiliary.{task}", told)
    yield from _entry("delegation", configuration.get("delegation"))
    for name, told in _items(configuration.get("providers")):
        yield from _entry(f"providers.{name}", told, name)
    yield from _listed("custom_providers", configuration.get("custom_providers"))


def _listed(name: str, found: object) -> Iterator[_Entry]:
    if not isinstance(found, list):
        yield from _entry(name, found)
        return
    for position, told in enumerate(cast("list[object]", found)):
        own = _text(cast("Mapping[str, Any]", told), "name") if isinstance(told, dict) else None
        yield from _entry(f"{name}.{own or position}", told, own if name == "custom_providers" else None)  # pyright: ignore[reportUnknownArgumentType]


def _entry(place: str, found: object, name: str | None = None) -> Iterator[_Entry]:
    if isinstance(found, Mapping):
        told = cast("Mapping[str, Any]", found)
        yield _Entry(place, name or _text(told, "provider") or "", _text(told, *_URLS) or "", told)


def _items(found: object) -> Iterator[tuple[str, object]]:
    if isinstance(found, Mapping):
        for name, told in cast("Mapping[object, object]", found).items():
            yield str(name), told


def _text(told: Mapping[str, Any], *names: str) -> str | None:
    values = (told.get(name) for name in names)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), None)


def _api_mode(provider: str, endpoint: Endpoint, told: Mapping[str, Any]) -> str | None:
    """The API, as it is told or as Hermes takes it to be (``hermes_cli.runtime_provider``)."""
    declared = _text(told, "api_mode", "transport")
    if declared is not None:
        return declared
    if provider == "bedrock":
        return "bedrock_converse"
    anthropic = provider == "anthropic" or endpoint.host == "api.anthropic.com"
    return "anthropic_messages" if anthropic or endpoint.path.rstrip("/").endswith("/anthropic") else None


def _key(told: Mapping[str, Any]) -> str | None:
    variable = _text(told, *_KEY_VARIABLES)
    return _text(told, *_KEYS) or (os.environ.get(variable) if variable is not None else None)


def _of_hermes(provider: str) -> str:
    """Where a provider that Hermes comes with is reached: by ``hermes_cli.auth`` and ``hermes_constants``."""
    if provider == "openrouter":
        return str(found_at("hermes_constants", "OPENROUTER_BASE_URL") or "")
    known = found_at("hermes_cli.auth", "PROVIDER_REGISTRY")
    found = cast("Mapping[str, Any]", known).get(provider) if isinstance(known, Mapping) else None
    variable = getattr(found, "base_url_env_var", "")
    told = os.environ.get(variable) if variable else None
    return str(told or getattr(found, "inference_base_url", ""))


# Of two paths of one API the one that Hermes' own client asks at, which comes later, counts.
APIS: Mapping[str, Family] = {
    **{family.api: family for family in FAMILIES.values()},
    CONVERSE: Family(CONVERSE, body=True, strict=True),
}
"""By name."""

_BY_MODE = {"codex_responses": "responses", "anthropic_messages": "messages", "bedrock_converse": CONVERSE}


def api_of(api_mode: str | None) -> str:
    """The API by the name that Hermes' ``api_mode`` has for it; chat completions for any other."""
    return _BY_MODE.get(api_mode or "", "chat.completions")


def outgoing_to(
    api: str, body: Mapping[str, Any], headers: Mapping[str, Any] | None = None, *, apart: bool = False
) -> Outgoing:
    """A request by that API, with as much room as it has; ``apart`` as where plugins run in a process of their own."""
    family = APIS[api]
    return Outgoing(
        api,
        body,
        None,
        headers,
        body_allowed=family.body and (family.strict or not apart),
        strict=family.strict,
        headers_allowed=api != CONVERSE,
    )
