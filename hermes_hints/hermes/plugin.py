"""Registration with the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..notices import logger
from ..openai import install_pipeline
from ..pipeline import Pipeline
from ..plugins import registry
from .configuration import admission, load_settings
from .host import find_host
from .middleware import Middleware
from .session import Sessions

__all__ = ["register"]


def register(ctx: Any) -> None:  # noqa: ANN401 - the host's PluginContext, which has no stubs
    """Register with the host; called by it, again after each new discovery, with the same result.

    Raises:
        ConfigError: a setting is wrong; the host logs the message, lists the plugin with it and goes on without hints.
    """
    host = find_host()
    configuration: Mapping[str, Any] = {} if host.configuration is None else host.configuration()
    settings = load_settings(configuration)
    registry.load(settings, admission(configuration))
    sessions = Sessions(host, _profile(ctx))
    install_pipeline(Pipeline(settings, witness=sessions))
    ctx.register_middleware("llm_request", Middleware(sessions))
    for hook, callback in _hooks(sessions).items():
        if hook in host.hooks:
            ctx.register_hook(hook, callback)
    for name in host.missing():
        logger.warning("hermes-hints: this host has no %s; requests carry less identity", name)


def _profile(ctx: Any) -> str | None:  # noqa: ANN401 - likewise
    name = getattr(ctx, "profile_name", None)
    return name if isinstance(name, str) else None


def _hooks(sessions: Sessions) -> dict[str, Callable[..., None]]:
    def subagent_start(*, child_session_id: str | None = None, parent_session_id: str | None = None, **_: Any) -> None:
        sessions.subagent_started(child_session_id, parent_session_id)

    def pre_llm_call(*, session_id: str | None = None, sender_id: str | None = None, **_: Any) -> None:
        sessions.turn_started(session_id, sender_id)

    return {"subagent_start": subagent_start, "pre_llm_call": pre_llm_call}
