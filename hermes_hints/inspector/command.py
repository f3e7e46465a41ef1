"""The command ``inspect``: look at calls while they pass."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from contextlib import suppress
from types import FrameType

from ..endpoints import Endpoint, parse_endpoint
from ..errors import ConfigError
from ..plugins import registry
from ..policy import Policy
from ..settings import Settings
from .running import Inspector, Options, serve
from .upstream import parse_upstream

__all__ = ["run"]

_MOST_KEPT = 10_000
_LAST_PORT = 65_535


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Pass calls on and show them, until a signal ends it: 0.

    Raises:
        ConfigError: an argument has a value that cannot be, or the endpoint may not be stood before.
    """
    if not 1 <= args.hints_keep <= _MOST_KEPT:
        msg = f"--keep: is {args.hints_keep}; keep from 1 to {_MOST_KEPT} calls"
        raise ConfigError(msg)
    upstream = parse_upstream(args.hints_upstream)
    _refuse_more(settings, upstream.endpoint, args.hints_host, args.hints_port)
    profiles = {**settings.known_profiles(), **registry.profiles}
    page_port = None if args.hints_no_page else args.hints_page_port
    options = Options(args.hints_host, args.hints_port, page_port, args.hints_keep, args.hints_record)
    inspector = Inspector(upstream, options, settings, profiles)
    logging.getLogger("httpcore").setLevel(logging.WARNING)  # below that it writes down headers, keys among them
    signal.signal(signal.SIGTERM, _end)
    with suppress(KeyboardInterrupt):
        serve(inspector, json_lines=args.hints_json)
    return 0


def _refuse_more(settings: Settings, upstream: Endpoint, host: str, port: int) -> None:
    """Refuse to stand where an endpoint would be passed more than the policy has it get.

    A client sees the inspector's address in place of the endpoint's, and sends what that one may have.
    """
    address = f"[{host}]" if ":" in host else host
    policy = Policy(settings, plugins=lambda: registry.profiles)
    here = policy.decide(parse_endpoint(f"http://{address}:{port if 0 < port <= _LAST_PORT else 1}{upstream.path}"))
    if here.chosen:
        return
    there = policy.decide(upstream)
    if (here.profile, here.privacy) == (there.profile, there.privacy):
        return
    name = "'off'" if there.profile.name == "off" else there.profile.name
    place = f"{address}:{port}" if port else address
    msg = (
        f"--upstream: {upstream.origin} may have {there.profile.name}, {there.privacy} ({there.reason}), and would be passed on what "
        f"clients send to a loopback address: {here.profile.name}, {here.privacy}. Have them send what the endpoint may have, by "
        f'an entry of endpoints, before the others: {{match: "{place}", profile: {name}, privacy: {there.privacy}}}'
    )
    raise ConfigError(msg)


def _end(_signal: int, _frame: FrameType | None) -> None:
    """End as after an interrupt, so that the terminal is left as it was."""
    sys.exit(0)
