"""``python -m hermes_hints.cli``: as ``hermes-hints``."""

from __future__ import annotations

from . import main

raise SystemExit(main())
