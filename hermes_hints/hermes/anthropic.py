"""The doors for the Anthropic SDK, whose clients are built as OpenAI's are (tried on anthropic 0.87)."""

from __future__ import annotations

import sys

from ..openai import install_at

__all__ = ["stand_at_anthropic"]

_CLIENTS = (
    *("Anthropic", "AsyncAnthropic"),
    *("AnthropicBedrock", "AsyncAnthropicBedrock"),
    *("AnthropicVertex", "AsyncAnthropicVertex"),
)


def stand_at_anthropic() -> bool:
    """Stamp what the Anthropic SDK's clients send too, once the host has imported it; whether that is so.

    The host imports it when it first needs it, which takes a while: that is left to the host.
    """
    sdk = sys.modules.get("anthropic")
    kinds = [kind for name in _CLIENTS if isinstance(kind := getattr(sdk, name, None), type)]
    install_at(kinds)
    return bool(kinds)
