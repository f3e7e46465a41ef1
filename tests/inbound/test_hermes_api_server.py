"""What stands in the place of the host's API server, on a host of which only the doors are there."""

from __future__ import annotations

import sys
import types
from contextvars import ContextVar

import pytest

from hermes_hints.hermes.api_server import serve_callers
from hermes_hints.hermes.host import Host
from hermes_hints.identity import Identity
from hermes_hints.notices import forget

NAMES = ("PLATFORM", "CHAT_ID", "CHAT_NAME", "USER_ID", "USER_NAME", "KEY")


class Adapter:
    """The host's, as far as it is extended."""

    def __init__(self, config):
        self.config = config
        self._api_key = "a-key-of-16-bytes"
        self.made = []

    def _http_route_table(self):
        return [("POST", "/v1/runs", self.run), ("GET", "/health", self.health)]

    async def run(self, request):
        return self

    async def health(self, request):
        return "well"

    @staticmethod
    def _bind_api_server_session(*, chat_id="", session_key=""):
        bind(PLATFORM="api_server", CHAT_ID=chat_id, KEY=session_key, USER_ID="", USER_NAME="", CHAT_NAME="")

    def _create_agent(self, session_id=None):
        seen = read("HERMES_SESSION_USER_ID", "")
        agent = types.SimpleNamespace(
            _user_id=None, _chat_id=None, _user_name="as constructed", session_id=session_id, seen=seen
        )
        self.made.append(agent)
        return agent

    async def _run_agent(self, question, *, session_id=None):
        return session_id

    def _check_auth(self, request):
        return "refused"

    _handle_capabilities = _write_sse_chat_completion = health


VARIABLES = {f"HERMES_SESSION_{name}": ContextVar(name, default="") for name in NAMES}


def bind(**values):
    for name, value in values.items():
        VARIABLES[f"HERMES_SESSION_{name}"].set(value)


def read(name, default):
    return VARIABLES[name].get() if name in VARIABLES else default


class Context:
    """What the host registers plugins with."""

    def __init__(self):
        self.platforms = {}

    def register_platform(self, *, name, **entry):
        self.platforms[name] = entry


@pytest.fixture
def gateway(monkeypatch):
    """The host's modules; what is set on the first is what its API server has."""
    server = types.SimpleNamespace(APIServerAdapter=Adapter, check_api_server_requirements=lambda: True)
    sessions = types.SimpleNamespace(_VAR_MAP=VARIABLES)
    for name, module in (("gateway.platforms.api_server", server), ("gateway.session_context", sessions)):
        for package in (name.rpartition(".")[0], "gateway"):
            monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        monkeypatch.setitem(sys.modules, name, server if module is server else sessions)
    bind(**dict.fromkeys(NAMES, ""))
    return server


HOST = Host("0.19.0", read, lambda: "the-hosts-own", None, frozenset())


def served(config=None):
    ctx = Context()
    host = serve_callers(ctx, HOST, {})
    return ctx.platforms["api_server"]["adapter_factory"](config), host


def view_for(adapter, **fields):
    """The adapter as it serves a request that names somebody."""
    from hermes_hints.hermes.api_server import _Caller

    return adapter._view(_Caller(Identity(**fields), continues=False))


def test_it_is_off_where_plugins_run_in_a_process_of_their_own(gateway, monkeypatch, caplog):
    monkeypatch.setenv("HERMES_PLUGIN_HOST_PROCESS", "1")
    ctx = Context()

    assert serve_callers(ctx, HOST, {}) is HOST
    assert ctx.platforms == {}
    assert "plugins.isolation: host" in caplog.text


def test_whether_the_server_runs_stays_the_hosts_decision(gateway):
    ctx = Context()
    serve_callers(ctx, HOST, {})

    entry = ctx.platforms["api_server"]
    assert entry["is_connected"](object()) is False
    assert entry["check_fn"]() is True


@pytest.mark.parametrize("lacking", ["_create_agent", "_bind_api_server_session", "_run_agent"])
def test_a_host_with_other_doors_serves_as_before_and_it_is_said_once(gateway, caplog, lacking):
    forget(("inbound", lacking))
    kept = {name: value for name, value in vars(Adapter).items() if name != lacking and not name.startswith("__dict")}
    gateway.APIServerAdapter = type("APIServerAdapter", (), {**kept, "__weakref__": None})

    adapters = [served("its configuration")[0] for _ in range(2)]

    assert {type(adapter) for adapter in adapters} == {gateway.APIServerAdapter}
    assert adapters[0].config == "its configuration"
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == [f"hermes-hints: inbound is off: this host's API server has no {lacking}"]


def test_it_is_the_hosts_own_server_with_its_state(gateway):
    adapter, _ = served("its configuration")
    view = view_for(adapter, user_id="alice")

    view.counted = 1
    adapter.counted += 1

    assert isinstance(view, Adapter)
    assert view.config == adapter.config == "its configuration"
    assert (view.counted, type(adapter).__name__) == (2, "Adapter")


def test_only_what_asks_an_agent_is_served_otherwise(gateway):
    adapter, _ = served()

    handlers = {path: handler for _, path, handler in adapter._http_route_table()}

    assert handlers["/health"] == adapter.health
    assert handlers["/v1/runs"] != adapter.run


def test_the_session_says_who_and_its_chat_stays_the_servers(gateway):
    adapter, host = served()
    alice = {"user_id": "alice", "user_name": "Alice", "chat_id": "!ops", "conversation_id": "c-1"}

    view_for(adapter, **alice)._bind_api_server_session(chat_id="api-1", session_key="k-1")

    assert read("HERMES_SESSION_USER_ID", "") == "alice"
    assert read("HERMES_SESSION_USER_NAME", "") == "Alice"
    assert read("HERMES_SESSION_CHAT_ID", "") == "api-1"
    assert host.session_variable("HERMES_SESSION_CHAT_ID", "") == "!ops"
    assert host.session_variable("HERMES_SESSION_KEY", "") == "k-1"
    assert (host.conversation(), host.lineage("s")) == ("c-1", "c-1")


@pytest.mark.parametrize(
    "after",
    [
        lambda _: bind(**dict.fromkeys(NAMES, "")),
        lambda adapter: adapter._bind_api_server_session(chat_id="api-1", session_key="k-1"),
        lambda _: bind(KEY="k-2"),
        lambda _: bind(USER_ID="bob"),
        lambda _: bind(PLATFORM="matrix"),
    ],
    ids=["cleared", "nobody", "another session", "another person", "another platform"],
)
def test_what_a_thread_keeps_of_an_earlier_caller_is_not_believed(gateway, after):
    adapter, host = served()
    alice = {"user_id": "alice", "chat_id": "!ops", "chat_name": "Ops", "conversation_id": "c-1"}
    view_for(adapter, **alice)._bind_api_server_session(chat_id="api-1", session_key="k-1")

    after(adapter)

    assert host.session_variable("HERMES_SESSION_CHAT_ID", "") == read("HERMES_SESSION_CHAT_ID", "") != "!ops"
    assert host.session_variable("HERMES_SESSION_CHAT_NAME", "") == ""
    assert (host.conversation(), host.lineage("s")) == ("the-hosts-own", None)


def test_the_agent_knows_for_whom_it_is_where_its_constructor_was_not_told(gateway):
    adapter, _ = served()

    agent = view_for(adapter, user_id="alice", user_name="Alice", thread_id="t")._create_agent(session_id="s")

    assert (agent._user_id, agent._chat_id, agent._user_name) == ("alice", None, "as constructed")
    assert not hasattr(agent, "_thread_id")
    assert adapter._create_agent()._user_id is None


def test_what_the_constructor_makes_sees_the_person_in_the_session_context_and_nothing_after_it_does(gateway):
    adapter, _ = served()

    agents = [view_for(adapter, user_id="alice")._create_agent(), adapter._create_agent()]

    assert [agent.seen for agent in agents] == ["alice", ""]
    assert read("HERMES_SESSION_USER_ID", "") == ""


def test_the_session_context_is_put_back_where_the_constructor_fails(gateway):
    def failing(self):
        raise RuntimeError(read("HERMES_SESSION_USER_ID", ""))

    gateway.APIServerAdapter = type("APIServerAdapter", (Adapter,), {"_create_agent": failing})
    adapter, _ = served()

    with pytest.raises(RuntimeError, match="alice"):
        view_for(adapter, user_id="alice")._create_agent()

    assert read("HERMES_SESSION_USER_ID", "") == ""


def test_the_constructor_is_told_where_the_host_lets_it(gateway):
    def choose(self, runtime, model):
        return model

    gateway.APIServerAdapter = type("APIServerAdapter", (Adapter,), {"_select_agent_runtime": choose})
    adapter, _ = served()
    runtime = {"provider": "custom"}

    assert view_for(adapter, user_id="alice", conversation_id="c")._select_agent_runtime(runtime, "m") == "m"
    assert runtime == {"provider": "custom", "user_id": "alice"}


class Parked(dict):
    """0.22's memory between the turns of a session."""

    def checkout(self, session_id):
        return self.pop(session_id, None)

    def checkin(self, agent):
        self[agent.session_id] = agent._memory_manager


def test_memory_that_is_kept_between_turns_is_a_persons_own(gateway):
    adapter, _ = served()
    adapter._memory_sessions = Parked()
    alice, bob = (view_for(adapter, user_id=name)._memory_sessions for name in ("alice", "bob"))

    alice.checkin(types.SimpleNamespace(session_id="s", _memory_manager="alice's"))

    assert bob.checkout("s") is None
    assert adapter._memory_sessions.checkout("s") is None
    assert alice.checkout("s") == "alice's"


SAME_WORDS = "api-0123456789abcdef"


def sessions_of(adapter, session_id=SAME_WORDS, **fields):
    import asyncio

    return asyncio.run(view_for(adapter, **fields)._run_agent("hello", session_id=session_id))


def test_same_first_words_make_a_session_for_each_person_or_room(gateway):
    adapter, _ = served()
    alice, bob = (sessions_of(adapter, user_id=name) for name in ("alice", "bob"))
    in_ops = {sessions_of(adapter, user_id=name, chat_id="!ops") for name in ("alice", "bob")}
    in_thread = sessions_of(adapter, user_id="alice", chat_id="!ops", thread_id="t")

    assert len(in_ops) == 1
    assert len({alice, bob, in_thread, *in_ops, SAME_WORDS}) == 5
    assert all(own.startswith(SAME_WORDS) for own in (alice, bob, in_thread, *in_ops))
    assert sessions_of(adapter, user_id="alice") == alice
    assert sessions_of(adapter, alice, user_id="alice") == alice
    assert sessions_of(adapter, "one-that-the-caller-chose", user_id="alice") == "one-that-the-caller-chose"
    assert sessions_of(adapter, None, user_id="alice") is None
