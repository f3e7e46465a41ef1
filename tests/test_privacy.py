"""Pseudonyms and what is left out."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import records, wild_text

from hermes_hints import ConfigError, Settings
from hermes_hints.pipeline import Pipeline
from hermes_hints.privacy import Keyring, guarded, pseudonym, strictest
from hermes_hints.wire import WIRE_FIELDS

KEY = "a-key-of-sixteen-or-more"
PERSONAL = {
    "user_id": "@alice:example.org",
    "user_id_alt": "+49 151 2345678",
    "user_name": "Alice A.",
    "chat_id": "!ops:example.org",
    "chat_name": "Alice and Bob",
    "thread_id": "$alice",
    "message_id": "$hi-from-alice",
    "session_key": "agent:main:matrix:dm:@alice:example.org",
}
PLACES = {"platform": "matrix", "chat_type": "dm"}
CORRELATION = {
    "session_id": "20261121_012008_d4149b13",
    "conversation_id": "20261120_220000_00000000",
    "parent_session_id": "20261120_230000_00000000",
    "request_id": "0123456789abcdef",
    "turn_id": "t",
    "task_id": "k",
}
REST = {
    "agent": "hermes-agent/0.19.0",
    "profile": "default",
    "call": 2,
    "purpose": "main",
    "user_intent": "cloud",
    "labels": ("a",),
}
RECORD = {**PERSONAL, **PLACES, **CORRELATION, **REST}
WHERE_AND_WHO = {*PERSONAL, *PLACES}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state" / "pseudonym.key"


@pytest.fixture
def given_key(file):
    return Keyring(KEY, file)


def test_raw_is_everything(given_key):
    assert guarded(RECORD, "raw", given_key) == RECORD


def test_none_has_nothing_of_who_and_where(given_key):
    shown = guarded(RECORD, "none", given_key)
    assert shown == {**CORRELATION, **REST}
    assert "alice" not in repr(shown).lower()


@given(records)
def test_none_never_has_who_and_where(record):
    assert guarded(record, "none", None) == {field: record[field] for field in record if field not in WHERE_AND_WHO}


def test_pseudonymous_has_a_pseudonym_for_every_id_and_no_name(given_key):
    shown = guarded(RECORD, "pseudonymous", given_key)
    assert shown.keys() == RECORD.keys() - {"user_name", "chat_name"}
    for field in (*PERSONAL, *CORRELATION):
        if field in shown:
            assert re.fullmatch(r"[0-9a-f]{64}", shown[field])
            assert shown[field] == hmac.new(KEY.encode(), RECORD[field].encode(), hashlib.sha256).hexdigest()
    assert {field: shown[field] for field in (*PLACES, *REST)} == {**PLACES, **REST}
    assert "alice" not in repr(shown).lower()


def test_the_record_is_not_changed(given_key):
    before = dict(RECORD)
    for level in ("raw", "pseudonymous", "none"):
        guarded(RECORD, level, given_key)
    assert before == RECORD


@given(wild_text)
def test_pseudonyms_are_short_and_stable_for_any_text(text):
    one = pseudonym(b"key", text)
    assert re.fullmatch(r"[0-9a-f]{64}", one)
    assert pseudonym(b"key", text) == one
    assert pseudonym(b"other key", text) != one


@given(st.lists(st.text(), unique=True, min_size=2, max_size=20))
def test_pseudonyms_differ_from_one_another(texts):
    assert len({pseudonym(b"key", text) for text in texts}) == len(texts)


def test_the_same_key_gives_the_same_pseudonyms_in_every_process(file):
    ours = [guarded(RECORD, "pseudonymous", Keyring(*source)) for source in ((KEY, file), (KEY, file.parent / "other"))]
    assert ours[0] == ours[1]
    made = [guarded(RECORD, "pseudonymous", Keyring(None, file)) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0] != ours[0]


def test_the_key_file_is_made_once_for_its_owner_alone(file):
    first = Keyring(None, file).key()
    assert len(first) == 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert Keyring(None, file).key() == first
    assert [path.name for path in file.parent.iterdir()] == ["pseudonym.key"]


def test_no_key_file_is_made_where_none_is_needed(file):
    ring = Keyring(None, file)
    guarded(RECORD, "raw", ring)
    guarded(RECORD, "none", ring)
    guarded(RECORD, "pseudonymous", Keyring(KEY, file))
    assert not file.exists()


def test_threads_that_come_first_together_get_one_key(file):
    barrier = threading.Barrier(8)
    found = []

    def work():
        ring = Keyring(None, file)
        barrier.wait(10)
        found.append(ring.key())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in file.parent.iterdir()] == ["pseudonym.key"]


MAKE_KEY = """
import pathlib, sys
from hermes_hints.privacy import Keyring
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
sys.stdout.write(Keyring(None, pathlib.Path(sys.argv[1])).key().decode())
"""


def test_processes_that_come_first_together_get_one_key(file):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_KEY, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        keys = {process.communicate(timeout=30)[0] for process in processes}
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert keys == {file.read_text().strip()}


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777, 0o601])
def test_a_key_file_that_others_may_use_is_refused_with_the_remedy(file, mode):
    Keyring(None, file).key()
    file.chmod(mode)
    with pytest.raises(ConfigError) as refused:
        Keyring(None, file).key()
    assert f"mode {mode:04o}" in str(refused.value)
    assert f"chmod 600 {file}" in str(refused.value)
    assert file.read_text().strip() not in str(refused.value)


@pytest.mark.parametrize("content", ["", "\n", "short\n"])
def test_a_key_file_without_a_key_is_refused_with_the_remedy(file, content):
    file.parent.mkdir()
    file.touch(mode=0o600)
    file.write_text(content)
    with pytest.raises(ConfigError, match="delete it and a new key is made"):
        Keyring(None, file).key()


def test_a_key_file_that_cannot_be_made_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "state").write_text("a file where a directory is needed")
    with pytest.raises(ConfigError, match="make it readable, or set pseudonym_key"):
        Keyring(None, tmp_path / "state" / "pseudonym.key").key()


def test_a_key_of_the_operators_that_is_too_short_is_refused_without_being_shown(file):
    with pytest.raises(ConfigError) as refused:
        Keyring("hunter2", file)
    assert "pseudonym_key: is 7 characters long; give at least 16" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_key_from_the_environment(monkeypatch, file):
    assert Settings().key_text() is None
    monkeypatch.setenv("HERMES_HINTS_KEY", KEY)
    assert Settings().key_text() == KEY
    assert Settings.load({"pseudonym_key": KEY + "-of-settings"}).key_text() == KEY + "-of-settings"
    monkeypatch.setenv("HERMES_HINTS_KEY", "hunter2")
    with pytest.raises(ConfigError) as refused:
        Pipeline(Settings())
    assert "hunter2" not in str(refused.value)


def test_the_strictest_is_the_one_that_reveals_least():
    assert strictest("raw") == "raw"
    assert strictest("raw", "pseudonymous") == "pseudonymous"
    assert strictest("none", "raw", "pseudonymous") == "none"


def test_every_field_of_the_contract_is_thought_of():
    assert set(RECORD) | {
        "command_origin",
        "requested_model",
        "priority",
        "experiment_arm",
        "cost_center",
        "ext",
    } == set(WIRE_FIELDS)
