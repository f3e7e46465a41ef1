"""Registration: whatever of the host's doors are there, the rest works; and nothing is left behind afterwards."""

from __future__ import annotations

import argparse
import logging
from types import SimpleNamespace

import pytest
from host_in_process import ALICE, HOOKS, Place, in_thread
from openai import AsyncOpenAI, OpenAI

from hermes_hints.errors import ConfigError
from hermes_hints.hermes import plugin, session

IN_OPS = Place(ALICE)
ELSEWHERE = "https://llm.example.org/v1"


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, logger="hermes_hints")
    return caplog


@pytest.fixture
def clock(monkeypatch):
    """The seconds that registration and lookups go by."""
    clock = SimpleNamespace(now=1000.0)
    for module in (plugin, session):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def doors():
    """The client classes that have a ``request`` of somebody else's."""
    return [kind for kind in (OpenAI, AsyncOpenAI) if "request" in vars(kind)]


def test_each_hook_that_the_host_has_is_registered_and_no_other(host):
    older = host(hooks=frozenset({"pre_llm_call"})).load()
    usual = host().load()
    newer = host(newer=True).load()

    assert {hook for hook, _ in older.hooks} == {"pre_llm_call"}
    assert {hook for hook, _ in usual.hooks} <= HOOKS
    assert {hook for hook, _ in newer.hooks} - {hook for hook, _ in usual.hooks} == {"pre_auxiliary_call"}


def test_hint_and_the_operators_short_forms_are_commands(host):
    context = host(settings={"commands": {"cloud": {"user_intent": "force-cloud"}}}).load()

    assert set(context.commands) == {"hint", "cloud"}
    assert "force-cloud" in context.commands["cloud"]("")


def test_found_again_each_call_is_stamped_once_by_the_newer_settings(hermes):
    hermes.settings = {"endpoints": [{"match": "127.0.0.1", "profile": "headers"}]}
    hermes.load()

    arrived = hermes.turn(IN_OPS, "hello")

    assert arrived.hermes is None
    assert arrived.lines["user-id"] == ALICE


def test_a_turn_that_is_under_way_while_the_plugin_is_found_again_goes_on_as_it_began(hermes):
    def reloaded():
        hermes.answer(IN_OPS, "one", turn_id="t1")
        hermes.load()
        return hermes.call(IN_OPS.session, "one", turn_id="t1", api_request_id="t1:api:2")

    step = hermes.started(IN_OPS, reloaded, message_id="$1")

    assert (step.hermes["user_id"], step.hermes["message_id"]) == (ALICE, "$1")


def test_a_ticket_that_was_given_out_before_is_good_afterwards(hermes):
    def reloaded():
        request = hermes.requested(IN_OPS.session, "one", turn_id="t1")
        hermes.load()
        return hermes.sent(request, copied=hermes.newer)

    arrived = hermes.started(IN_OPS, reloaded, message_id="$1")

    assert (arrived.hermes["user_id"], arrived.hermes["request_id"]) == (ALICE, "t1:api:1")


def test_unloaded_by_the_host_nothing_is_left_in_the_process(host):
    hermes = host(newer=True)
    untouched = doors()
    context = hermes.load()
    standing = doors()

    for callback in context.unloading:
        callback()

    assert (untouched, standing, doors()) == ([], [OpenAI, AsyncOpenAI], [])
    assert hermes.sent(copied=False).bare


def test_a_host_that_does_not_tell_is_found_out_to_have_disabled_it(host, clock):
    hermes = host()
    hermes.load()
    clock.now += 5
    hermes.enabled = False

    arrived = hermes.sent(copied=False)

    assert arrived.bare
    assert doors() == []


def test_a_plugin_that_the_host_has_not_listed_yet_is_not_taken_for_a_disabled_one(host, clock):
    hermes = host(enabled=False)
    hermes.load()

    early = hermes.sent(copied=False)
    hermes.enabled = True
    later = hermes.turn(IN_OPS, "hello")

    assert early.bare
    assert doors() == [OpenAI, AsyncOpenAI]
    assert later.hermes["user_id"] == ALICE


def test_the_host_is_asked_no_more_than_once_a_second(host, clock):
    hermes = host()
    hermes.load()
    clock.now += 5
    hermes.sent(copied=False)
    hermes.enabled = False

    clock.now += 0.9
    within = hermes.sent(copied=False)
    clock.now += 0.2
    after = hermes.sent(copied=False)

    assert not within.bare
    assert after.bare


@pytest.mark.parametrize("manager", [None, SimpleNamespace(), "raising"])
def test_a_host_that_cannot_say_whether_it_is_enabled_has_it_enabled(host, clock, manager):
    hermes = host()
    if manager is None:
        hermes.without("hermes_cli.plugins")
    else:

        def found():
            if manager == "raising":
                raise RuntimeError
            return manager

        hermes.module("hermes_cli.plugins", VALID_HOOKS=set(HOOKS), get_plugin_manager=found)
    hermes.load()
    clock.now += 5

    assert not hermes.sent(copied=False).bare


MISSING = {
    "gateway.session_context": "gateway.session_context.get_session_env",
    "agent.portal_tags": "agent.portal_tags.get_conversation_context",
    "hermes_cli.config": "hermes_cli.config.load_config",
}


@pytest.mark.parametrize("newer", [False, True], ids=["0.19", "0.22"])
@pytest.mark.parametrize("module", [*MISSING, "hermes_cli.plugins", "hermes_cli", "agent.relay_runtime"])
def test_where_one_door_is_missing_it_is_said_and_the_rest_works(host, log, module, newer):
    hermes = host(newer=newer)
    hermes.without(module)
    hermes.load()

    arrived = hermes.turn(IN_OPS, "hello", turn_id="t1")

    told = [record.getMessage() for record in log.records if record.levelno == logging.WARNING]
    lacking = [MISSING[module]] if module in MISSING else []
    assert told == [f"hermes-hints: this host has no {name}; requests carry less identity" for name in lacking]
    said = arrived.hermes
    assert (said["session_id"], said["turn_id"], said["purpose"]) == (IN_OPS.session, "t1", "main")
    assert said["conversation_id"] == IN_OPS.session
    assert ("user_name" in said) == (module != "gateway.session_context")
    assert said["user_id"] == ALICE  # the hook says so, too
    assert ("agent" in said) == (module != "hermes_cli")


def test_a_door_that_is_no_function_is_missing(host, log):
    hermes = host()
    hermes.module("agent.portal_tags", get_conversation_context="not a function")
    hermes.load()

    assert hermes.turn(IN_OPS, "hello").hermes["conversation_id"] == IN_OPS.session
    assert "this host has no agent.portal_tags.get_conversation_context" in log.text


def test_a_host_without_anything_at_all_still_has_its_calls_told_apart(host):
    hermes = host()
    for module in (
        "gateway.session_context",
        "agent.portal_tags",
        "hermes_cli.config",
        "hermes_cli.plugins",
        "hermes_cli",
    ):
        hermes.without(module)
    hermes.load()

    said = hermes.turn(IN_OPS, "hello", turn_id="t1").hermes

    assert {name: said[name] for name in ("session_id", "turn_id", "purpose")} == {
        "session_id": IN_OPS.session,
        "turn_id": "t1",
        "purpose": "main",
    }
    assert "user_id" not in said


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"endpoint": []},
            "plugins.entries.hermes-hints.settings: hermes-hints settings has no field 'endpoint'; did you",
        ),
        ({"budget_ms": "fast"}, "plugins.entries.hermes-hints.settings.budget_ms"),
        ({"commands": {"Cloud": {"user_intent": "x"}}}, "'Cloud' cannot be a command"),
        ({"pseudonym_key": "short"}, "pseudonym_key"),
    ],
)
def test_wrong_settings_name_themselves_and_leave_the_host_as_it_was(host, settings, told):
    hermes = host(settings=settings)

    with pytest.raises(ConfigError) as raised:
        hermes.load()

    assert told in str(raised.value)
    assert doors() == []
    assert hermes.sent(copied=False).bare


def test_wrong_settings_leave_the_command_that_tells_of_them(host, monkeypatch):
    registered = []
    monkeypatch.setattr(
        "host_in_process.PluginContext.register_cli_command", lambda _, name, *rest: registered.append(name)
    )

    with pytest.raises(ConfigError):
        host(settings={"endpoint": []}).load()

    assert registered == ["hints"]


def test_the_hosts_own_command_runs_what_the_console_script_does(host, capsys):
    add_arguments, run = host().load().programs["hints"]
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    run(parser.parse_args(["list"]))

    assert capsys.readouterr().out == "no hint plugins\n"


def test_settings_that_became_wrong_end_the_stamping_on_a_host_that_unloads_first(host):
    hermes = host(newer=True)
    hermes.load()
    hermes.settings = {"endpoint": []}

    with pytest.raises(ConfigError):
        hermes.load()

    assert doors() == []


@pytest.mark.parametrize(("source", "used"), [("entrypoint", "package"), ("user", "folder"), ("", "folder")])
def test_a_folder_beside_the_package_is_said_with_which_of_them_counts(host, log, tmp_path, source, used, monkeypatch):
    monkeypatch.setattr(plugin, "entry_points", lambda **_: ["found"])
    folder = tmp_path / "home" / "plugins" / "hermes-hints"
    folder.mkdir(parents=True)
    (folder / "plugin.yaml").write_text("name: hermes-hints")

    host().load(source)

    (line,) = [record.getMessage() for record in log.records if "found as a package" in record.getMessage()]
    assert str(folder) in line
    assert line.endswith(f"the host registers the {used} alone")


@pytest.mark.parametrize("present", ["package", "folder", "empty folder"])
def test_one_of_them_alone_is_not_worth_a_line(host, log, tmp_path, present, monkeypatch):
    monkeypatch.setattr(plugin, "entry_points", lambda **_: [] if present == "folder" else ["found"])
    folder = tmp_path / "home" / "plugins" / "hermes-hints"
    if present != "package":
        folder.mkdir(parents=True)
    if present == "folder":
        (folder / "plugin.yaml").write_text("name: hermes-hints")

    host().load()

    assert "found as a package" not in log.text


@pytest.mark.parametrize("missing", ["manifest", "profile_name"])
def test_what_the_context_lacks_is_absent(host, missing):
    """The host's own check of a plugin hands out a context with less than the real one has."""
    hermes = host()
    context = hermes.load()
    delattr(context, missing)
    plugin.register(context)

    assert ("profile" in hermes.turn(IN_OPS, "hello").hermes) == (missing == "manifest")


def test_a_profile_of_the_session_goes_before_that_of_the_process(hermes):
    def profiled():
        hermes.variables.set({**hermes.variables.get(), "HERMES_SESSION_PROFILE": "night shift"})
        return hermes.answer(IN_OPS, "hello")

    assert hermes.started(IN_OPS, profiled).hermes["profile"] == "night shift"


def test_a_profile_that_is_no_text_is_absent(host):
    hermes = host()
    context = hermes.load()
    context.profile_name = 5
    plugin.register(context)

    assert "profile" not in hermes.turn(IN_OPS, "hello").hermes


def test_in_a_process_of_their_own_plugins_have_no_door_and_headers_go_on_main_turns(host, log, monkeypatch):
    monkeypatch.setenv("HERMES_PLUGIN_HOST_PROCESS", "1")
    hermes = host(newer=True)
    hermes.load()

    main = hermes.turn(IN_OPS, "hello", turn_id="t1")
    aside = hermes.sent(copied=False)

    assert doors() == []
    assert main.hermes is None
    assert main.lines.items() >= {"user-id": ALICE, "purpose": "main", "request-id": "t1:api:1"}.items()
    assert aside.bare
    assert "plugins.isolation: host keeps plugins away" in log.text


@pytest.mark.parametrize("value", ["", "0"])
def test_only_that_process_is_taken_for_one(host, monkeypatch, value):
    monkeypatch.setenv("HERMES_PLUGIN_HOST_PROCESS", value)
    hermes = host(newer=True)
    hermes.load()

    assert hermes.turn(IN_OPS, "hello").hermes["user_id"] == ALICE


def test_at_an_endpoint_that_gets_nothing_the_ticket_is_taken_off_all_the_same(host):
    hermes = host(settings={"endpoints": [{"match": "127.0.0.1", "profile": "off"}]})
    hermes.load()

    assert hermes.turn(IN_OPS, "hello").bare


def test_an_endpoint_is_decided_for_by_where_the_request_goes_not_by_what_the_middleware_was_told(hermes):
    said = hermes.turn(IN_OPS, "hello", base_url=ELSEWHERE)

    assert said.hermes["user_id"] == ALICE


def test_the_log_holds_no_identity(hermes, log):
    hermes.turn(IN_OPS, "hello")
    in_thread(hermes.send, copied=False)

    assert "alice" not in log.text.lower()
