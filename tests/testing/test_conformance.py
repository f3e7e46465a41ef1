"""The conformance suite as an author runs it: good plugins pass, and a bad one is told what to change."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from sample_plugins import GOOD

NEEDS_A_CENTER = """
    from hermes_hints import ConfigError, hookimpl

    @hookimpl
    def configure(settings):
        if "center" not in settings:
            raise ConfigError("center is missing; give the number that pays")

    @hookimpl
    def contribute_hints(call):
        return {"cost_center": "4711"}
"""
STATEFUL = """
    import time
    from hermes_hints import hookimpl

    @hookimpl
    def contribute_hints(call):
        global latest
        latest = call
        time.sleep(0.001)
        return {"acme.call": latest.call or 0}
"""
THREAD = """
    import threading
    from hermes_hints import hookimpl

    @hookimpl
    def configure(settings):
        threading.Thread(target=threading.Event().wait, args=(5,), name="ticker").start()
"""
ONCE = """
    import sys
    from hermes_hints import hookimpl

    @hookimpl
    def configure(settings):
        if hasattr(sys, "acme_once"):
            raise OSError("port in use")
        sys.acme_once = True
"""


def hint(body, arguments="call, identity"):
    return (
        f"import logging, time\nfrom hermes_hints import hookimpl\n@hookimpl\ndef contribute_hints({arguments}): {body}"
    )


def other(definition):
    return f"from hermes_hints import hookimpl\n@hookimpl\n{definition}"


BAD = {
    "unimportable": ("import no_such_module", "it_loads", "No module named 'no_such_module'"),
    "hookless": ("x = 1", "it_loads", "mark a function with hermes_hints.hookimpl"),
    "misspelt": (other("def contribute_hint(call): ..."), "it_loads", "did you mean 'contribute_hints'?"),
    "coroutine": (other("async def contribute_hints(call): ..."), "it_loads", "write a plain function"),
    "undotted": (
        other("def hint_profiles(): return {'mine': {'headers': True}}"),
        "it_loads",
        "Declare profiles as docs/reference/hooks.md shows",
    ),
    "unset": (
        other("def configure(settings): settings['table']"),
        "it_needs_no_settings",
        "raise hermes_hints.ConfigError naming the key and the remedy. Traceback",
    ),
    "unfriendly": (
        other("def configure(settings): sum(settings)"),
        "settings_it_does_not_know",
        "with the settings {'no-such-setting': 1} it refuses its settings (TypeError: unsupported operand",
    ),
    "roomy": (
        hint("return {'cost_center': identity.chat_id.upper()}"),
        "every_call_of_a_turn",
        "'NoneType' object has no attribute 'upper', for a call of chat.completions (purpose='main', call=1, platform='cli').",
    ),
    "impostor": (
        hint("return {'user_id': 'x', 'chat_id': 'y'}"),
        "anonymous_calls",
        "who is calling is for the host and the caller to say",
    ),
    "urgent": (
        hint("return {'priority': 'urgent'}"),
        "anonymous_calls",
        "priority must be one of low, normal, high, for a call of chat.completions (nothing known of who and what). Keep to",
    ),
    "unknown": (
        hint("return {'region': 'eu'}"),
        "anonymous_calls",
        "or a key of your own with a dot, such as 'acme.region'",
    ),
    "wordy": (hint("return 'high'"), "anonymous_calls", "Return Hints, a mapping of their fields, or None"),
    "splitting": (
        hint("return {'user_intent': call.user_text().split()[0]} if call.user_text() else None"),
        "odd_calls",
        "list index out of range, for a call with a message of blanks.",
    ),
    "peeking": (
        other("def request_stamped(carriers): carriers.headers['X-Hermes-User-Id']"),
        "every_profile_and_privacy",
        "to an endpoint with the profile",
    ),
    "slow": (
        hint("time.sleep(0.03)"),
        "it_stays_within_the_budget",
        "and one that takes longer again and again is set aside. Do slow work in configure",
    ),
    "slower": (
        hint("time.sleep(0.03 * (call.context_chars() > 1000))"),
        "it_stays_within_the_budget",
        "ms for a long conversation, in the best of 25 tries",
    ),
    "telltale": (
        hint("return {'labels': [f'in {identity.chat_name}']}"),
        "it_keeps_identity_out_of_hints",
        "it writes the chat_name of a call of chat.completions",
    ),
    "quoting": (
        hint("return {'acme.said': call.user_text()}"),
        "it_keeps_identity_out_of_hints",
        "it writes the user's message of a call",
    ),
    "chatty": (
        hint("logging.warning('called by %s', identity.user_id)"),
        "it_keeps_identity_out_of_logs",
        "stands in its log above DEBUG. Log it at DEBUG, or not at all.",
    ),
    "printing": (hint("print(identity.user_name)"), "it_keeps_identity_out_of_logs", "stands in what it prints"),
    "mixing": (STATEFUL, "threads_do_not_mix", "Keep what belongs to one call in local variables, not in the module"),
    "ticking": (
        THREAD,
        "it_can_be_unloaded_and_loaded_again",
        "it has started the thread 'ticker', which keeps the host from ending. Start it with daemon=True",
    ),
    "once": (
        ONCE,
        "it_can_be_unloaded_and_loaded_again",
        "a second time it is not loaded: refuses its settings (OSError: port in use)",
    ),
    "needy": (NEEDS_A_CENTER, "it_needs_no_settings", "center is missing; give the number that pays"),
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Run the suite on plugins, in one process; for each, its failures by test, and how many tests passed."""
    folder = tmp_path_factory.mktemp("plugins")

    def suite(sources, *arguments):
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source), "utf-8")
        plugins = [word for name in sources for word in ("--hint-plugin", f"{name}.py")]
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "hermes_hints.testing.pytest_plugin", "-p", "no:cacheprovider"),
                *("--pyargs", "hermes_hints.testing.conformance", *plugins, "--junitxml=report.xml", *arguments),
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode in {0, 1}, run.stdout + run.stderr
        found = {name: SimpleNamespace(passed=0, failed={}) for name in sources}
        for case in ET.parse(folder / "report.xml").iter("testcase"):  # noqa: S314 - pytest's own
            test, name = re.fullmatch(r"test_(\w+)\[(?:.+-)?(\w+)\.py(?:-.+)?\]", case.attrib["name"]).groups()
            failure = case.find("failure")
            if failure is None:
                found[name].passed += 1
            else:
                said = " ".join((failure.text or "").split())
                found[name].failed[test] = f"{found[name].failed.get(test, '')} {said}"
        return found

    return suite


@pytest.fixture(scope="module")
def verdicts(suite):
    chosen = " or ".join(f"({name} and test_{test})" for name, (_, test, _) in BAD.items())
    return suite({"good": GOOD} | {name: source for name, (source, _, _) in BAD.items()}, "-k", f"good or {chosen}")


def test_a_good_plugin_passes_all_of_it(verdicts):
    assert verdicts["good"].failed == {}
    assert verdicts["good"].passed > 40


@pytest.mark.parametrize("name", BAD)
def test_the_suite_says_what_to_change(verdicts, name):
    _, test, said = BAD[name]

    assert verdicts[name].failed.keys() == {test}
    assert said in verdicts[name].failed[test]


def test_a_plugin_that_needs_settings_is_given_them(suite):
    given = suite({"needy": NEEDS_A_CENTER}, "--hint-settings", '{"center": "1"}')["needy"]

    assert given.failed == {}
    assert given.passed > 40
