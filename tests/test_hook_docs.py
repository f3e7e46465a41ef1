"""docs/reference/hooks.md and the hook specifications say the same, in both directions; and every example works."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from hermes_hints import Settings, hookspecs
from hermes_hints.finding import HOOKS
from hermes_hints.isolation import TRIAL
from hermes_hints.testing import FakeSession, HintsBench

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "hooks.md").read_text("utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASPECTS = ["Fires", "Thread", "Takes", "Returns", "When it fails"]

specified = {
    name: function
    for name, function in vars(hookspecs).items()
    if inspect.isfunction(function) and hasattr(function, f"{hookspecs.PROJECT}_spec")
}
introduction, *parts = re.split(r"^## `(\w+)`\n", PAGE, flags=re.MULTILINE)
documented = dict(zip(parts[::2], parts[1::2], strict=True))


def signature(function):
    """As it is written: names, annotations, the result."""
    definition = ast.parse(inspect.getsource(function)).body[0]
    definition.decorator_list, definition.body = [], [ast.Pass()]
    return ast.unparse(definition).removesuffix(":\n    pass")


def test_every_hook_has_its_part_and_every_part_its_hook():
    assert list(documented) == [name for name in HOOKS if name in documented]
    assert documented.keys() == specified.keys() == HOOKS.keys()
    listed = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\)", introduction, re.MULTILINE)
    assert listed == [(name, name) for name in documented]


@pytest.mark.parametrize("hook", specified)
def test_the_signature_is_the_hooks_own(hook):
    shown, _ = BLOCK.findall(documented[hook])

    assert shown.strip() == f"{signature(specified[hook])}: ..."


@pytest.mark.parametrize("hook", specified)
def test_every_aspect_of_it_is_told(hook):
    rows = dict(re.findall(r"^\| ([A-Z][\w ]+) \| (.+) \|$", documented[hook], re.MULTILINE))

    assert list(rows) == ASPECTS
    for argument in inspect.signature(specified[hook]).parameters:
        assert f"`{argument}`" in rows["Takes"]
    result = signature(specified[hook]).partition("->")[2]
    assert ("nothing" in rows["Returns"]) == ("None" in result)


def test_the_numbers_are_those_of_the_package():
    assert f"`budget_ms` ({Settings().budget_ms:g} by default)" in PAGE
    assert f"after {TRIAL} calls in which it computed" in PAGE


@pytest.fixture
def example(tmp_path):
    """Load the example of a hook as a plugin."""
    benches = []

    def example(hook, **options):
        path = tmp_path / f"{hook}.py"
        path.write_text(BLOCK.findall(documented[hook])[1], "utf-8")
        benches.append(HintsBench(path, **options))
        assert benches[-1].state.state == "loaded", benches[-1].state.error
        assert hook in benches[-1].state.hooks
        return benches[-1]

    yield example
    for bench in benches:
        bench.close()


def of_configure(example):
    room = FakeSession("matrix").identity.chat_id
    assert example("configure").hints(chat_id=room) == {}
    bench = example("configure", settings={"rooms": [room]})
    assert [bench.hints(call) for call in FakeSession("matrix").turn(steps=1, subagents=0)] == [
        {"priority": "high"}
    ] * 2
    with HintsBench(bench.state.location, settings={"rooms": room}) as refused:
        assert f"rooms is {room!r}; give a list of chat ids" in refused.state.error


def of_hint_profiles(example):
    call = FakeSession("matrix").turn()[0]
    assert example("hint_profiles").run(call, profile="acme.gateway").headers == {"X-Acme-User": call.identity.user_id}


def of_contribute_hints(example):
    bench = example("contribute_hints")
    assert [bench.hints(call) for call in FakeSession("slack").turn(steps=1, subagents=0)] == [
        {"labels": ("group",), "ext": {"acme.region": "eu"}},
        {"priority": "low", "requested_model": "small"},
    ]
    assert bench.hints() == {}


def of_request_stamped(example):
    import sys

    bench = example("request_stamped")
    for call in FakeSession("matrix").turn():
        bench.run(call)
    bench.run("nobody knows")
    bench.run("nobody hears", profile="off")
    counted = sys.modules["hermes_hints_plugins.request_stamped"].purposes
    assert counted == {"main": 2, "title_generation": 1, "subagent": 1, "unknown": 1}


EFFECTS = {
    "configure": of_configure,
    "hint_profiles": of_hint_profiles,
    "contribute_hints": of_contribute_hints,
    "request_stamped": of_request_stamped,
}


@pytest.mark.parametrize("hook", specified)
def test_the_example_works(hook, example):
    EFFECTS[hook](example)
