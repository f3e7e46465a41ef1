"""What an endpoint refused is known to the next process too, and the file that tells it can be anything."""

from __future__ import annotations

import json
import logging
import os
import threading
import time

import pytest
from openai import OpenAI
from upstream import Answer, Upstream, refusal

from hermes_hints import identify, pipeline, wrap
from hermes_hints.ladder import LONGEST_SECONDS, HeldRung, Ladder, Rung, read_rungs, write_rungs
from hermes_hints.settings import Settings

ORIGIN = "http://127.0.0.1:4000"


@pytest.fixture
def file():
    return Settings().rung_file()


def settled(file, rung=Rung.BARE, model="m", *, rules="r", named=True):
    ladder = Ladder()
    ladder.keep_in(file, rules)
    ladder.settle(ORIGIN, model, rung, named=named, status=400)
    return ladder


def another(file, rules="r"):
    ladder = Ladder()
    ladder.keep_in(file, rules)
    return ladder


def strict(request):
    return refusal(400, "Unrecognized request argument supplied: hermes") if b"hermes" in request.body else None


def ask(upstream, settings=None):
    """A client in a process of its own."""
    pipeline._ladder.__init__()
    client = wrap(OpenAI(base_url=upstream.base_url, api_key="k"), settings=settings or {})
    with identify(user_id="@alice:example.org"):
        client.chat.completions.create(model="m", messages=[])


def test_a_restart_does_not_pay_again():
    with Upstream() as upstream:
        upstream.rules.append(strict)
        ask(upstream)
        first = len(upstream.take())
        ask(upstream)

        assert (first, len(upstream.received)) == (2, 1)
        assert "hermes" not in upstream.only.json
        assert upstream.only.lines["user-id"] == "@alice:example.org"


def test_other_rules_are_tried_afresh():
    with Upstream() as upstream:
        upstream.rules.append(strict)
        ask(upstream)
        upstream.rules.clear()
        upstream.take()

        ask(upstream, {"endpoints": [{"match": "127.0.0.1", "profile": "dispatcher"}]})

        assert upstream.only.hermes["user_id"] == "@alice:example.org"


def test_nothing_is_written_where_nothing_is_refused(file):
    with Upstream() as upstream:
        ask(upstream)

    assert not file.exists()
    assert not file.parent.exists()


def test_no_identity_is_in_the_file(file):
    with Upstream() as upstream:
        upstream.rules.append(strict)
        ask(upstream)

    assert "alice" not in file.read_text()
    (entry,) = json.loads(file.read_text())["rungs"]
    assert set(entry) == {"origin", "model", "rung", "until", "rules"}


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_nobody_else_can_read_the_file(file):
    settled(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["rungs.json"]


@pytest.mark.parametrize("rung", [Rung.BARE, Rung.HEADERS])
@pytest.mark.parametrize("model", ["m", None])
def test_a_rung_holds_in_the_next_process_for_what_is_left_of_its_time(file, rung, model):
    settled(file, rung, model, named=False)

    ladder = another(file)

    assert ladder.rung(ORIGIN, model) is rung
    assert ladder.rung(ORIGIN, "another") is Rung.FULL
    ((held, seconds),) = ladder.held().values()
    assert held is rung
    assert 590 < seconds <= 600


def test_a_rung_whose_time_is_over_does_not_hold(file):
    write_rungs(file, [HeldRung(ORIGIN, "m", 0, time.time() - 1, "r")])

    assert another(file).rung(ORIGIN, "m") is Rung.FULL


def test_no_rung_holds_longer_than_one_that_is_made_now(file):
    write_rungs(file, [HeldRung(ORIGIN, "m", 0, time.time() + 10 * LONGEST_SECONDS, "r")])

    ((_, seconds),) = another(file).held().values()

    assert seconds <= LONGEST_SECONDS


def test_a_lower_rung_replaces_the_one_before(file):
    ladder = settled(file, Rung.HEADERS)
    ladder.settle(ORIGIN, "m", Rung.BARE, named=True, status=400)

    assert another(file).rung(ORIGIN, "m") is Rung.BARE


def test_the_same_rung_again_is_not_written_again(file):
    ladder = settled(file)
    file.unlink()

    ladder.settle(ORIGIN, "m", Rung.BARE, named=True, status=400)

    assert not file.exists()


def test_processes_keep_what_each_other_wrote(file):
    first, second = another(file), another(file)

    first.settle(ORIGIN, "one", Rung.BARE, named=True, status=400)
    second.settle(ORIGIN, "two", Rung.HEADERS, named=True, status=400)

    third = another(file)
    assert (third.rung(ORIGIN, "one"), third.rung(ORIGIN, "two")) == (Rung.BARE, Rung.HEADERS)


def test_many_threads_leave_a_whole_file(file):
    ladder = another(file)
    threads = [
        threading.Thread(target=ladder.settle, args=(ORIGIN, str(n), Rung.BARE), kwargs={"named": True, "status": 400})
        for n in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ladder.settle(ORIGIN, "last", Rung.BARE, named=True, status=400)

    assert len(another(file).held()) == 33
    assert [path.name for path in file.parent.iterdir()] == ["rungs.json"]


def test_the_file_stays_small(file):
    until = time.time() + 100
    write_rungs(file, [HeldRung(ORIGIN, str(n), 0, until + n / 100, "r") for n in range(3000)])
    write_rungs(file, [HeldRung(ORIGIN, "x" * 600, 0, until + 3000, "r")])

    kept = read_rungs(file)

    assert len(kept) == 1024
    assert {held.model for held in kept} == {str(n) for n in range(3000 - 1024, 3000)}


@pytest.mark.parametrize("model", [5, ["a"], {"a": 1}])
def test_a_model_that_is_no_text_is_not_written(file, model):
    settled(file, model=model)

    assert read_rungs(file) == ()


GOOD = {"origin": ORIGIN, "model": "m", "rung": 0, "until": 9e12, "rules": "r"}


@pytest.mark.parametrize(
    "entry",
    [
        {**GOOD, "rung": 2},
        {**GOOD, "rung": -1},
        {**GOOD, "rung": True},
        {**GOOD, "rung": "0"},
        {**GOOD, "until": "soon"},
        {**GOOD, "until": None},
        {**GOOD, "until": float("nan")},
        {**GOOD, "origin": 5},
        {**GOOD, "model": ["m"]},
        {**GOOD, "rules": None},
        {},
        "text",
        None,
        [GOOD],
    ],
)
def test_an_entry_that_makes_no_sense_does_not_count_and_the_others_do(file, entry):
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"v": 1, "rungs": [entry, {**GOOD, "model": "good"}]}))

    assert [held.model for held in read_rungs(file)] == ["good"]
    assert another(file).rung(ORIGIN, "good") is Rung.BARE


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", '{"v": 2, "rungs": []}', '{"v": 1, "rungs": 5}', "\xff", "[" * 10**5]
)
def test_a_file_that_is_something_else_is_nothing_and_is_replaced(file, content):
    file.parent.mkdir(parents=True)
    file.write_text(content, "latin-1")

    assert another(file).held() == {}
    settled(file)
    assert another(file).rung(ORIGIN, "m") is Rung.BARE


def test_a_file_that_cannot_be_written_is_said_once_and_nothing_fails(file, caplog):
    file.parent.parent.mkdir(parents=True, exist_ok=True)
    file.parent.write_text("in the way")

    with Upstream() as upstream, caplog.at_level(logging.WARNING, "hermes_hints"):
        upstream.rules.append(strict)
        ask(upstream)
        pipeline._ladder.settle(ORIGIN, "other", Rung.BARE, named=True, status=400)

        assert len(upstream.received) == 2
    assert len([line for line in caplog.messages if "cannot be written" in line]) == 1


def test_an_answer_is_needed_before_anything_is_remembered(file):
    with Upstream() as upstream:
        upstream.rules.append(lambda _: Answer(400, {"error": {"message": "hermes"}}))
        with pytest.raises(Exception, match="hermes"):
            ask(upstream)

    assert not file.exists()
