"""Several profiles of one host in this process: each home by its own settings, and the rest left alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import Context, ContextVar
from types import SimpleNamespace

import pytest
from host_in_process import ALICE, Hermes, Place
from openai import AsyncOpenAI, OpenAI

IN_OPS = Place(ALICE)
HEADERS = {"endpoints": [{"match": "127.0.0.1", "profile": "headers"}]}

Serve = Callable[..., Hermes]


@pytest.fixture
def home(monkeypatch):
    """What the host sets where it works for a profile other than the first."""
    override = ContextVar("home", default=None)
    monkeypatch.setitem(sys.modules, "hermes_constants", SimpleNamespace(get_hermes_home_override=override.get))
    return override


@pytest.fixture
def serve(host, home, tmp_path) -> Serve:
    """A host with the plugin loaded for one of its homes."""

    def serve(name, settings=None):
        hermes = host(newer=True, settings=settings)

        def load():
            home.set(str(tmp_path / name))
            hermes.load()

        Context().run(load)
        return hermes

    return serve


def turn(hermes, home, path):
    return hermes.turn(IN_OPS, "hello", before=lambda: home.set(str(path)))


def doors():
    return [kind for kind in (OpenAI, AsyncOpenAI) if "request" in vars(kind)]


def unload(hermes):
    for callback in hermes.context.unloading:
        callback()


def test_each_homes_own_settings_count(serve, home, tmp_path):
    one, other = serve("one"), serve("other", HEADERS)

    everything, lines_only = turn(one, home, tmp_path / "one"), turn(other, home, tmp_path / "other")
    again = turn(one, home, tmp_path / "one")

    assert everything.hermes["user_id"] == again.hermes["user_id"] == ALICE
    assert (lines_only.hermes, lines_only.lines["user-id"]) == (None, ALICE)


def test_two_names_of_one_home_are_one(serve, home, tmp_path):
    hermes = serve("one")
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")

    assert turn(hermes, home, tmp_path / "link").hermes["user_id"] == ALICE


def test_what_a_home_without_the_plugin_sends_goes_on_as_it_is(serve, home, tmp_path):
    hermes = serve("one")

    def elsewhere():
        home.set(str(tmp_path / "without"))
        return hermes.sent(copied=True)

    assert hermes.started(IN_OPS, elsewhere).bare
    assert turn(hermes, home, tmp_path / "one").hermes["user_id"] == ALICE


def test_a_home_that_leaves_takes_nothing_from_the_others_and_the_last_one_leaves_nothing(serve, home, tmp_path):
    one, other = serve("one"), serve("other")

    unload(other)
    kept = turn(one, home, tmp_path / "one")
    standing = doors()
    unload(one)

    assert kept.hermes["user_id"] == ALICE
    assert (standing, doors()) == ([OpenAI, AsyncOpenAI], [])
    assert one.sent(copied=False).bare
