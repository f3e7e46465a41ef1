"""A Hermes in this process, as far as a plugin sees it: the modules that are read, the registrations, and turns that run.

It does with context variables and threads what the two hosts do. On 0.19 a main turn's request leaves from a thread that
knows nothing, and hooks run in the turn's own. On 0.22 it leaves from a thread with a copy of the turn's context, and so
does every hook but those at the gateway, so that what a hook sets for itself is lost.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
from openai import OpenAI
from upstream import Received, Upstream

from hermes_hints.hermes import register

ALICE, BOB, CAROL = "@alice:example.org", "@bob:example.org", "@carol:example.org"

HOOKS = frozenset(
    {
        *("pre_llm_call", "post_llm_call", "post_api_request", "on_session_start", "on_session_end"),
        *("on_session_reset", "subagent_start", "subagent_stop", "pre_gateway_dispatch", "transform_llm_output"),
    }
)
AT_THE_GATEWAY = frozenset({"pre_gateway_dispatch", "subagent_start", "subagent_stop", "on_session_reset"})
"""What 0.22 runs where it is called; every other hook runs in a thread of its own."""

Variables = Mapping[str, str]


def of_host(module: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function one of the host's module of that name, as the call stack shows it."""

    def moved(function: Callable[..., Any]) -> Callable[..., Any]:
        theirs = {**function.__globals__, "__name__": module}
        made = types.FunctionType(function.__code__, theirs, function.__name__, None, function.__closure__)
        made.__kwdefaults__ = function.__kwdefaults__
        return made

    return moved


@dataclass
class Agent:
    """What the host calls an agent, by the names that it keeps for itself."""

    session_id: str
    _user_id: str | None = None
    _current_turn_id: str | None = None
    _current_task_id: str | None = None


@dataclass(frozen=True)
class Place:
    """A person in a chat, and the session that the host keeps for them there."""

    user_id: str
    chat_id: str = "!ops:example.org"
    session_id: str = ""
    platform: str = "loopback"
    user_name: str = ""

    @property
    def session(self) -> str:
        return self.session_id or f"session of {self.user_id} in {self.chat_id}"

    def variables(self, message_id: str) -> Variables:
        """What 0.19 sets; it keeps the chat's type only in the key."""
        told = {
            "PLATFORM": self.platform,
            "CHAT_ID": self.chat_id,
            "CHAT_NAME": f"Room {self.chat_id}",
            "USER_ID": self.user_id,
            "USER_ID_ALT": f"{self.user_id} on the phone",
            "USER_NAME": self.user_name or self.user_id.strip("@").partition(":")[0].title(),
            "MESSAGE_ID": message_id,
            "KEY": f"agent:main:{self.platform}:group:{self.chat_id}:{self.user_id}",
        }
        return {f"HERMES_SESSION_{name}": value for name, value in told.items()}


class PluginContext:
    """What ``register(ctx)`` is handed."""

    def __init__(self, hermes: Hermes, source: str) -> None:
        self.hooks: list[tuple[str, Callable[..., Any]]] = []
        self.middleware: dict[str, Callable[..., Any]] = {}
        self.commands: dict[str, Callable[[str], str]] = {}
        self.programs: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}
        self.unloading: list[Callable[[], None]] = []
        self.profile_name = "default"
        self.manifest = SimpleNamespace(name="hermes-hints", source=source)
        if hermes.version != "0.19.0":
            self.on_unload = self.unloading.append

    def register_hook(self, hook_name: str, callback: Callable[..., Any]) -> None:
        self.hooks.append((hook_name, callback))

    def register_middleware(self, kind: str, callback: Callable[..., Any]) -> None:
        self.middleware[kind] = callback

    def register_command(
        self, name: str, handler: Callable[[str], str], description: str = "", args_hint: str = ""
    ) -> None:
        self.commands[name] = handler

    def register_cli_command(
        self, name: str, summary: str, setup_fn: Callable[..., Any], handler_fn: Callable[..., Any] | None = None
    ) -> None:
        self.programs[name] = (setup_fn, handler_fn)


@dataclass
class Hermes:
    """One host; ``newer`` is 0.22."""

    monkeypatch: Any
    upstream: Upstream
    http: httpx.Client
    newer: bool = False
    settings: Mapping[str, Any] | None = None
    hooks: frozenset[str] = HOOKS
    enabled: bool = True
    context: PluginContext | None = None
    _numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.variables: contextvars.ContextVar[Variables | None] = contextvars.ContextVar("variables", default=None)
        self.conversation: contextvars.ContextVar[str | None] = contextvars.ContextVar("conversation", default=None)
        self.relay_turn: contextvars.ContextVar[Any] = contextvars.ContextVar("relay_turn", default=None)
        self.accounting: contextvars.ContextVar[Any] = contextvars.ContextVar("accounting", default=None)
        self.client = OpenAI(base_url=self.upstream.base_url, api_key="k", max_retries=0, http_client=self.http)
        self.module("hermes_cli", __version__=self.version)
        self.module("hermes_cli.config", load_config=self.configuration)
        hooks = self.hooks | ({"pre_auxiliary_call"} if self.newer else frozenset())
        self.module("hermes_cli.plugins", VALID_HOOKS=set(hooks), get_plugin_manager=lambda: self)
        self.module("gateway.session_context", get_session_env=self.session_variable)
        self.module("agent.portal_tags", get_conversation_context=self.conversation.get)
        if self.newer:
            self.module("agent.relay_runtime", current_turn=self.relay_turn.get)
            self.module("agent.aux_accounting", _accounting=self.accounting)

    @property
    def version(self) -> str:
        return "0.22.2.post1" if self.newer else "0.19.0"

    def module(self, name: str, **content: object) -> None:
        made = ModuleType(name)
        vars(made).update(content)
        self.monkeypatch.setitem(sys.modules, name, made)

    def without(self, module: str) -> None:
        """An older host, which has no such module."""
        self.monkeypatch.setitem(sys.modules, module, None)

    def configuration(self) -> dict[str, Any]:
        entries = {} if self.settings is None else {"hermes-hints": {"settings": dict(self.settings)}}
        return {"plugins": {"enabled": ["hermes-hints"], "entries": entries}}

    def session_variable(self, name: str, default: str = "") -> str:
        here = self.variables.get()
        return os.environ.get(name, default) if here is None else here.get(name, "")

    def list_plugins(self) -> list[dict[str, Any]]:
        return [{"name": "another", "enabled": True}, {"name": "hermes-hints", "enabled": self.enabled}]

    def load(self, source: str = "entrypoint") -> PluginContext:
        """Discover the plugin, as at the start and again after each change: what it registers counts from now on."""
        if self.context is not None:
            for callback in self.context.unloading:
                callback()
        context = PluginContext(self, source)
        register(context)
        self.context = context
        return context

    def hook(self, name: str, /, **told: Any) -> list[Any]:
        """What the callbacks of a hook return."""
        assert self.context is not None
        callbacks = [callback for hook, callback in self.context.hooks if hook == name]
        if self.newer and name not in AT_THE_GATEWAY:
            return [in_thread(lambda callback=callback: callback(**told), copied=True) for callback in callbacks]
        return [callback(**told) for callback in callbacks]

    def started(self, place: Place | None, work: Callable[[], Any], *, message_id: str = "", root: str = "") -> Any:
        """Do something in a task of its own, with the session context of a message."""

        def run() -> Any:
            if place is not None:
                self.variables.set(place.variables(message_id))
                self.conversation.set(root or place.session)
            return work()

        return contextvars.Context().run(run)

    def turn(self, place: Place, text: str, **more: Any) -> Received:
        """A message, answered by one call in a task of its own: what arrived."""
        message_id = more.pop("message_id", f"$message-{next(self._numbers)}")
        root = more.pop("root", "")
        return self.started(place, lambda: self.answer(place, text, **more), message_id=message_id, root=root)

    def answer(
        self,
        place: Place,
        text: str,
        *,
        turn_id: str = "",
        sender: str | None = None,
        before: Callable[[], Any] = lambda: None,
        after: Callable[[], Any] = lambda: None,
        **told: Any,
    ) -> Received:
        """A turn in the running task: its hook, ``before``, its call, ``after``. ``sender`` is whom it answers."""
        turn_id = turn_id or f"turn-{next(self._numbers)}"
        self.begin(place, text, turn_id, sender)
        before()
        arrived = self.call(place.session, text, turn_id=turn_id, platform=place.platform, **told)
        after()
        return arrived

    def begin(self, place: Place, text: str, turn_id: str, sender: str | None = None) -> None:
        """A turn begins: the hook that says whom it answers."""
        if self.newer:
            lease = SimpleNamespace(session_id=place.session)
            self.relay_turn.set(SimpleNamespace(lease=lease, turn_id=turn_id, task_id=f"task of {turn_id}"))
        self.hook(
            "pre_llm_call",
            session_id=place.session,
            task_id=f"task of {turn_id}",
            turn_id=turn_id,
            user_message=text,
            conversation_history=[],
            is_first_turn=True,
            model="m",
            platform=place.platform,
            sender_id=place.user_id if sender is None else sender,
        )

    def call(self, session_id: str, text: str, **told: Any) -> Received:
        """One call of a turn, from the agent's thread to the wire: what arrived."""
        request = self.requested(session_id, text, **told)
        return self.sent(request, copied=self.newer)

    def sent(self, request: Mapping[str, Any] | None = None, *, copied: bool) -> Received:
        """Have the host's provider send a request, from a thread of its own: what arrived."""
        in_thread(lambda: self.send(request), copied=copied)
        return self.arrived()

    def send(self, request: Mapping[str, Any] | None = None) -> None:
        """What the host's provider does with a request, in the running thread."""
        asked = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
        self.client.chat.completions.create(**(request or asked))

    def arrived(self) -> Received:
        """The only request that has arrived since the last look."""
        (arrived,) = self.upstream.take()
        return arrived

    def requested(self, session_id: str, text: str, **told: Any) -> dict[str, Any]:
        """The request that the middleware leaves, for the SDK."""
        assert self.context is not None
        request = told.pop("request", None) or {"model": "m", "messages": [{"role": "user", "content": text}]}
        turn_id = told.get("turn_id", "")
        told = {
            "turn_id": turn_id,
            "task_id": f"task of {turn_id}",
            "api_request_id": f"{turn_id}:api:1",
            "api_call_count": 1,
            "platform": "loopback",
            "model": "m",
            "provider": "custom",
            "base_url": self.upstream.base_url,
            "api_mode": "chat_completions",
            "original_request": request,
            **told,
        }
        changed = self.context.middleware["llm_request"](request=request, session_id=session_id, **told)
        return request if changed is None else changed["request"]


def in_thread(work: Callable[[], Any], *, copied: bool) -> Any:
    """What ``work`` returns, run in a thread: with a copy of the running context, or with none."""
    context = contextvars.copy_context() if copied else contextvars.Context()
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(context.run(work))
        except BaseException as error:  # noqa: BLE001 - handed on to the test
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
