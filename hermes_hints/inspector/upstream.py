"""The real endpoint: where it is, and a connection to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore

from ..endpoints import Endpoint, parse_endpoint
from ..errors import ConfigError

__all__ = ["Upstream", "connections", "parse_upstream"]


@dataclass(frozen=True, slots=True)
class Upstream:
    """The endpoint that calls are passed on to."""

    endpoint: Endpoint

    @property
    def base_url(self) -> str:
        """Its base URL, which holds no credentials."""
        return self.endpoint.origin + self.endpoint.path

    @property
    def host(self) -> bytes:
        """What ``Host`` says to it."""
        usual = {"http": 80, "https": 443}[self.endpoint.scheme]
        name = self.endpoint.origin.partition("://")[2]
        return name.removesuffix(f":{usual}").encode("ascii")

    def url(self, target: bytes) -> httpcore.URL:
        """Where a request goes whose line says ``target``, which goes on as it is."""
        return httpcore.URL(
            scheme=self.endpoint.scheme.encode("ascii"),
            host=self.endpoint.host.encode("ascii"),
            port=self.endpoint.port,
            target=target,
        )


def parse_upstream(url: str) -> Upstream:
    """The endpoint at a base URL.

    Raises:
        ConfigError: it is no http or https URL, or holds credentials or a query; the message does not repeat those.
    """
    try:
        parts = urlsplit(url)
        credentials = parts.username is not None or parts.password is not None
    except ValueError:
        parts, credentials = urlsplit(""), False
    if credentials or parts.query or parts.fragment:
        what = "credentials" if credentials else "a query or fragment"
        msg = f"--upstream: holds {what}; leave it out: what the client sends goes through as it is"
        raise ConfigError(msg)
    endpoint = parse_endpoint(url)
    if endpoint.scheme not in ("http", "https") or not endpoint.host or not endpoint.host.isascii():
        msg = "--upstream: is no http or https URL; write the base URL of the real endpoint, as https://llm.example.org/v1"
        raise ConfigError(msg)
    return Upstream(endpoint)


def connections(upstream: Upstream) -> httpcore.AsyncConnectionPool:
    """Connections to the endpoint, by the proxy that the environment names for it (``HTTPS_PROXY``, ``NO_PROXY``, …)."""
    proxy = _proxy(upstream.endpoint)
    return httpcore.AsyncConnectionPool(
        ssl_context=ssl.create_default_context() if upstream.endpoint.scheme == "https" else None,
        max_connections=None,
        keepalive_expiry=5.0,
        proxy=None if proxy is None else httpcore.Proxy(proxy),
    )


def _proxy(endpoint: Endpoint) -> str | None:
    if endpoint.reach == "loopback" or proxy_bypass(f"{endpoint.host}:{endpoint.port}"):
        return None
    found = getproxies()
    return found.get(endpoint.scheme) or found.get("all")
