from __future__ import annotations

import time
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[1]
ALICE, BOB = "@alice:example.org", "@bob:example.org"
OPS = "!ops:example.org"


@pytest.fixture
def load(hints_bench):
    """Put the plugin on a bench with these settings."""
    return lambda **settings: hints_bench(PLUGIN, settings=settings)


def refusal(bench):
    """In which words it refuses its settings."""
    assert bench.state.state == "failed"
    return bench.state.error


def center(bench, **identity):
    return bench.hints(**identity).get("cost_center")


def test_the_person_counts_before_the_room_and_the_room_before_the_default(load):
    bench = load(users={ALICE: 4711}, chats={OPS: "operations"}, default="overhead")

    assert center(bench, user_id=ALICE, chat_id=OPS) == "4711"
    assert center(bench, user_id=BOB, chat_id=OPS) == "operations"
    assert center(bench, user_id=BOB, chat_id="!other") == "overhead"
    assert center(bench) == "overhead"


def test_nothing_is_said_of_who_is_in_no_table(load):
    assert load(users={ALICE: "4711"}).hints(user_id=BOB, chat_id=ALICE) == {}
    assert load().hints(user_id=ALICE) == {}


def test_a_file_and_what_the_settings_say_over_it(load, tmp_path):
    file = tmp_path / "centers.csv"
    file.write_text(f"\ufeffname,user_id,chat_id,cost_center\nA,{ALICE},,1\nB,{BOB},,2\n,,{OPS},3\n", "utf-8")
    bench = load(file=str(file), users={BOB: "20"})

    assert [center(bench, user_id=who) for who in (ALICE, BOB)] == ["1", "20"]
    assert center(bench, chat_id=OPS) == "3"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_as_spreadsheets_write_them(load, tmp_path, delimiter):
    file = tmp_path / "centers.csv"
    file.write_text(f'user_id,chat_id,cost_center\n{ALICE},,"4,7"\n'.replace(",", delimiter), "utf-8")

    assert center(load(file=str(file)), user_id=ALICE) == f"4{delimiter}7"


def test_a_file_that_changes_is_read_again_and_a_wrong_one_changes_nothing(load, tmp_path, caplog):
    file = tmp_path / "centers.csv"
    write(file, "1")
    bench = load(file=str(file), reload_seconds=1)
    assert center(bench, user_id=ALICE) == "1"

    write(file, "2")
    eventually(lambda: center(bench, user_id=ALICE) == "2")
    write(file, "")
    eventually(lambda: center(bench, user_id=ALICE) == "2" and "line 2: give a cost_center" in caplog.text)
    file.unlink()
    eventually(lambda: center(bench, user_id=ALICE) == "2" and "cannot be read" in caplog.text)
    write(file, "3")
    eventually(lambda: center(bench, user_id=ALICE) == "3")
    assert caplog.text.count("what it said before still counts") == 2
    assert ALICE not in caplog.text


def write(file, center):
    """Put a new file in the place of the old one."""
    part = file.with_suffix(".part")
    part.write_text(f"user_id,chat_id,cost_center\n{ALICE},,{center}\n", "utf-8")
    part.replace(file)


def eventually(holds):
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to that")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,room\n", "has the columns ['user', 'room']; it needs user_id, chat_id, cost_center"),
        ("", "has the columns None"),
        (
            "user_id,chat_id,cost_center\na,,1\nb,c,2\n",
            "line 3: give a cost_center of 1 to 512 characters, and either a user_id or a chat_id",
        ),
        ("user_id,chat_id,cost_center\n,,2\n", "line 2: "),
        ("user_id,chat_id,cost_center\na,,\n", "line 2: "),
        ("user_id,chat_id,cost_center\na,,1\na,,1\na,,2\n", "line 4: this id has another cost_center above"),
        ("user_id,chat_id,cost_center\na\n", "line 2: "),
        (b"user_id,chat_id,cost_center\n\xff,,1\n", "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(load, text, said, tmp_path):
    file = tmp_path / "centers.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())

    error = refusal(load(file=str(file)))
    assert str(file) in error
    assert said in error


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"user": {}}, "there is no setting 'user'; use users, chats, default, file, reload_seconds"),
        ({"users": ["a"]}, "users is ['a']; give each id its cost centre"),
        ({"chats": {"!a": None}}, "the cost centre of '!a' in chats is None"),
        ({"users": {"a": True}}, "the cost centre of 'a' in users is True"),
        ({"default": " "}, "default is ' '"),
        ({"default": "x" * 513}, "give a name or number of 1 to 512 characters"),
        ({"reload_seconds": 0}, "reload_seconds is 0; give a number of seconds, 1 or more"),
        ({"reload_seconds": float("nan")}, "reload_seconds is nan"),
        ({"file": "a\0b"}, "cannot be read"),
        ({"file": 5}, "file is 5; give the path"),
        ({"file": "/not/there.csv"}, "file is '/not/there.csv', which cannot be read"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(load, settings, said):
    assert said in refusal(load(**settings))
