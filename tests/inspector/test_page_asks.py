"""What the web page asks for, and who else may not: without a browser."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import httpx
import pytest
from passing_calls import ANN, CALLS, KEY, WEEK, ask, ended, inspecting, populated, wait_until
from upstream import Upstream

from hermes_hints.inspector import Options
from hermes_hints.profiles import BUILTIN


@pytest.fixture(scope="module")
def afternoon():
    with populated() as inspector:
        yield inspector


def events(url, count):
    """The first events of a stream, by name and content."""
    found = []
    with httpx.stream("GET", f"{url}events", timeout=60) as answer:
        lines = answer.iter_lines()
        for line in lines:
            if line.startswith("event: "):
                found.append((line[7:], json.loads(next(lines)[6:])))
            if len(found) == count:
                return found
    raise AssertionError(found)


def elsewhere(inspector, number, **asked):
    return httpx.get(f"{inspector.page_url}calls/{number}/elsewhere", params=asked)


def test_who_comes_later_is_told_what_has_passed(afternoon):
    (kind, about), *told = events(afternoon.page_url, 1 + len(CALLS))
    assert kind == "about"
    assert (
        about.items() >= {"base_url": afternoon.base_url, "upstream": afternoon.upstream.base_url, "keep": 500}.items()
    )
    assert list(about["profiles"]) == sorted(BUILTIN)
    assert [call["number"] for _, call in told] == list(range(1, len(CALLS) + 1))
    assert [call["parent"] for _, call in told] == [None, 1, 1, None, None, None, None, None, None]
    first = told[0][1]
    assert (first["arrived"]["model"], first["answered"]["model"]) == ("local-large", "local-large-2026-11")
    assert first["answered"]["tools"] == ["delegate_task"]


def test_who_looks_is_told_of_every_change(inspector):
    with httpx.stream("GET", f"{inspector.page_url}events", timeout=60) as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        next(lines)
        ask(inspector.base_url, {**ANN, **WEEK, "purpose": "main"}, "m", {})
        states = []
        while "done" not in states:
            states.append(json.loads(next(lines)[6:])["answered"]["state"])
    assert set(states) <= {"waiting", "answering", "done"}


@pytest.fixture
def inspector():
    with Upstream() as upstream, inspecting(upstream) as inspector:
        yield inspector


def test_calls_are_numbered_in_the_order_in_which_they_came(inspector):
    for turn in range(40):  # a long one takes longer to read than the ones behind it
        record = {**ANN, **WEEK, "purpose": "main", "turn_id": f"turn-{turn}"}
        ask(inspector.base_url, record, "m", {"results": 20_000 if turn % 10 == 0 else 0})
    told = [call.arrived.record["turn_id"] for call in ended(inspector, 40)]
    assert told == [f"turn-{turn}" for turn in range(40)]


def test_the_end_of_a_call_is_told_once(inspector):
    """Also where its request is still being read when the answer has passed."""
    told = []
    inspector.calls.listen(lambda call: told.append(call.number) if call.answered.ended else None)
    for turn in range(30):
        ask(inspector.base_url, {**ANN, **WEEK, "turn_id": f"turn-{turn}"}, "m", {"results": 5_000 * (turn % 2)})
    ended(inspector, 30)
    assert told == list(range(1, 31))


def test_no_more_calls_are_held_than_asked_for():
    with Upstream() as upstream, inspecting(upstream, Options(keep=3)) as inspector:
        for turn in range(5):
            ask(inspector.base_url, {**ANN, **WEEK, "turn_id": f"turn-{turn}"}, "m", {})
        wait_until(lambda: inspector.calls.seen == 5)
        assert [call.number for call in inspector.calls.kept()] == [3, 4, 5]
        assert elsewhere(inspector, 1, profile="off").status_code == 404


def test_what_a_call_would_carry_with_another_profile(afternoon):
    told = elsewhere(afternoon, 1, profile="headers", privacy="raw").json()
    assert told["body"] == {}
    assert told["headers"]["X-Hermes-User-Id"] == ANN["user_id"]
    openai = elsewhere(afternoon, 1, profile="openai", privacy="pseudonymous").json()
    assert openai["headers"] == {}
    assert set(openai["body"]) == {"safety_identifier", "prompt_cache_key"}
    assert ANN["user_id"] not in json.dumps(openai["body"])
    assert any("serves for showing only" in note for note in openai["notes"])
    assert elsewhere(afternoon, 1, profile="off", privacy="raw").json()["nothing"].startswith("its profile is off")


def test_with_the_profile_that_it_had_it_would_carry_what_it_carried(afternoon):
    call = afternoon.calls.get(1)
    told = elsewhere(afternoon, 1, profile="dispatcher", privacy="raw").json()
    assert {name.lower(): value for name, value in told["headers"].items()} == {
        name.lower(): value for name, value in call.arrived.headers.items()
    }
    assert {key for key in told["body"]["metadata"] if key.startswith("hermes_")} == set(call.arrived.metadata)
    assert set(told["body"]["hermes"]) == set(call.arrived.hermes)


def test_a_signature_that_could_be_used_is_not_shown():
    with Upstream() as upstream, inspecting(upstream, signing_key="0123456789abcdef") as inspector:
        ask(inspector.base_url, {**ANN, **WEEK, "purpose": "main"}, "m", {})
        (call,) = ended(inspector, 1)
        assert call.arrived.signature == "missing"
        assert "not signed" in call.arrived.remarks
        told = elsewhere(inspector, 1, profile="dispatcher", privacy="raw").json()
        assert told["headers"]["X-Hermes-Hints-Signature"] == "(signed)"


@pytest.mark.parametrize("asked", [{"profile": "no such"}, {"profile": "off", "privacy": "no such"}, {}])
def test_a_profile_or_privacy_that_there_is_not(afternoon, asked):
    answer = elsewhere(afternoon, 1, **asked)
    assert answer.status_code == 400
    assert "there is no" in answer.text


@pytest.mark.parametrize("path", ["", "events", "calls/1/elsewhere?profile=off"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8401", "127.0.0.1.evil.example", ""])
def test_a_name_that_was_made_to_lead_here_sees_nothing(afternoon, path, host):
    answer = httpx.get(afternoon.page_url + path, headers={"host": host})
    assert answer.status_code == 403
    assert "example.org" not in answer.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["events", "calls/1/elsewhere?profile=off"])
def test_another_page_of_this_browser_sees_nothing(afternoon, path, site):
    answer = httpx.get(afternoon.page_url + path, headers={"sec-fetch-site": site, "origin": "http://127.0.0.1:1"})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_page_may_load_nothing_and_nobody_may_frame_it(afternoon):
    answer = httpx.get(afternoon.page_url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert re.findall(r"\b(?:src|href)=(?!\"data:,\")|url\(|https?:|@import", answer.text) == []


def test_the_page_is_not_on_the_port_for_calls_nor_the_other_way_round(afternoon):
    base = urlsplit(afternoon.base_url)
    assert "Calls as they pass" not in httpx.get(f"http://{base.netloc}/").text
    assert httpx.post(f"{afternoon.page_url}v1/chat/completions", json={}).status_code == 404


def test_without_a_page_there_is_none():
    with Upstream() as upstream, inspecting(upstream, Options(page_port=None)) as inspector:
        assert inspector.page_url is None
        assert len(inspector.listeners) == 1


def test_nothing_that_is_shown_holds_a_key_or_a_message(afternoon):
    shown = json.dumps(events(afternoon.page_url, 1 + len(CALLS)))
    for secret in (KEY, "a secret message", "a caller's own value", "a result"):
        assert secret not in shown
