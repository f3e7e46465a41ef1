"""The profiles that come with the package."""

from __future__ import annotations

from collections.abc import Mapping

from .declaration import Native, Profile
from .gateways import GATEWAYS
from .providers import PROVIDERS
from .routers import ROUTERS
from .traces import TRACES

__all__ = ["BUILTIN"]

_OWN = (
    Profile(
        name="dispatcher",
        summary="A receiver of your own: everything, in the body, in metadata and in headers.",
        body=True,
        metadata="always",
        headers=True,
        native_body={"metadata.user_id": Native("user_id", limit=256, apis=("messages",))},
        request_metadata=True,
    ),
    Profile(
        name="headers",
        summary="Proxies and load balancers that match headers, in front of servers with a strict body.",
        headers=True,
    ),
    Profile(name="off", summary="Nothing at all."),
)

BUILTIN: Mapping[str, Profile] = {
    profile.name: profile for profile in (*_OWN, *GATEWAYS, *ROUTERS, *PROVIDERS, *TRACES)
}
"""By name."""
