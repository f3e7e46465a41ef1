"""Which plugin wins: the order that the docs state."""

from __future__ import annotations

import itertools

import pytest

from hermes_hints import Settings, hint, hookimpl, loaded_plugins, register, unregister
from hermes_hints.plugins import registry

SOURCE = """
    from hermes_hints import hookimpl

    @hookimpl({1})
    def contribute_hints():
        return {{"user_intent": {0!r}, "labels": [{0!r}], "ext": {{"said.{0}": 1, "said.last": {0!r}}}}}
"""


def plugin(name, **options):
    class Plugin:
        @hookimpl(**options)
        def contribute_hints(self):
            return {"user_intent": name, "labels": [name], "ext": {f"said.{name}": 1, "said.last": name}}

    return Plugin()


def said(found):
    """Who spoke, the weakest first."""
    assert found["user_intent"] == found["ext"]["said.last"] == found["labels"][-1]
    return list(found["labels"])


def test_installed_ones_then_the_directory_then_registered_ones(install, directory, hinted):
    register(plugin("z-registered"), name="z")
    register(plugin("a-registered"), name="a")
    install(
        "some-hints",
        {"q-installed": "some_q", "p-installed": "some_p"},
        some_p=SOURCE.format("p-installed", ""),
        some_q=SOURCE.format("q-installed", ""),
    )
    folder = directory(n=SOURCE.format("n-file", ""), m=SOURCE.format("m-file", ""))
    registry.load(Settings(hints_directory=folder))
    order = ["p-installed", "q-installed", "m-file", "n-file", "z-registered", "a-registered"]
    assert said(hinted()) == order
    assert [found.name for found in loaded_plugins()] == ["p-installed", "q-installed", "m", "n", "z", "a"]


def test_trylast_is_weaker_and_tryfirst_stronger_than_all_others(install, directory, hinted):
    register(plugin("registered"), name="registered")
    register(plugin("registered-last", trylast=True), name="registered-last")
    install(
        "some-hints",
        {"a": "some_a", "b": "some_b", "c": "some_c"},
        some_a=SOURCE.format("installed-first", "tryfirst=True"),
        some_b=SOURCE.format("installed-last", "trylast=True"),
        some_c=SOURCE.format("installed", ""),
    )
    folder = directory(f=SOURCE.format("file-first", "tryfirst=True"))
    registry.load(Settings(hints_directory=folder))
    assert said(hinted()) == [
        "installed-last",
        "registered-last",
        "installed",
        "registered",
        "installed-first",
        "file-first",
    ]


@pytest.mark.parametrize("names", list(itertools.permutations("abc")))
def test_registered_ones_count_in_the_order_of_their_registration(names, hinted):
    for name in names:
        register(plugin(name), name=name)
    assert said(hinted()) == list(names)


def test_after_one_is_removed_or_replaced_the_order_is_still_that_of_registration(hinted):
    for name in "abcd":
        register(plugin(name), name=name)
    unregister("a")
    unregister("b")
    register(plugin("e"), name="e")
    register(plugin("c2"), name="c")
    register(plugin("f"), name="f")
    assert said(hinted()) == ["d", "e", "c2", "f"]
    assert [found.name for found in loaded_plugins()] == ["d", "e", "c", "f"]


def test_a_found_plugin_replaces_an_installed_one_of_its_name_and_takes_its_own_place(install, directory, hinted):
    install(
        "some-hints",
        {"same": "some_same", "z": "some_z"},
        some_same=SOURCE.format("installed", ""),
        some_z=SOURCE.format("z", ""),
    )
    registry.load(Settings(hints_directory=directory(same=SOURCE.format("file", ""))))
    assert said(hinted()) == ["z", "file"]
    register(plugin("registered"), name="same")
    assert said(hinted()) == ["z", "registered"]


def test_plugins_are_weaker_than_the_scope_and_the_scope_than_the_caller(hinted):
    register(plugin("plugin"), name="plugin")
    with hint(user_intent="scope", ext={"said.scope": 1}, labels=["scope"]):
        found = hinted()
        assert found["user_intent"] == "scope"
        assert found["labels"] == ("plugin", "scope")
        assert found["ext"] == {"said.plugin": 1, "said.last": "plugin", "said.scope": 1}
        own = hinted(hermes={"user_intent": "caller"}, metadata={"hermes_cost_center": "caller"})
    assert (own["user_intent"], own["cost_center"]) == ("caller", "caller")


def test_a_field_that_only_a_weaker_plugin_sets_stays(hinted):
    class Priority:
        @hookimpl
        def contribute_hints(self):
            return {"priority": "high", "user_intent": "weaker"}

    register(Priority)
    register(plugin("stronger"), name="stronger")
    found = hinted()
    assert (found["priority"], found["user_intent"]) == ("high", "stronger")
