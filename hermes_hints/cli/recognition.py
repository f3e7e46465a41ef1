"""What answers at an endpoint, found out by GET requests that carry nothing of hermes-hints; and the profile that fits it."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..endpoints import Endpoint
from ..privacy import Privacy
from ..profiles import BUILTIN, Profile

__all__ = ["Recognised", "misfit", "recognise", "recognise_all", "suggested"]

_SECONDS = 1.5
_SECONDS_FOR_ALL = 8.0
_MOST_BYTES = 1 << 18
_FAILURES = (OSError, http.client.HTTPException, ValueError)
_OWNERS = {"vllm": "vLLM", "llamacpp": "llama.cpp", "library": "Ollama", "hermes": "Hermes", "sglang": "SGLang"}
"""By ``owned_by`` in a list of models."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was found out about one endpoint."""

    kind: str | None
    """``LiteLLM``, ``vLLM``, ``Hermes``, ``llama.cpp``, ``Ollama``, ``SGLang``, or ``None`` for anything else."""
    reads_hints: bool
    """Whether it answered with ``X-Hermes-Hints``, as a receiver does that reads hints."""
    detail: str
    """What it answered, or why it did not."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def mapping(self) -> Mapping[str, Any]:
        found = self.json()
        return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _litellm(answer: _Answer) -> bool:
    return bool(answer.json() == "I'm alive!")


def _hermes(answer: _Answer) -> bool:
    return answer.mapping().get("platform") == "hermes-agent"


def _version(answer: _Answer) -> bool:
    return list(answer.mapping()) == ["version"]


# Never /health: LiteLLM answers it by calling each of its models (docs.litellm.ai/docs/proxy/health).
_QUESTIONS: tuple[tuple[str, str, Callable[[_Answer], bool]], ...] = (
    ("/health/liveliness", "LiteLLM", _litellm),
    ("/v1/health", "Hermes", _hermes),
    ("/version", "vLLM", _version),
    ("/api/version", "Ollama", _version),
)


def recognise(endpoint: Endpoint, key: str | None = None) -> Recognised:
    """Ask an endpoint what it is, in at most five GET requests of at most 1.5 seconds each.

    They carry no identity, no hints and no name of this program, do not follow redirects and use no proxy. The first, for
    the list of models, carries ``key`` as its API key where one is given.
    """
    if endpoint.scheme not in ("http", "https") or not endpoint.host:
        return Recognised(None, reads_hints=False, detail="not asked: it is no http URL")
    try:
        models = _get(endpoint, endpoint.path + "/models", key)
    except _FAILURES as error:
        # Only the system's own words: others may quote the key.
        said = error if isinstance(error, OSError) else type(error).__name__
        return Recognised(None, reads_hints=False, detail=f"does not answer ({said})")
    reads = "x-hermes-hints" in models.headers
    detail = f"answered {models.status} to GET {endpoint.path}/models"
    kind = _by_models(models)
    if kind is None and not reads:
        kind = _by_questions(endpoint)
    return Recognised(kind, reads, detail)


def recognise_all(asked: Sequence[tuple[Endpoint, str | None]]) -> list[Recognised]:
    """`recognise` for each endpoint and key, side by side, in at most eight seconds together."""
    found: list[Recognised] = [Recognised(None, reads_hints=False, detail="does not answer in time") for _ in asked]

    def ask(position: int, endpoint: Endpoint, key: str | None) -> None:
        found[position] = recognise(endpoint, key)

    threads = [threading.Thread(target=ask, args=(position, *one), daemon=True) for position, one in enumerate(asked)]
    deadline = time.monotonic() + _SECONDS_FOR_ALL
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(found)


def _by_questions(endpoint: Endpoint) -> str | None:
    root = endpoint.path.removesuffix("/v1")
    for path, kind, fits in _QUESTIONS:
        try:
            answer = _get(endpoint, root + path, None)
        except _FAILURES:
            return None
        if answer.status == http.client.OK and fits(answer):
            return kind
    return None


def _by_models(answer: _Answer) -> str | None:
    if any(name.startswith("x-litellm-") for name in answer.headers):
        return "LiteLLM"
    if answer.headers.get("server", "").lower().startswith("llama.cpp"):
        return "llama.cpp"
    listed = answer.mapping().get("data")
    if isinstance(listed, list):
        for model in cast("list[object]", listed):
            owner = cast("Mapping[str, object]", model).get("owned_by") if isinstance(model, dict) else None
            if isinstance(owner, str) and owner in _OWNERS:
                return _OWNERS[owner]
    return None


def _get(endpoint: Endpoint, path: str, key: str | None) -> _Answer:
    deadline = time.monotonic() + _SECONDS
    if endpoint.scheme == "https":
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            endpoint.host, endpoint.port, timeout=_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=_SECONDS)
    try:
        connection.request("GET", path, headers={} if key is None else {"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        pieces: list[bytes] = []
        left = _MOST_BYTES
        while left > 0 and time.monotonic() < deadline and (piece := response.read1(min(left, 1 << 14))):
            pieces.append(piece)
            left -= len(piece)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return _Answer(response.status, headers, b"".join(pieces))
    finally:
        connection.close()


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
