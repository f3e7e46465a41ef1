"""The environments that are measured in, built once under .environments/."""

from __future__ import annotations

import sys

from ..e2e.harness.environments import CHECKOUT, Environment, environment

MAJORS = {
    "openai 2.24": ("openai==2.24.0", "httpx==0.28.1", "pydantic==2.13.4", "pluggy==1.7.0"),
    "openai 3": ("openai==3.52.0", "httpx2==2.16.2", "pydantic==2.14.3", "pluggy==1.7.0"),
}
"""The SDK as Hermes pins it, and the newest."""

_PEERS = (
    "langfuse==5.0.4",
    "logfire==5.2.0",
    "opentelemetry-instrumentation-openai==0.62.4",
    "opentelemetry-instrumentation-openai-v2==2.4b0",
    "opentelemetry-sdk==1.45.1",
    "opentelemetry-util-genai==1.1b0",  # later ones lack what openai-v2 2.4b0 imports
)
_ONLY_BESIDE = {"openai 2.24": ("openlit==1.44.0",)}
"""Peers that the other major cannot be installed beside."""


def with_peers(major: str) -> Environment:
    """The SDK and the peers; hermes-hints is taken from the checkout."""
    requirements = (*MAJORS[major], *_PEERS, *_ONLY_BESIDE.get(major, ()))
    return environment(f"bench-{_slug(major)}", requirements, progress=_say)


def alone(major: str) -> Environment:
    """The SDK and hermes-hints as it is installed, compiled, and nothing else: imports are measured there."""
    return environment(f"bench-{_slug(major)}-alone", MAJORS[major], project=CHECKOUT, progress=_say)


def _slug(major: str) -> str:
    return major.replace(" ", "-")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
