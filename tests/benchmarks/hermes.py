"""A main turn as Hermes makes it: its middleware first, then its client, in a process where the plugin is registered.

The host is a stand-in with the places of the real one that the plugin reads: the session context, the conversation, and
the registration. What the host itself does to a request (its copies, its checks) is not in the figures.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import hermes_hints
from hermes_hints.hermes import register
from hermes_hints.plugins import registry

from . import transport
from .contenders import trust
from .names import BARE, IN_HERMES
from .timing import Call
from .workload import BASE_URL, IDENTITY, PATIENCE_MS, Plugin, small

SETTINGS = {"budget_ms": PATIENCE_MS}

_session: ContextVar[dict[str, str]] = ContextVar("session")


def in_hermes() -> tuple[dict[str, Call], Call]:
    """The bare client and the same with the plugin before it; and the plugin's middleware alone.

    That is to be timed between calls, as it runs in a turn: in a loop of its own it takes half as long.
    """
    bare = transport.client("sync", BASE_URL)
    request = small()
    # The plugin puts its doors on the classes; this client keeps what was there before.
    bare.request = bare.request
    _make_host()
    host = _Registration()
    register(host)
    for number in range(5):
        hermes_hints.register(Plugin(number), f"plugin-{number}")
    client = transport.client("sync", BASE_URL)
    turn = {
        "session_id": IDENTITY.session_id,
        "platform": IDENTITY.platform,
        "api_mode": "chat_completions",
        "base_url": BASE_URL,
        "turn_id": "turn-17",
        "task_id": "task-4",
        "api_call_count": 3,
    }
    host.told("pre_llm_call", turn_id="turn-17", session_id=IDENTITY.session_id, sender_id=IDENTITY.user_id)
    middleware = host.middleware["llm_request"]
    numbers = iter(range(10**9))

    def changed() -> Any:
        return middleware(request=request, api_request_id=f"request-{next(numbers)}", **turn)["request"]

    def main_turn() -> Any:
        return client.chat.completions.create(**changed())

    trust(registry)
    return {BARE: lambda: bare.chat.completions.create(**request), IN_HERMES: main_turn}, changed


class _Registration:
    """The host's side of ``register(ctx)``."""

    profile_name = "default"

    def __init__(self) -> None:
        self.middleware: dict[str, Any] = {}
        self.hooks: list[tuple[str, Any]] = []

    def register_middleware(self, kind: str, middleware: Any) -> None:
        self.middleware[kind] = middleware

    def register_hook(self, name: str, callback: Any) -> None:
        self.hooks.append((name, callback))

    def register_command(self, *args: Any, **kwargs: Any) -> None:
        pass

    def register_cli_command(self, *args: Any, **kwargs: Any) -> None:
        pass

    def on_unload(self, callback: Any) -> None:
        pass

    def told(self, hook: str, **facts: Any) -> None:
        for name, callback in self.hooks:
            if name == hook:
                callback(**facts)


def _make_host() -> None:
    values = {
        "HERMES_SESSION_PLATFORM": IDENTITY.platform,
        "HERMES_SESSION_CHAT_ID": IDENTITY.chat_id,
        "HERMES_SESSION_CHAT_NAME": IDENTITY.chat_name,
        "HERMES_SESSION_THREAD_ID": IDENTITY.thread_id,
        "HERMES_SESSION_USER_ID": IDENTITY.user_id,
        "HERMES_SESSION_USER_NAME": IDENTITY.user_name,
        "HERMES_SESSION_KEY": IDENTITY.session_key,
        "HERMES_SESSION_MESSAGE_ID": IDENTITY.message_id,
    }
    _session.set({name: str(value) for name, value in values.items()})
    places: dict[str, dict[str, Any]] = {
        "hermes_cli": {"__version__": "0.19.0"},
        "hermes_cli.config": {
            "load_config": lambda: {"plugins": {"entries": {"hermes-hints": {"settings": SETTINGS}}}}
        },
        "hermes_cli.plugins": {"VALID_HOOKS": {"pre_llm_call"}},
        "gateway": {},
        "gateway.session_context": {"get_session_env": lambda name, default="": _session.get().get(name, default)},
        "agent": {},
        "agent.portal_tags": {"get_conversation_context": lambda: IDENTITY.conversation_id},
    }
    for name, content in places.items():
        module = ModuleType(name)
        module.__path__ = []
        vars(module).update(content)
        sys.modules[name] = module
