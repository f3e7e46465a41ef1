"""``python -m hermes_hints.dispatcher``: the embedded dispatcher in the foreground."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..errors import ConfigError
from ..rules import load_rules, parse_rules
from .app import NOTICE, create_app
from .calls import CallLog
from .default_rules import DEFAULT_RULES
from .server import serve

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run until interrupted; returns the exit status: 0, or 2 for a mistake in what was given."""
    parser = argparse.ArgumentParser(
        prog="python -m hermes_hints.dispatcher",
        description=NOTICE,
        epilog="With $HERMES_HINTS_SIGNING_KEY set, hints that are not signed with that key count for nothing.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8300, help="0 is any free one (default 8300)")
    parser.add_argument("--rules", metavar="FILE", help="rule file in YAML (default: built-in rules, shown at /)")
    parser.add_argument("--log", metavar="FILE", help="append every call to FILE, one JSON object a line")
    given = parser.parse_args(argv)
    try:
        rules = parse_rules(DEFAULT_RULES) if given.rules is None else load_rules(given.rules)
        key = os.environ.get("HERMES_HINTS_SIGNING_KEY") or None
        serve(create_app(rules, log=CallLog(given.log), key=key), _announce, host=given.host, port=given.port)
    except ConfigError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)  # noqa: T201 - this is a program
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def _announce(base_url: str) -> None:
    print(f"Ready at {base_url} (calls: {base_url.removesuffix('/v1')}/calls). {NOTICE}", flush=True)  # noqa: T201 - this is a program


if __name__ == "__main__":
    sys.exit(main())
