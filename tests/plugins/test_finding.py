"""Where hint plugins come from, and what is said of those that cannot be used."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import sys
import textwrap
import types

import pytest

from hermes_hints import Settings, hookimpl, loaded_plugins, register, unregister
from hermes_hints.plugins import registry

HINTS = """
    from hermes_hints import hookimpl

    @hookimpl
    def contribute_hints(call, identity):
        return {{"user_intent": {0!r}}}
"""


class Intent:
    def __init__(self, intent="object"):
        self.intent = intent

    @hookimpl
    def contribute_hints(self):
        return {"user_intent": self.intent}


def states():
    return {plugin.name: plugin.state for plugin in loaded_plugins()}


def the_only_one():
    (plugin,) = loaded_plugins()
    return plugin


def module_with(source):
    module = types.ModuleType("written")
    exec("from hermes_hints import hookimpl\n" + source, vars(module))  # noqa: S102 - a plugin's source
    return module


# Installed ones


def test_an_installed_plugin_is_found_by_its_entry_point(install, hinted):
    install("acme-hints", {"acme": "acme_hints"}, acme_hints=HINTS.format("installed"))
    plugin = the_only_one()
    assert (plugin.name, plugin.source, plugin.state, plugin.error) == ("acme", "entry point", "loaded", None)
    assert plugin.location == "acme-hints 1.2: acme_hints"
    assert plugin.hooks == ("contribute_hints",)
    assert plugin.failures == 0
    assert hinted() == {"user_intent": "installed"}


def test_an_entry_point_may_name_an_object_or_a_class(install, hinted):
    source = """
        from hermes_hints import hookimpl

        class Plugin:
            @hookimpl
            def contribute_hints(self):
                return {"user_intent": "of a class"}

        class Other:
            @hookimpl
            def contribute_hints(self):
                return {"cost_center": "of an object"}

        other = Other()
    """
    install("acme-hints", {"a": "acme_hints:Plugin", "b": "acme_hints:other"}, acme_hints=source)
    registry.load()
    assert states() == {"a": "loaded", "b": "loaded"}
    assert hinted() == {"user_intent": "of a class", "cost_center": "of an object"}


def test_broken_installed_plugins_cost_only_themselves(install, hinted, caplog):
    install(
        "acme-hints",
        {
            "gone": "acme_gone",
            "raises": "acme_raises",
            "exits": "acme_exits",
            "no_object": "acme_good:nothing",
            "good": "acme_good",
        },
        acme_raises="raise RuntimeError('of its own')",
        acme_exits="raise SystemExit(3)",
        acme_good=HINTS.format("good"),
    )
    found = {plugin.name: plugin for plugin in loaded_plugins()}
    assert {name: plugin.state for name, plugin in found.items()} == {
        "exits": "failed",
        "gone": "failed",
        "good": "loaded",
        "no_object": "failed",
        "raises": "failed",
    }
    assert "ModuleNotFoundError: No module named 'acme_gone'" in found["gone"].error
    assert "RuntimeError: of its own" in found["raises"].error
    assert "SystemExit: 3" in found["exits"].error
    assert "AttributeError" in found["no_object"].error
    lines = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert len(lines) == 4
    assert all(
        sum(f"plugin {name} " in line for line in lines) == 1 for name in ("gone", "raises", "exits", "no_object")
    )
    assert hinted() == {"user_intent": "good"}


def test_installed_plugins_are_searched_once(install, tmp_path):
    source = f"""
        import pathlib
        from hermes_hints import hookimpl

        log = pathlib.Path({str(tmp_path / "log")!r})
        log.write_text((log.read_text() if log.exists() else "") + "x")

        @hookimpl
        def contribute_hints():
            return None
    """
    install("acme-hints", {"acme": "acme_hints"}, acme_hints=source)
    for _ in range(3):
        registry.load(Settings())
        loaded_plugins()
    assert (tmp_path / "log").read_text() == "x"


# The operator's directory


def test_files_and_folders_in_the_directory(directory, hinted):
    folder = directory(
        file=HINTS.format("file"),
        package__slash____init__="from .rules import contribute_hints",
        package__slash__rules=HINTS.format("folder").replace("user_intent", "cost_center"),
        _skipped="raise RuntimeError",
        nothing__slash__readme="raise RuntimeError",
    )
    (folder / ".hidden.py").write_text("raise RuntimeError")
    (folder / "notes.txt").write_text("not Python")
    registry.load(Settings(hints_directory=folder))
    assert [(plugin.name, plugin.source, plugin.location, plugin.state) for plugin in loaded_plugins()] == [
        ("file", "directory", str(folder / "file.py"), "loaded"),
        ("package", "directory", str(folder / "package" / "__init__.py"), "loaded"),
    ]
    assert hinted() == {"user_intent": "file", "cost_center": "folder"}


def test_a_directory_with_a_syntax_error_in_it(directory, hinted, caplog):
    folder = directory(
        a_good=HINTS.format("good"), broken="def contribute_hints(:\n", raising="import nonsense_of_mine\n"
    )
    registry.load(Settings(hints_directory=folder))
    found = {plugin.name: plugin for plugin in loaded_plugins()}
    assert {name: plugin.state for name, plugin in found.items()} == {
        "a_good": "loaded",
        "broken": "failed",
        "raising": "failed",
    }
    assert "SyntaxError" in found["broken"].error
    assert "broken.py, line 1" in found["broken"].error
    assert "No module named 'nonsense_of_mine'" in found["raising"].error
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 2
    assert "plugin broken could not be loaded (SyntaxError: " in lines[0]
    assert hinted() == {"user_intent": "good"}
    assert not [name for name in sys.modules if name.endswith((".broken", ".raising"))]


@pytest.mark.parametrize("there", [False, True], ids=["nothing", "a file"])
def test_a_directory_that_is_none_is_said(there, tmp_path, hinted, caplog):
    place = tmp_path / "place"
    if there:
        place.write_text("")
    with caplog.at_level(logging.INFO):
        registry.load(Settings(hints_directory=place))
    assert loaded_plugins() == ()
    assert hinted() == {}
    (line,) = [record.getMessage() for record in caplog.records if "no plugins from" in record.getMessage()]
    assert str(place) in line


def test_a_folder_that_is_locked_costs_only_itself(tmp_path, hinted, caplog, monkeypatch):
    """To all but root, for whom the error is made up here."""
    is_file = pathlib.Path.is_file

    def locked(path):
        if path.parent.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    (tmp_path / "locked").mkdir()
    (tmp_path / "open.py").write_text(textwrap.dedent(HINTS.format("good")))
    monkeypatch.setattr(pathlib.Path, "is_file", locked)
    registry.load(Settings(hints_directory=tmp_path))
    assert hinted() == {"user_intent": "good"}
    assert f"no plugin from {tmp_path / 'locked'} (PermissionError" in caplog.text


def test_names_with_hyphens_and_those_of_real_modules(directory, hinted):
    folder = directory(
        **{"quiet-hours": HINTS.format("hyphen"), "json": HINTS.format("json").replace("user_intent", "cost_center")}
    )
    registry.load(Settings(hints_directory=folder))
    import json

    assert json.loads("1") == 1
    assert states() == {"json": "loaded", "quiet-hours": "loaded"}
    assert hinted() == {"user_intent": "hyphen", "cost_center": "json"}


# Registered ones


def test_modules_objects_and_classes_can_be_registered(hinted):
    module = module_with("@hookimpl\ndef contribute_hints(): return {'cost_center': 'module'}")
    assert register(module).name == "written"
    assert register(Intent).name == "Intent"
    assert register(Intent("named"), name="mine").name == "mine"
    assert [(plugin.name, plugin.source, plugin.state) for plugin in loaded_plugins()] == [
        ("written", "registered", "loaded"),
        ("Intent", "registered", "loaded"),
        ("mine", "registered", "loaded"),
    ]
    assert hinted() == {"cost_center": "module", "user_intent": "named"}


class UnsayableError(Exception):
    def __str__(self):
        raise RuntimeError


def raising(error):
    def function():
        raise error

    return function


UNSAYABLE = {
    "an error without words": UnsayableError(),
    "a cancellation": asyncio.CancelledError(),
    "an end": SystemExit(),
}


@pytest.mark.parametrize("hook", ["configure", "hint_profiles", "__init__"])
@pytest.mark.parametrize("error", UNSAYABLE.values(), ids=UNSAYABLE)
def test_one_that_cannot_even_say_what_is_wrong_costs_only_itself(hook, error, hinted):
    register(Intent("good"), "good")

    class Broken:
        @hookimpl
        def contribute_hints(self):
            return {"cost_center": "broken"}

    function = raising(error)
    marked = function if hook == "__init__" else hookimpl(function, specname=hook)
    setattr(Broken, hook, (lambda _: function()) if hook == "__init__" else staticmethod(marked))
    listed = register(Broken, "broken")
    assert listed.state == ("loaded" if hook == "hint_profiles" else "failed")
    assert listed.error
    assert hinted()["user_intent"] == "good"


def test_an_object_that_cannot_be_looked_into_is_listed_as_failed(hinted):
    class Opaque:
        def __getattr__(self, name):
            raise RuntimeError

    assert register(Opaque()).state == "failed"
    assert hinted() == {}


def test_the_same_object_again_changes_nothing(hinted):
    plugin = Intent()
    first = register(plugin)
    register(Intent("other"), name="other")
    assert register(plugin) == first
    assert [plugin.name for plugin in loaded_plugins()] == ["Intent", "other"]
    assert hinted() == {"user_intent": "other"}


def test_the_same_name_again_replaces(hinted, caplog):
    caplog.set_level(logging.INFO)
    register(Intent("old"), name="mine")
    register(Intent("new"), name="mine")
    assert hinted() == {"user_intent": "new"}
    assert the_only_one().state == "loaded"
    assert "plugin mine from" in caplog.text
    assert "replaces" in caplog.text


def test_a_broken_replacement_does_not_leave_the_old_one_in_force(hinted):
    register(Intent("old"), name="mine")
    assert register(object(), name="mine").state == "failed"
    assert hinted() == {}


def test_the_same_object_under_two_names_is_one_plugin():
    plugin = Intent()
    register(plugin, name="one")
    second = register(plugin, name="two")
    assert second.state == "failed"
    assert "already registered" in second.error


def test_what_was_registered_can_be_removed(hinted):
    register(Intent())
    assert unregister("Intent") is True
    assert unregister("Intent") is False
    assert loaded_plugins() == ()
    assert hinted() == {}
    register(Intent("again"))
    assert hinted() == {"user_intent": "again"}


def test_a_plugin_that_removes_itself_during_a_call(hinted):
    class Once:
        @hookimpl
        def contribute_hints(self):
            unregister("Once")
            return {"user_intent": "once"}

    register(Once)
    assert hinted() == {"user_intent": "once"}
    assert hinted() == {}


def test_a_registered_plugin_can_be_disabled_by_the_operator(hinted):
    registry.load(Settings(disabled_plugins=("Intent",)))
    assert register(Intent).state == "disabled"
    assert the_only_one().error == "in disabled_plugins"
    assert hinted() == {}


def test_disabled_plugins_are_not_even_imported(install, directory, hinted):
    install("acme-hints", {"installed": "acme_hints"}, acme_hints="raise RuntimeError")
    folder = directory(file="raise RuntimeError", good=HINTS.format("good"))
    registry.load(Settings(hints_directory=folder, disabled_plugins=("installed", "file")))
    assert states() == {"installed": "disabled", "file": "disabled", "good": "loaded"}


def test_a_plugin_that_is_disabled_later(install, hinted):
    install("acme-hints", {"acme": "acme_hints"}, acme_hints=HINTS.format("installed"))
    assert states() == {"acme": "loaded"}
    registry.load(Settings(disabled_plugins=("acme",)))
    assert states() == {"acme": "disabled"}
    assert hinted() == {}
