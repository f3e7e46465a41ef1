"""For LiteLLM's configuration: keys without its database. ``sk-local-only`` may use the model group ``local`` alone."""

from __future__ import annotations

from litellm.proxy._types import UserAPIKeyAuth


async def check(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, models=["local"] if api_key == "sk-local-only" else [])
