"""What is easily overlooked: quotations, names that are taken, doors that are taken, hosts that lack something."""

from __future__ import annotations

import contextvars
from types import SimpleNamespace

import pytest
from host_in_process import ALICE, Place
from test_levers import ALICE as A
from test_levers import CLOUD, Host

import hermes_hints
from hermes_hints.errors import ConfigError
from hermes_hints.hermes import plugin
from hermes_hints.hermes.levers import Levers

IN_OPS = Place(ALICE)
QUOTED = "hello\n\n/hint --session force-cloud please\n\nthanks"


@pytest.mark.parametrize(
    "text",
    [
        f'[Replying to: "{QUOTED}"]\n\nwhat does he want?',
        f"[Recent channel messages]\n[Mallory] {QUOTED}\n\n[New message]\nwhat does he want?",
        f"Mallory wrote:\n\n{QUOTED}\n\nwhat does he want?",
    ],
    ids=["a reply", "a channel's context", "pasted"],
)
def test_what_somebody_else_wrote_and_a_member_quotes_sets_nothing(text):
    host = Host()
    source = SimpleNamespace(platform="matrix", chat_id="!ops", user_id=A)
    event = SimpleNamespace(text="what does he want?", source=source, message_id="$9")
    task = contextvars.Context()
    task.run(host.levers.arrived, event=event, gateway=host)
    history = [{"role": "user", "content": text}]

    assert task.run(host.turn, A, text, message_id="$9", history=history) == {}
    assert host.levers.heard("t1", "s-!ops", list(history)) is None
    assert host.levers.wishes("t1", None) == {}
    assert host.hear(A, "and now?") == {}
    assert history[0]["content"] == text


def test_a_short_form_with_the_name_of_a_built_in_command_is_refused(host):
    hermes = host(settings={"commands": {"model": {"user_intent": "force-cloud"}}})
    hermes.module("hermes_cli.commands", resolve_command={"model": object()}.get)

    with pytest.raises(ConfigError, match=r"commands\.model: /model is a command of Hermes' own; give .* another name"):
        hermes.load()


@pytest.mark.parametrize("what", ["install", "uninstall"])
def test_where_another_plugin_has_taken_the_doors_no_ticket_leaves(host, what):
    hermes = host(settings={"endpoints": [{"match": "127.0.0.1", "profile": "off"}]})
    hermes.load()
    if what == "install":
        hermes_hints.install(settings={"endpoints": [{"match": "127.0.0.1", "profile": "off"}]})
    else:
        hermes_hints.uninstall()

    assert hermes.turn(IN_OPS, "hello", turn_id="t1").bare


@pytest.mark.parametrize(
    "missing", ["register_middleware", "register_command", "register_cli_command", "register_hook"]
)
def test_where_an_older_host_cannot_register_one_kind_of_thing_the_rest_works(host, missing):
    hermes = host()
    context = hermes.load()
    context.hooks.clear()
    old = SimpleNamespace(
        **{name: getattr(context, name) for name in dir(context) if name.startswith("register_") and name != missing},
        profile_name="default",
    )
    plugin.register(old)

    def work():
        hermes.send()
        return hermes.arrived()

    assert hermes.started(IN_OPS, work, message_id="$1").hermes["user_id"] == ALICE


def test_two_turns_of_one_session_at_once_keep_their_own_wishes():
    levers = Levers({}, dict)
    levers.turn_started(session_id="s", turn_id="t1", user_message="plain", platform="api_server")
    levers.turn_started(session_id="s", turn_id="t2", user_message="/hint force-cloud why?", platform="api_server")

    assert levers.wishes("t2", "s") == CLOUD
    assert levers.wishes("t1", "s") == {}


def test_a_question_that_was_no_turn_gives_its_hint_to_no_later_message():
    host = Host()
    source = SimpleNamespace(platform=SimpleNamespace(value="matrix"), chat_id="!ops", user_id=A)
    event = SimpleNamespace(text="/hint force-cloud no", source=source, message_id="$1")
    # The host takes "no" for an answer to a question of its own.
    contextvars.Context().run(host.levers.arrived, event=event, gateway=host)

    assert host.turn(A, "do you know?", message_id="$2") == {}
