"""The host's API server, made to take from its callers who they ask for, and to act for them.

A subclass of the host's own takes its place (``ctx.register_platform``: the last one of a name wins). The host's threads
inherit no context: a request that names somebody is served by a view of the adapter, which shares its state and carries the
caller to where the agent is made.
"""

# The host has no public names for what is extended here; `_NEEDED` is looked for before it is used.
# ruff: noqa: SLF001

from __future__ import annotations

import hmac
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

from ..identity import Identity
from ..inbound import IDENTITY, Admission, Refused
from ..inbound.aiohttp import admitted, echo, refusal
from ..notices import logger, once
from ..wire import CONVERSATION_HEADER
from .host import Host

__all__ = ["serve_callers"]

_PLATFORM = "api_server"
_HOME = "gateway.platforms.api_server"
_NEEDED = (
    *("_bind_api_server_session", "_check_auth", "_create_agent", "_handle_capabilities", "_http_route_table"),
    *("_run_agent", "_write_sse_chat_completion"),
)
_CAPABILITIES = "/v1/capabilities"
_TURNS = frozenset(
    {
        *("/v1/chat/completions", "/v1/responses", "/v1/runs"),
        *("/api/sessions/{session_id}/chat", "/api/sessions/{session_id}/chat/stream"),
    }
)
"""The routes by which an agent is asked something."""
_ARGUMENTS = ("user_id", "user_id_alt", "user_name", "chat_id", "chat_name", "chat_type", "thread_id")
_SESSION = "HERMES_SESSION_"
_PERSON = tuple(f"{_SESSION}{field.upper()}" for field in _ARGUMENTS[:3])
"""What is set in the session context. Its chat stays the session's own: the host finds its sessions again by that."""
_DERIVED = re.compile(r"api-[0-9a-f]{16}")
"""The session that the host makes of a conversation's first lines where its caller names none."""

Handler = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Caller:
    """Whom a request is for."""

    identity: Identity
    continues: bool
    """Whether the request goes on with a stored session, which it names."""

    def arguments(self) -> dict[str, str]:
        """Who and where, as the identity arguments of ``AIAgent.__init__``."""
        return {field: said for field, said in self.identity.fields().items() if field in _ARGUMENTS}

    def variables(self) -> dict[str, str]:
        """The same, by the names that the host's session context has or would have for them."""
        return {f"{_SESSION}{field.upper()}": value for field, value in self.arguments().items()}

    def session(self, session_id: str | None) -> str | None:
        """A session of this caller's room, or else their own: others may have begun with the same words."""
        if session_id is None or self.continues or _DERIVED.fullmatch(session_id) is None:
            return session_id
        who = self.identity
        place = f"{who.chat_id}\n{who.thread_id}" if who.chat_id else who.user_id or ""
        return f"{session_id}-{sha256(place.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class _Bound:
    conversation: str | None
    session_key: str
    said: Mapping[str, str]
    """What the caller said, by the name that the host's session context has or would have for it."""


_bound: ContextVar[_Bound | None] = ContextVar("hermes_hints_caller", default=None)
"""Set with the host's session context. The threads of the host outlive a turn, so it counts as long as that holds."""


def serve_callers(ctx: Any, host: Host, headers: Mapping[str, str]) -> Host:
    """Have the API server take who is calling; the host, with callers seen through its doors.

    Args:
        ctx: the host's PluginContext.
        host: the host as it is.
        headers: what the operator reads beside ours, by field (see `Admission`).
    """
    if os.environ.get("HERMES_PLUGIN_HOST_PROCESS") == "1":
        logger.warning("hermes-hints: inbound is off: plugins.isolation: host keeps plugins away from the API server")
        return host
    ctx.register_platform(
        name=_PLATFORM,
        label="API Server",
        adapter_factory=partial(_adapter, headers=headers),
        check_fn=lambda: import_module(_HOME).check_api_server_requirements(),
        is_connected=_never,
    )
    return _with_callers(host)


def _never(_config: object) -> bool:
    """Whether the API server runs stays the host's own decision."""
    return False


def _with_callers(host: Host) -> Host:
    read, conversation, lineage = host.session_variable, host.conversation, host.lineage
    if read is None:
        return host

    def here() -> _Bound | None:
        bound = _bound.get()
        if bound is None or read("HERMES_SESSION_PLATFORM", "") != _PLATFORM:
            return None
        user_id = bound.said.get("HERMES_SESSION_USER_ID", "")
        same = read("HERMES_SESSION_KEY", "") == bound.session_key and read("HERMES_SESSION_USER_ID", "") == user_id
        return bound if same else None

    def session_variable(name: str, default: str) -> str:
        bound = here()
        return (bound and bound.said.get(name)) or read(name, default)

    def conversation_of_caller() -> str | None:
        bound = here()
        return (bound and bound.conversation) or (conversation() if conversation is not None else None)

    def root_of_caller(session_id: str) -> str | None:
        bound = here()
        return (bound and bound.conversation) or (lineage(session_id) if lineage is not None else None)

    return replace(host, session_variable=session_variable, conversation=conversation_of_caller, lineage=root_of_caller)


def _adapter(config: Any, headers: Mapping[str, str]) -> Any:
    base: Any = import_module(_HOME).APIServerAdapter
    lacking = [name for name in _NEEDED if not hasattr(base, name)]
    if lacking:
        message = "hermes-hints: inbound is off: this host's API server has no %s"
        once(logging.WARNING, ("inbound", *lacking), message, ", ".join(lacking))
        return base(config)
    hearing = type(base.__name__, (_Hearing, base), {"inbound_headers": headers})
    hearing.view = type(base.__name__, (_View, hearing), {"__slots__": ("caller",)})  # type: ignore[attr-defined]
    return hearing(config)


class _Hearing:
    """What the API server does besides: asks each request for whom it is."""

    inbound_headers: Mapping[str, str]
    view: type[Any]

    def _http_route_table(self) -> list[tuple[str, str, Handler]]:
        admission = Admission(authenticate=self._holds_key, headers=self.inbound_headers)
        app: Any = getattr(self, "_app", None)
        if app is not None:
            app.on_response_prepare.append(echo)
        routes = cast("Any", super())._http_route_table()
        return [(method, path, self._served(admission, method, path, handler)) for method, path, handler in routes]

    def _served(self, admission: Admission, method: str, path: str, handler: Handler) -> Handler:
        if (method, path) == ("GET", _CAPABILITIES):
            return _advertising(handler)
        if method != "POST" or path not in _TURNS or getattr(handler, "__self__", None) is not self:
            return handler

        async def heard(request: Any) -> Any:
            try:
                found = await admitted(admission, request)
            except Refused as refused:
                refused_by_host = cast("Any", self)._check_auth(request) if refused.status == 401 else None  # noqa: PLR2004
                return refusal(refused) if refused_by_host is None else refused_by_host
            if found is None:
                return await handler(request)
            continues = bool(request.headers.get(CONVERSATION_HEADER, "").strip())
            view = self._view(_Caller(found.identity, continues))
            return await cast("Any", handler).__func__(view, request)

        return heard

    def _view(self, caller: _Caller) -> Any:
        view = object.__new__(self.view)
        view.__dict__ = self.__dict__
        view.caller = caller
        return view

    def _holds_key(self, headers: Mapping[str, str]) -> bool:
        """Whether a request has the key that ``X-Hermes-Session-Key`` asks for: of the profile it is for (0.22)."""
        of_profile: Callable[[], str] | None = getattr(self, "_expected_api_key", None)
        key: str = cast("Any", self)._api_key if of_profile is None else of_profile()
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return bool(key) and scheme == "Bearer" and hmac.compare_digest(token.strip().encode(), key.encode())

    def _bind_api_server_session(self, **binding: Any) -> Any:
        tokens = cast("Any", super())._bind_api_server_session(**binding)
        _bound.set(None)
        return tokens


class _View:
    """The adapter, for one caller."""

    caller: _Caller

    def _bind_api_server_session(self, **binding: Any) -> Any:
        tokens = cast("Any", super())._bind_api_server_session(**binding)
        said = self.caller.variables()
        _say(said)
        _bound.set(_Bound(self.caller.identity.conversation_id, binding.get("session_key", ""), said))
        return tokens

    def _select_agent_runtime(self, runtime: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """0.22 hands ``runtime`` on to the agent's constructor, and that hands who and where to memory."""
        chosen = cast("Any", super())._select_agent_runtime(runtime, *args, **kwargs)
        runtime.update(self.caller.arguments())
        return chosen

    def _create_agent(self, *args: Any, **kwargs: Any) -> Any:
        # 0.19 makes the agent of a run, and with it memory, before it binds the session.
        said = _say(self.caller.variables())
        try:
            agent = cast("Any", super())._create_agent(*args, **kwargs)
        finally:
            for variable, token in said:
                variable.reset(token)
        for field, value in self.caller.arguments().items():
            if getattr(agent, f"_{field}", "") is None:
                setattr(agent, f"_{field}", value)
        return agent

    async def _run_agent(self, *args: Any, session_id: str | None = None, **kwargs: Any) -> Any:
        own = self.caller.session(session_id)
        return await cast("Any", super())._run_agent(*args, session_id=own, **kwargs)

    async def _write_sse_chat_completion(self, *args: Any, session_id: str | None = None, **kwargs: Any) -> Any:
        own = self.caller.session(session_id)
        return await cast("Any", super())._write_sse_chat_completion(*args, session_id=own, **kwargs)

    @property
    def _memory_sessions(self) -> _OwnMemory:
        return _OwnMemory(self.__dict__["_memory_sessions"], self.caller.identity.user_id or "")


def _say(said: Mapping[str, str]) -> list[tuple[ContextVar[str], Token[str]]]:
    """Put the person into the host's session context; what takes them out again."""
    variables: Mapping[str, ContextVar[str]] = import_module("gateway.session_context")._VAR_MAP
    named = [(variables[name], said[name]) for name in _PERSON if name in said and name in variables]
    return [(variable, variable.set(value)) for variable, value in named]


class _OwnMemory:
    """The memory that 0.22 keeps between the turns of a session: one for each person, where several share a session."""

    def __init__(self, shared: Any, person: str) -> None:
        self._shared = shared
        self._person = person

    def checkout(self, session_id: str | None) -> Any:
        return self._shared.checkout(session_id and f"{session_id}\n{self._person}")

    def checkin(self, agent: Any) -> None:
        session_id = f"{agent.session_id}\n{self._person}" if agent.session_id else ""
        self._shared.checkin(SimpleNamespace(_memory_manager=agent._memory_manager, session_id=session_id))


def _advertising(handler: Handler) -> Handler:
    async def capabilities(request: Any) -> Any:
        response = await handler(request)
        if response.status == 200:  # noqa: PLR2004
            content = json.loads(response.text)
            features = {f"{field}_header": header for field, header in IDENTITY.items()}
            content.setdefault("features", {}).update(features, user_id_field="user")
            response.text = json.dumps(content)
        return response

    return capabilities
