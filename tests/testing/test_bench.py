"""A plugin on the bench says and sends what it would in a host."""

from __future__ import annotations

import json
import logging
import sys
import threading

import openai
import pytest
from sample_plugins import GOOD, OpsFirst

import hermes_hints
from hermes_hints import ConfigError, hookimpl, receive
from hermes_hints.testing import FakeCall, FakeSession, FakeUpstream, HintPluginError, HintsBench

OPS = "!ops:example.org"
HINTS = {"priority": "high", "ext": {"acme.region": "eu"}}


@pytest.fixture
def bench():
    with HintsBench(OpsFirst()) as bench:
        yield bench


def test_hints_of_one_call(bench):
    assert bench.hints("hello", chat_id=OPS) == HINTS
    assert bench.hints("hello", chat_id="!other") == {}
    assert bench.hints() == {}


def test_the_record_says_who_what_and_the_hints(bench):
    seen = bench.run("hello", chat_id=OPS, user_id="@alice", purpose="main", request_id="r-1")

    expected = {"user_id": "@alice", "chat_id": OPS, "purpose": "main", "request_id": "r-1", **HINTS}
    assert seen.record == expected
    assert receive.read(seen.headers, None).user_id == "@alice"
    assert receive.read(None, seen.body).fields() == expected
    assert json.loads(seen.body)["messages"] == [{"role": "user", "content": "hello"}]


def test_profile_and_privacy_decide_what_leaves(bench):
    call = FakeCall.of("hello", chat_id=OPS, user_id="@alice", purpose="main")

    headers = bench.run(call, profile="headers")
    assert headers.headers["X-Hermes-Priority"] == "high"
    assert (headers.added, json.loads(headers.body)) == ({}, call.body)

    nothing = bench.run(call, profile="off")
    assert (nothing.hints, nothing.record, nothing.headers, nothing.added) == ({}, {}, {}, {})

    hidden = bench.run(call, privacy="none")
    assert hidden.record.keys() == {"request_id", "purpose", "priority", "ext"}

    renamed = bench.run(call, privacy="pseudonymous")
    assert len(renamed.record["user_id"]) == 64
    assert renamed.record["user_id"] == bench.run(call, privacy="pseudonymous").record["user_id"]
    assert b"@alice" not in renamed.body
    assert list(bench.run(call, profile="openai").added) == ["safety_identifier"]


def test_what_the_bench_shows_is_what_arrives(bench):
    hermes_hints.register(OpsFirst(), "ops-first")
    with FakeUpstream() as upstream, openai.OpenAI(base_url=upstream.base_url, api_key="k") as client:
        for call in FakeSession("matrix").turn():
            with hermes_hints.identify(call.identity), hermes_hints.calling(**call.facts):
                answer = hermes_hints.wrap(client).chat.completions.create(**call.body)
                if call.body.get("stream"):
                    list(answer)
            seen = bench.run(call)
            assert upstream.last.json == json.loads(seen.body)
            ours = {name.lower(): line for name, line in seen.headers.items()}
            assert {name.lower(): line for name, line in upstream.last.headers if name.lower() in ours} == ours
            assert upstream.last.record.fields() == seen.record


@pytest.mark.parametrize("name", ["ops_first.py", "ops-first.py", "ops-first/__init__.py"])
def test_files_and_folders_are_loaded_as_from_the_hints_directory(write, name):
    path = write(GOOD, name)
    for given in {path, str(path), path.parent if path.name == "__init__.py" else path}:
        with HintsBench(given, settings={"rooms": ["!lab"]}) as bench:
            assert (bench.state.name, bench.state.source) == (name.partition("/")[0].removesuffix(".py"), "directory")
            assert bench.hints(chat_id="!lab") == HINTS
            assert bench.hints(chat_id=OPS) == {}


def test_each_bench_has_the_plugin_anew_and_leaves_nothing_behind(write, monkeypatch):
    monkeypatch.delitem(sys.modules, "hermes_hints_plugins.ops_first", raising=False)  # of a test before this one
    path = write(GOOD + "\ncalls = []\n\n@hookimpl\ndef request_stamped(call):\n    calls.append(call)\n")
    before = (set(sys.modules), logging.getLogger("hermes_hints").level, logging.getLogger("hermes_hints").handlers[:])

    with HintsBench(path, settings={"rooms": []}) as bench:
        assert bench.hints(chat_id=OPS) == {}
        assert set(sys.modules) - before[0] == {"hermes_hints_plugins.ops_first"}
    with HintsBench(path) as bench:
        assert bench.hints(chat_id=OPS) == HINTS

    after = (set(sys.modules), logging.getLogger("hermes_hints").level, logging.getLogger("hermes_hints").handlers)
    assert after == before
    assert hermes_hints.loaded_plugins() == ()


def test_two_at_once_end_in_any_order():
    level = logging.getLogger("hermes_hints").level
    first, second = HintsBench(Wrong(), name="first"), HintsBench(Wrong(), name="second")
    with pytest.raises(HintPluginError, match="the hint plugin first raised"):
        first.hints("raise")
    first.close()
    with pytest.raises(HintPluginError, match="the hint plugin second raised") as raised:
        second.hints("raise")
    assert isinstance(raised.value.__cause__, KeyError)
    assert (len(first.faults), len(second.faults)) == (1, 1)
    second.close()
    second.close()
    assert logging.getLogger("hermes_hints").level == level


def test_modules_classes_and_what_is_installed(write, tmp_path, monkeypatch):
    write(GOOD, "acme_hints.py")
    write("import acme_hints\nclass first: rooms = acme_hints\n", "acme_more.py")
    write("[hermes_hints]\nacme = acme_hints\n", "acme-1.0.dist-info/entry_points.txt")
    write("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", "acme-1.0.dist-info/METADATA")
    monkeypatch.syspath_prepend(str(tmp_path))

    named = {"acme": "acme", "acme_hints": "acme_hints", "acme_more:first.rooms": "acme_more"}
    for given, name in named.items():
        with HintsBench(given, settings={"rooms": ["!lab"]}) as bench:
            assert (bench.name, bench.hints(chat_id="!lab")) == (name, HINTS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme").mkdir()  # the project, which is no plugin itself
    with HintsBench("acme") as bench:
        assert bench.state.source == "entry point"
    with HintsBench(OpsFirst) as bench:
        assert (bench.name, bench.hints(chat_id=OPS)) == ("OpsFirst", HINTS)
    with HintsBench(sys.modules["acme_hints"], name="mine", settings={"rooms": ["!lab"]}) as bench:
        assert (bench.state.name, bench.hints(chat_id="!lab")) == ("mine", HINTS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "no_such_module",
            "'no_such_module': it is no file or folder, no entry point in the group hermes_hints, and no module",
        ),
        ("json:nothing", "'json:nothing': .* has no attribute 'nothing'"),
        ("./not-there.py", "'./not-there.py': "),
    ],
)
def test_a_plugin_that_is_not_there_is_named(given, said):
    with pytest.raises(ConfigError, match=f"there is no hint plugin {said}"):
        HintsBench(given)


def test_a_folder_that_is_none_and_a_name_that_is_not_its_own(write, tmp_path):
    with pytest.raises(ConfigError, match=r"give a file NAME\.py or a folder with an __init__.py"):
        HintsBench(tmp_path)
    with pytest.raises(ConfigError, match="names that begin with"):
        HintsBench(write(GOOD, "_private.py"))
    with pytest.raises(ConfigError, match="this plugin is called 'ops_first'; leave name out"):
        HintsBench(write(GOOD), name="other")


def test_what_a_module_imports_and_is_not_there_is_told_as_it_is(write, monkeypatch, tmp_path):
    write("import no_such_dependency\n", "acme_broken.py")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        HintsBench("acme_broken")


def test_a_plugin_that_is_not_loaded_says_why(write):
    with HintsBench(write(GOOD), settings={"room": 1}) as bench:
        assert bench.state.state == "failed"
        assert "there is no setting 'room'; use rooms" in bench.state.error
        with pytest.raises(
            HintPluginError, match=r"ops_first is failed: refuses its settings .*no setting 'room'"
        ) as raised:
            bench.hints()
        assert isinstance(raised.value.__cause__, ConfigError)
        assert bench.run(strict=False).hints == {}


class Wrong:
    """Does whatever the user says."""

    @hookimpl
    def contribute_hints(self, call):
        if call.user_text() == "raise":
            return {}[call.purpose]
        return {"identity": {"user_id": "u"}, "text": "high", "limits": {"priority": "urgent"}}.get(call.user_text())


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("raise", "raised in contribute_hints"),
        ("identity", "'user_id' is an identity field"),
        ("text", "returned str from contribute_hints"),
        ("limits", "priority must be one of low, normal, high"),
    ],
)
def test_a_fault_is_an_error_of_the_test_with_its_cause(said, what):
    with HintsBench(Wrong()) as bench:
        assert bench.hints("nothing") == {}
        assert bench.faults == ()
        for _ in range(2):  # the log says it once
            with pytest.raises(HintPluginError, match=what) as raised:
                bench.hints(said, purpose="main")
        assert type(raised.value.__cause__) is (KeyError if said == "raise" else type(None))
        assert len(bench.faults) == 2
        assert bench.run(said, strict=False).hints == {}
        assert len(bench.faults) == 3
        assert str(bench.faults[0]).startswith(bench.faults[0].what)


def test_a_plugin_that_hangs_is_told():
    release = threading.Event()

    class Hangs:
        @hookimpl
        def contribute_hints(self, call):
            release.wait(30)

    told = pytest.raises(HintPluginError, match="took more than 300 ms in contribute_hints")
    with HintsBench(Hangs(), budget_ms=300) as bench, told:
        bench.hints("hello")
    release.set()


def test_an_observer_sees_what_leaves_for_this_endpoint():
    seen = []

    class Observer:
        @hookimpl
        def request_stamped(self, record, carriers):
            seen.append((record.fields(), dict(carriers.headers)))

    with HintsBench(Observer()) as bench:
        left = bench.run("hello", user_id="@alice", user_name="Alice", profile="headers", privacy="pseudonymous")

    assert seen == [(left.record, left.headers)]
    assert "user_name" not in seen[0][0]


class Gateway:
    """Declares a profile."""

    @hookimpl
    def hint_profiles(self):
        return {"acme.gateway": {"native_headers": {"X-Acme-User": "user_id"}}}


def test_the_profiles_of_the_plugin_itself():
    with HintsBench(Gateway()) as bench:
        assert bench.profiles == ("acme.gateway",)
        assert bench.run("hello", user_id="@alice", profile="acme.gateway").headers == {"X-Acme-User": "@alice"}
        with pytest.raises(ConfigError, match=r"no profile 'acme.other'; Gateway declares acme.gateway"):
            bench.run("hello", profile="acme.other")


def test_wrong_arguments_are_named(bench):
    with pytest.raises(ConfigError, match="no profile 'dispatch'; use one of"):
        bench.run("hello", profile="dispatch")
    with pytest.raises(ConfigError, match="privacy"):
        bench.run("hello", privacy="some")
    with pytest.raises(ConfigError, match="a call has no field 'chat'; did you mean 'chat_id'"):
        bench.run("hello", chat=OPS)
    with pytest.raises(ConfigError, match=r"chat_id: give fields to FakeCall\.of, or a text and fields here"):
        bench.run(FakeCall.of("hello"), chat_id=OPS)
    with pytest.raises(ConfigError, match=r"settings\.plugins"):
        HintsBench(OpsFirst(), settings=["!ops"])


def test_each_thread_is_told_of_its_own_call(bench):
    start = threading.Barrier(8)
    wrong = []

    def make(number):
        start.wait()
        for turn in range(50):
            room = OPS if (number + turn) % 2 else "!other"
            seen = bench.run("hello", chat_id=room)
            if (seen.hints == HINTS) != (room == OPS) or seen.record["chat_id"] != room:
                wrong.append(seen)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert bench.faults == ()
