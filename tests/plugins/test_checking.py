"""What is said of a hint plugin that cannot work, and how one gets its own settings."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import types

import pytest

from hermes_hints import ConfigError, Settings, hookimpl, register
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


def module_with(source):
    module = types.ModuleType("written")
    exec("from hermes_hints import hookimpl\n" + source, vars(module))  # noqa: S102 - a plugin's source
    return module


WRONG = {
    "a misspelt hook": (
        "@hookimpl\ndef contribute_hint(call): return {}",
        "no hook 'contribute_hint'; did you mean 'contribute_hints'?",
    ),
    "a hook of nobody's": (
        "@hookimpl\ndef zzz(call): return {}",
        "no hook 'zzz'; known: configure, contribute_hints, hint_profiles, request_stamped",
    ),
    "a wrong argument": (
        "@hookimpl\ndef contribute_hints(call, user): return {}",
        "contribute_hints takes call, identity, and any of them may be left out; it has no 'user'",
    ),
    "arguments of another hook": ("@hookimpl\ndef contribute_hints(call, record): return {}", "it has no 'record'"),
    "any arguments": ("@hookimpl\ndef contribute_hints(*arguments): return {}", "it has no 'arguments'"),
    "any keywords": ("@hookimpl\ndef contribute_hints(call, **rest): return {}", "it has no 'rest'"),
    "keywords only": (
        "@hookimpl\ndef contribute_hints(call, *, identity): return {}",
        "write 'identity' as a plain parameter",
    ),
    "a coroutine function": (
        "@hookimpl\nasync def contribute_hints(call): return {}",
        "is a coroutine function, and a request does not wait for one",
    ),
    "an async generator": ("@hookimpl\nasync def contribute_hints(call): yield {}", "is a coroutine function"),
    "a wrapper": (
        "@hookimpl(wrapper=True)\ndef contribute_hints(call): return (yield)",
        "is a wrapper; hint plugins are called one by one",
    ),
    "an old wrapper": ("@hookimpl(hookwrapper=True)\ndef contribute_hints(call): yield", "is a wrapper"),
    "a marked non-function": (
        "@hookimpl\nclass contribute_hints:\n    def __init__(self, call): pass",
        "contribute_hints is a type; write a plain function",
    ),
    "no hook at all": (
        "def contribute_hints(call): return {}",
        "implements no hook; mark a function with hermes_hints.hookimpl",
    ),
    "nothing": ("", "implements no hook"),
    "a misspelt hook by its option": (
        "@hookimpl(specname='contribute')\ndef mine(call): return {}",
        "no hook 'contribute'",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_plugin_that_cannot_work_is_listed_as_failed_with_the_reason(what, hinted, caplog):
    source, reason = WRONG[what]
    plugin = register(module_with(source), name="wrong")
    assert plugin.state == "failed"
    assert plugin.failures == 1
    assert reason in plugin.error
    lines = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert len(lines) == 1
    assert "plugin wrong could not be loaded" in lines[0]
    assert hinted() == {}


@pytest.mark.parametrize(
    "thing",
    [None, 5, "text", object(), dict, lambda: None, int],
    ids=["nothing", "a number", "a text", "an object", "a class", "a function", "another class"],
)
def test_whatever_is_registered_nothing_is_raised(thing):
    assert register(thing, name="thing").state == "failed"


def test_a_class_that_cannot_be_made():
    class Greedy:
        def __init__(self, needed):
            pass

        @hookimpl
        def contribute_hints(self):
            return {}

    assert "TypeError" in register(Greedy).error


@pytest.mark.parametrize(
    "source",
    [
        "@hookimpl\ndef contribute_hints(): return {'user_intent': 'x'}",
        "@hookimpl\ndef contribute_hints(identity, call): return {'user_intent': 'x' if call.api and not identity.fields() else 'swapped'}",
        "@hookimpl\ndef contribute_hints(call, identity=None): return {'user_intent': 'lost' if identity is None else 'x'}",
        "@hookimpl(specname='contribute_hints')\ndef mine(call): return {'user_intent': 'x'}",
    ],
    ids=["no argument", "any order", "defaults", "another name"],
)
def test_the_forms_that_a_hook_may_have(source, hinted):
    assert register(module_with(source)).state == "loaded"
    assert hinted() == {"user_intent": "x"}


def test_static_and_class_methods(hinted):
    class Plugin:
        @staticmethod
        @hookimpl
        def contribute_hints(call):
            return {"user_intent": call.api}

        @classmethod
        @hookimpl(specname="contribute_hints")
        def more(cls, call):
            return {"cost_center": cls.__name__}

    assert register(Plugin).state == "loaded"
    registry.load()
    assert hinted() == {"user_intent": "chat.completions", "cost_center": "Plugin"}


# A plugin's own settings


class Configured:
    def __init__(self):
        self.seen = []

    @hookimpl
    def configure(self, settings):
        if "centre" in settings:
            message = "plugins.mine.centre: there is no 'centre'; write 'center'"
            raise ConfigError(message)
        self.seen.append(settings)

    @hookimpl
    def contribute_hints(self):
        return {"cost_center": self.seen[-1].get("center")}


def test_a_plugin_gets_its_own_section_once(hinted):
    plugin = Configured()
    settings = Settings.load({"plugins": {"mine": {"center": "4711"}, "other": {"x": 1}}})
    registry.load(settings)
    register(plugin, name="mine")
    for _ in range(3):
        registry.load(settings)
    assert plugin.seen == [{"center": "4711"}]
    assert hinted() == {"cost_center": "4711"}


def test_a_plugin_found_with_the_settings_gets_its_section_once(directory, tmp_path):
    source = f"""
        from hermes_hints import hookimpl

        @hookimpl
        def configure(settings):
            with open({str(tmp_path / "log")!r}, "a") as log:
                log.write(f"{{settings['center']}};")
    """
    registry.load(
        Settings.load({"hints_directory": str(directory(mine=source)), "plugins": {"mine": {"center": "4711"}}})
    )
    assert (tmp_path / "log").read_text() == "4711;"


def test_a_plugin_without_a_section_gets_an_empty_one(hinted):
    plugin = Configured()
    register(plugin, name="mine")
    assert plugin.seen == [{}]
    assert hinted() == {}


def test_a_section_that_changes_is_handed_out_again(hinted):
    plugin = Configured()
    register(plugin, name="mine")
    registry.load(Settings.load({"privacy": "none"}))
    registry.load(Settings.load({"plugins": {"mine": {"center": "1"}}}))
    registry.load(Settings.load({"plugins": {"mine": {"center": "1"}}, "privacy": "none"}))
    assert plugin.seen == [{}, {"center": "1"}]


def test_a_plugin_cannot_change_the_operators_settings():
    settings = Settings.load({"plugins": {"mine": {"center": "4711"}}})
    plugin = Configured()
    registry.load(settings)
    register(plugin, name="mine")
    plugin.seen[0].clear()
    assert settings.plugins == {"mine": {"center": "4711"}}


def test_settings_that_a_plugin_refuses_fail_it_with_its_own_message(hinted, caplog):
    registry.load(Settings.load({"plugins": {"mine": {"centre": "4711"}}}))
    register(Intent("good"), name="good")
    plugin = register(Configured(), name="mine")
    assert plugin.state == "failed"
    assert "plugins.mine.centre: there is no 'centre'; write 'center'" in plugin.error
    assert "plugin mine refuses its settings (ConfigError: plugins.mine.centre" in caplog.text
    assert hinted() == {"user_intent": "good"}


@pytest.mark.parametrize(
    "source", ["def configure(): pass", "def configure(settings=None): assert settings == {'a': 1}"]
)
def test_the_forms_of_configure(source):
    registry.load(Settings.load({"plugins": {"mine": {"a": 1}}}))
    hook = "\n@hookimpl\ndef contribute_hints(): return {}"
    assert register(module_with("@hookimpl\n" + source + hook), name="mine").state == "loaded"


def test_a_plugin_imports_almost_nothing():
    code = (
        "import sys; from hermes_hints import hookimpl, Hints\n"
        "assert not {'openai', 'httpx', 'httpx2', 'starlette', 'yaml'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env={**os.environ}, timeout=60)
