"""Endpoints: where a base URL leads, how far it reaches, how an operator names it, and which of its paths are LLM calls."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from .errors import ConfigError

__all__ = ["CONVERSE", "FAMILIES", "Endpoint", "Family", "Match", "Reach", "family_of", "parse_endpoint", "parse_match"]

Reach = Literal["loopback", "private", "public"]

_PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UPWARDS = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
"""Segments that clients or servers take out of a path, so that it is another one that is asked."""
_AUTHORITY = re.compile(r"(?:.*@)?(?:\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]*)?", re.DOTALL)


class Endpoint(NamedTuple):
    """Where requests go: the parts of a base URL that policy looks at. Credentials in it are not kept."""

    scheme: str
    host: str
    port: int | None
    path: str
    reach: Reach

    @property
    def origin(self) -> str:
        """``scheme://host:port``, lower case, with the port always written; empty where the URL could not be read."""
        if not self.host:
            return ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.port is None else f"{self.scheme}://{host}:{self.port}"


_UNREADABLE = Endpoint("", "", None, "", "public")


def parse_endpoint(url: str) -> Endpoint:
    """Split a base URL and tell how far it reaches. Total: a URL that cannot be read is a public one.

    Loopback: ``localhost``, ``*.localhost``, 127.0.0.0/8, ::1 and the unspecified addresses. Private: RFC 1918, link-local
    and unique local addresses (RFC 3927, 4193, 4291), ``*.local``, ``*.internal`` and names of one label. Names are never
    resolved: one that leads to a private address is public. So are numeric spellings of an address other than the dotted one.
    """
    try:
        parts = urlsplit(url)
        host, port = _host(parts), parts.port
    except ValueError:
        return _UNREADABLE
    # Python reads past blanks in front; an HTTP client takes what begins with one, or has no scheme, as a path.
    if url[:1] <= " " or parts.scheme not in _DEFAULT_PORTS or _UPWARDS.search(parts.path):
        return _UNREADABLE
    return Endpoint(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"), _reach(host))


def _host(parts: SplitResult) -> str:
    """The host, lower case; of an IPv6 address without its zone.

    Raises:
        ValueError: there is more in the authority than user, host and port.
    """
    if _AUTHORITY.fullmatch(parts.netloc) is None:
        msg = "its authority is not user@host:port"
        raise ValueError(msg)
    host = parts.hostname or ""
    return host.partition("%")[0] if ":" in host else host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _reach(host: str) -> Reach:
    address = _address(host)
    if address is not None:
        if address.is_loopback or address.is_unspecified:
            return "loopback"
        return (
            "private" if any(address in block for block in _PRIVATE if block.version == address.version) else "public"
        )
    rooted = host.endswith(".")
    name = host.removesuffix(".")
    if _NAME.fullmatch(name) is None or _NUMERIC.fullmatch(name.rpartition(".")[2]) is not None:
        return "public"
    if name == "localhost" or name.endswith(".localhost"):
        return "loopback"
    if name.endswith((".local", ".internal")) or ("." not in name and not rooted):
        return "private"
    return "public"


class Match(NamedTuple):
    """One ``match`` of the operator's ``endpoints``, parsed."""

    text: str
    scheme: str | None
    host: str
    port: int | None
    path: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None

    @property
    def everything(self) -> bool:
        """Whether it covers hosts of every kind."""
        return self.host == "*" or (self.network is not None and self.network.prefixlen == 0)

    def covers(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is one of those that the operator named."""
        if self.scheme is not None and self.scheme != endpoint.scheme:
            return False
        if self.port is not None and self.port != endpoint.port:
            return False
        if self.path and endpoint.path != self.path and not endpoint.path.startswith(self.path + "/"):
            return False
        if self.network is not None:
            address = _address(endpoint.host)
            return address is not None and address.version == self.network.version and address in self.network
        host = endpoint.host.removesuffix(".")
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return self.host in ("*", host)


def parse_match(text: str, *, key: str = "match") -> Match:
    """Parse what an operator writes to name endpoints.

    ``llm.example.org`` (any port), ``llm.example.org:4000``, ``*.example.org`` (its subdomains),
    ``https://llm.example.org/v1`` (this scheme, port and path prefix), ``10.1.0.0/16`` (addresses) or ``*`` (all).

    Raises:
        ConfigError: it is none of these; the message names ``key``, the value and the remedy.
    """
    wanted = text.strip()
    network = None
    if "://" not in wanted and "/" in wanted:
        try:
            network = ipaddress.ip_network(wanted)
        except ValueError as error:
            msg = f"{key}: {text!r:.80} is not a network ({error!s:.80}); write a host, host:port, a URL or a network such as 10.1.0.0/16"
            raise ConfigError(msg) from None
        return Match(text, None, "", None, "", network)
    bare = "://" not in wanted
    if "@" in wanted.partition("://")[2 * (not bare)].partition("/")[0]:
        msg = f"{key}: holds credentials; name the endpoint without them"
        raise ConfigError(msg)
    try:
        parts = urlsplit(
            f"//[{wanted}]" if _address(wanted) is not None and ":" in wanted else f"//{wanted}" if bare else wanted
        )
        host, port = _host(parts).removesuffix("."), parts.port
    except ValueError as error:
        msg = f"{key}: {text!r:.80} cannot be read ({error!s:.80}); write a host, host:port, a URL or a network such as 10.1.0.0/16"
        raise ConfigError(msg) from None
    name = host.removeprefix("*.")
    good = host == "*" or _address(host) is not None or _NAME.fullmatch(name) is not None
    if not good or (not bare and parts.scheme not in _DEFAULT_PORTS):
        msg = f"{key}: {text!r:.80} names no endpoint; write a host, host:port, a URL without credentials or a network such as 10.1.0.0/16"
        raise ConfigError(msg)
    address = _address(host)
    network = None if address is None else ipaddress.ip_network(address)
    if bare:
        return Match(text, None, host, port, "", network)
    return Match(text, parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"), network)


CONVERSE = "converse"
"""Bedrock's Converse API, which is reached through boto3 and so has no path here."""


class Family(NamedTuple):
    """A family of endpoints: its name and whether its JSON body may carry hints."""

    api: str
    body: bool
    strict: bool = False
    """Whether the body may carry only what the API itself has a place for."""


FAMILIES: Mapping[str, Family] = {
    "/chat/completions": Family("chat.completions", body=True),
    "/completions": Family("completions", body=True),
    "/responses": Family("responses", body=True),
    "/embeddings": Family("embeddings", body=True),
    "/messages": Family("messages", body=True),
    "/v1/messages": Family("messages", body=True, strict=True),
    "/responses/compact": Family("responses.compact", body=False),
    "/images/generations": Family("images.generations", body=False),
}
"""By the path below the base URL. Families without ``body`` get headers only: their bodies are not open to more fields.

``/v1/messages`` is where Anthropic's client asks; the API has a place for ``metadata.user_id`` and answers 400 to more
(platform.claude.com/docs/en/api/messages).
"""

_DEPLOYMENTS = "/deployments/"
"""Where Azure has each model's own paths (learn.microsoft.com/azure/ai-services/openai/reference)."""

_LONGEST_FIRST = sorted(FAMILIES, key=len, reverse=True)


def family_of(url: str) -> Family | None:
    """The family that a request's URL (below the base URL, or absolute) belongs to; ``None`` for anything else."""
    known = FAMILIES.get(url)
    if known is not None:
        return known
    path = url.partition("?")[0].rstrip("/")
    if not path.startswith("/"):
        if "://" not in path:
            path = "/" + path
        elif "/threads/" not in path:  # a message of the Assistants API is no call
            return next((FAMILIES[end] for end in _LONGEST_FIRST if path.endswith(end)), None)
    if path.startswith(_DEPLOYMENTS):
        path = "/" + path[len(_DEPLOYMENTS) :].partition("/")[2]
    return FAMILIES.get(path)
