"""What the commands have in common: exit statuses and the names of flags."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["OK", "PROBLEMS", "PROFILE_FLAGS", "WRONG"]

OK, PROBLEMS, WRONG = 0, 1, 2

PROFILE_FLAGS: Mapping[str, str] = {"profile": "--hermes-profile"}
"""Identity fields whose flag is not their own name: hermes itself takes ``--profile`` out of any command line."""
