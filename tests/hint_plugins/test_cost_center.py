from __future__ import annotations

import pytest

PLUGIN = "cost-center"
ALICE, BOB = "@alice:example.org", "@bob:example.org"
OPS = "!ops:example.org"


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,room\n", "has the columns ['user', 'room']; it needs user_id, chat_id, cost_center"),
        ("", "has the columns None"),
        ("user_id,chat_id,cost_center\na,,1\nb,c,2\n", "line 3: give a cost_center, and either a user_id or a chat_id"),
        ("user_id,chat_id,cost_center\n,,2\n", "line 2: "),
        ("user_id,chat_id,cost_center\na,,\n", "line 2: "),
        ("user_id,chat_id,cost_center\na\n", "line 2: "),
        (b"user_id,chat_id,cost_center\n\xff,,1\n", "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(refused, text, said, tmp_path):
    file = tmp_path / "centers.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())

    error = refused(file=str(file))
    assert str(file) in error
    assert said in error


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"user": {}}, "there is no setting 'user'; use users, chats, default and file"),
        ({"users": ["a"]}, "users is ['a']; give each id its cost centre"),
        ({"chats": {"!a": None}}, "the cost centre of '!a' in chats is None"),
        ({"users": {"a": True}}, "the cost centre of 'a' in users is True"),
        ({"default": " "}, "default is ' '"),
        ({"file": 5}, "file is 5; give the path"),
        ({"file": "/not/there.csv"}, "file is '/not/there.csv', which cannot be read"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(refused, settings, said):
    assert said in refused(**settings)
