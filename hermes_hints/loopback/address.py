"""What counts as this machine."""

from __future__ import annotations

import ipaddress
import re

from starlette.requests import Request

from ..errors import ConfigError

__all__ = ["is_local", "loopback"]

_HOST = re.compile(r"(?:\[([^\]]+)\]|([^:]+))(?::\d+)?")


def loopback(host: str) -> str:
    """The loopback address that ``host`` names.

    Raises:
        ConfigError: it names none; others on the network could read who asked what.
    """
    if host == "localhost":
        return "127.0.0.1"
    if _is_loopback(host):
        return host
    msg = (
        f"host is {host!r}, which is not a loopback address; use 127.0.0.1. This is for this machine alone; to serve others "
        "use LiteLLM"
    )
    raise ConfigError(msg)


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine and means it.

    The name asked for counts too: a web page can make its own name lead to 127.0.0.1 (DNS rebinding) and would then
    read what is meant for the person at this machine.
    """
    asked = _HOST.fullmatch(request.headers.get("host", ""))
    name = asked[1] or asked[2] if asked else ""
    from_here = request.client is not None and _is_loopback(request.client.host)
    return from_here and (name == "localhost" or _is_loopback(name))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
