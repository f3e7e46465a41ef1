"""A LiteLLM proxy, or another Hermes, on one's own network is known from its first answer on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading

import httpx
import model_answers
import openai
import pytest
from upstream import Answer, Upstream, refusal

from hermes_hints import Settings, install, unwrap, wrap
from hermes_hints.pipeline import Pipeline
from hermes_hints.profiles import learned
from hermes_hints.profiles.advertised import Advertised

MARK = {"x-litellm-version": "1.106.2"}
WHO = {"user_id": "alice", "conversation_id": "conversation-1"}


def as_litellm(request):
    content, events = model_answers.to(request.method, request.path, request.body)
    return Answer(content=content, events=events, headers=MARK)


@pytest.fixture
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def litellm(upstream):
    upstream.rules.append(as_litellm)
    return upstream


def profile_of(request):
    """By what it carries."""
    if "litellm_metadata" in request.json:
        return "litellm"
    return "dispatcher" if request.hermes else "off"


def plain(client):
    client.chat.completions.create(model="m", messages=[])


def streamed(client):
    for _ in client.chat.completions.create(model="m", messages=[], stream=True):
        pass


def raw(client):
    client.chat.completions.with_raw_response.create(model="m", messages=[])


def responses(client):
    client.responses.create(model="m", input="Hi")


def embeddings(client):
    client.embeddings.create(model="m", input="Hi")


CALLS = (plain, streamed, raw, responses, embeddings)


def client_of(upstream, **options):
    return openai.OpenAI(base_url=upstream.base_url, api_key="k", max_retries=0, **options)


@pytest.mark.parametrize("call", CALLS)
def test_from_the_first_answer_on(call, litellm):
    with wrap(client_of(litellm), identity=WHO) as client:
        for _ in range(3):
            call(client)
    assert [profile_of(request) for request in litellm.received] == ["dispatcher", "litellm", "litellm"]
    assert litellm.last.hermes is None
    assert litellm.last.header("x-litellm-end-user-id") == "alice"


@pytest.mark.parametrize("stream", [False, True])
def test_of_a_client_that_is_awaited(stream, litellm):
    async def main():
        async with openai.AsyncOpenAI(base_url=litellm.base_url, api_key="k") as client:
            wrap(client, identity=WHO)
            for _ in range(2):
                answer = await client.chat.completions.create(model="m", messages=[], stream=stream)
                if stream:
                    assert [chunk async for chunk in answer]

    asyncio.run(main())
    assert [profile_of(request) for request in litellm.received] == ["dispatcher", "litellm"]


def test_every_client_of_the_process_knows(litellm):
    install(identity=WHO)
    with client_of(litellm) as first, client_of(litellm) as second, wrap(client_of(litellm), identity=WHO) as third:
        for client in (first, second, third):
            plain(client)
    assert [profile_of(request) for request in litellm.received] == ["dispatcher", "litellm", "litellm"]


def test_an_answer_that_is_an_error_tells_too(upstream):
    upstream.queue.append(Answer(401, {"error": {"message": "no key"}}, MARK))
    with wrap(client_of(upstream), identity=WHO) as client:
        with pytest.raises(openai.AuthenticationError):
            plain(client)
        plain(client)
    assert profile_of(upstream.last) == "litellm"


def test_what_the_provider_behind_it_refused_is_sent_again_as_it_is_to_be(upstream):
    def strict(request):
        if b'"hermes"' in request.body:
            refused = refusal(400, "litellm.BadRequestError: Unrecognized request argument supplied: hermes")
            return Answer(refused.status, refused.content, MARK)
        return as_litellm(request)

    upstream.rules.append(strict)
    with wrap(client_of(upstream), identity=WHO) as client:
        plain(client)
        plain(client)
    assert [profile_of(request) for request in upstream.received] == ["dispatcher", "litellm", "litellm"]
    assert b'"user"' not in upstream.received[1].body


def test_a_restart_knows_it_from_the_first_request_on(litellm, monkeypatch):
    with wrap(client_of(litellm), identity=WHO) as client:
        plain(client)
    file = Settings().recognised_file()
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == {"v": 1, "litellm": [litellm.origin]}
    assert "alice" not in file.read_text()
    afresh = learned.Learned()
    monkeypatch.setattr("hermes_hints.pipeline._learned", afresh)
    with wrap(client_of(litellm), identity=WHO) as client:
        plain(client)
    assert profile_of(litellm.last) == "litellm"


def test_what_other_processes_recognised_stays_in_the_file(litellm):
    file = Settings().recognised_file()
    with wrap(client_of(litellm), identity=WHO) as client:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"v": 1, "litellm": ["http://10.0.0.7:4000"]}))
        plain(client)
    assert json.loads(file.read_text())["litellm"] == sorted(["http://10.0.0.7:4000", litellm.origin])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"v": 2, "litellm": ["x"]}', b'{"v": 1, "litellm": 5}', b"\xff"]
)
def test_a_file_that_cannot_be_read_is_as_good_as_none(content, litellm):
    file = Settings().recognised_file()
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    with wrap(client_of(litellm), identity=WHO) as client:
        plain(client)
        plain(client)
    assert profile_of(litellm.last) == "litellm"
    assert json.loads(file.read_text())["litellm"] == [litellm.origin]


def test_where_nothing_can_be_written_it_is_known_for_this_process(litellm, monkeypatch, tmp_path, caplog):
    occupied = tmp_path / "a file"
    occupied.write_text("")
    monkeypatch.setenv("HERMES_HINTS_HOME", str(occupied))
    with wrap(client_of(litellm), identity=WHO) as client:
        plain(client)
        plain(client)
    assert profile_of(litellm.last) == "litellm"
    assert "is forgotten when this process ends" in caplog.text


@pytest.mark.parametrize("profile", ["dispatcher", "headers", "off"])
def test_the_operator_s_own_rule_is_above_it(profile, litellm):
    settings = {"endpoints": [{"match": "127.0.0.1", "profile": profile}]}
    with wrap(client_of(litellm), identity=WHO, settings=settings) as client:
        for _ in range(3):
            plain(client)
    assert "litellm" not in {profile_of(request) for request in litellm.received}
    assert not Settings().recognised_file().exists()


def test_the_program_s_own_word_is_above_it(litellm):
    with wrap(client_of(litellm), identity=WHO, profile="dispatcher") as client:
        for _ in range(3):
            plain(client)
    assert {profile_of(request) for request in litellm.received} == {"dispatcher"}


def test_it_keeps_the_privacy_that_was_asked_for(litellm):
    settings = {"privacy": "pseudonymous", "pseudonym_key": "a key of the operator's own"}
    with wrap(client_of(litellm), identity=WHO, settings=settings) as client:
        plain(client)
        plain(client)
    assert profile_of(litellm.last) == "litellm"
    assert b"alice" not in litellm.last.head + litellm.last.body


def test_it_is_said_once_with_what_to_do_about_it(litellm, caplog):
    with caplog.at_level(logging.INFO), wrap(client_of(litellm), identity=WHO) as client:
        for _ in range(3):
            plain(client)
    said = [record.getMessage() for record in caplog.records if record.name == "hermes_hints"]
    assert len(said) == 1
    assert f"{litellm.origin} answers as LiteLLM does" in said[0]
    assert "name it in endpoints" in said[0]
    assert "alice" not in caplog.text


def test_other_endpoints_are_what_they_were(litellm):
    with Upstream() as other, wrap(client_of(litellm), identity=WHO) as client:
        plain(client)
        with wrap(client_of(other), identity=WHO) as second:
            plain(second)
        assert profile_of(other.last) == "dispatcher"


def test_an_answer_that_says_nothing_changes_nothing(upstream):
    with wrap(client_of(upstream), identity=WHO) as client:
        for _ in range(3):
            plain(client)
    assert {profile_of(request) for request in upstream.received} == {"dispatcher"}
    assert not Settings().recognised_file().exists()


@pytest.mark.parametrize("first", [Answer(502, {"error": {}}), Answer(drop=True)])
def test_what_failed_on_the_way_is_not_taken_for_an_answer(first, litellm):
    litellm.queue.append(first)
    with wrap(client_of(litellm), identity=WHO) as client:
        with pytest.raises(openai.APIError):
            plain(client)
        plain(client)
        plain(client)
    assert [profile_of(request) for request in litellm.received] == ["dispatcher", "dispatcher", "litellm"]


def test_one_that_becomes_a_litellm_later_is_known_after_a_while(upstream, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(learned.time, "monotonic", lambda: now)
    with wrap(client_of(upstream), identity=WHO) as client:
        plain(client)
        upstream.rules.append(as_litellm)
        plain(client)
        plain(client)
        now += learned.LOOK_AGAIN_SECONDS + 1
        plain(client)
        plain(client)
    assert [profile_of(request) for request in upstream.received] == ["dispatcher"] * 4 + ["litellm"]


def test_the_http_client_is_what_it_was_before_and_its_own_hooks_are_called(litellm):
    asked, answered = [], []
    hooks = {"request": [asked.append], "response": [answered.append]}
    with httpx.Client(event_hooks=hooks) as http, client_of(litellm, http_client=http) as client:
        wrap(client, identity=WHO)
        plain(client)
        plain(client)
        assert http.event_hooks == hooks
        unwrap(client)
    assert (len(asked), len(answered)) == (2, 2)


def test_answers_to_many_at_once(litellm):
    both = threading.Barrier(8)
    with wrap(client_of(litellm), identity=WHO) as client:

        def ask():
            both.wait(30)
            plain(client)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        plain(client)
        assert client._client.event_hooks == {"request": [], "response": []}
    assert profile_of(litellm.last) == "litellm"


def test_a_client_whose_http_client_has_no_hooks_works_as_ever(litellm):
    with client_of(litellm) as client:
        real = client._client

        class Bare:
            def __getattr__(self, name):
                if name == "event_hooks":
                    raise AttributeError(name)
                return getattr(real, name)

        client._client = Bare()
        wrap(client, identity=WHO)
        plain(client)
        client._client = real
    assert profile_of(litellm.last) == "dispatcher"


def test_a_redirect_is_not_the_answer_of_where_it_leads(litellm):
    with Upstream() as front:
        front.rules.append(lambda request: Answer(307, headers={"location": litellm.base_url + "/chat/completions"}))
        with wrap(client_of(front), identity=WHO) as client, contextlib.suppress(openai.APIError):
            plain(client)
            plain(client)
        assert "litellm" not in {profile_of(request) for request in front.received}


def test_the_decision_says_why(litellm):
    with wrap(client_of(litellm), identity=WHO) as client:
        plain(client)
    decision = Pipeline(Settings()).decide(litellm.base_url)
    assert (decision.profile.name, decision.reason) == ("litellm", "a loopback address that answers as LiteLLM does")


TAKES = {"user_id_header": "X-Hermes-User-Id", "conversation_id_header": "X-Hermes-Conversation-Id"}


def as_hermes(request, features=TAKES):
    if request.method == "GET":
        return Answer(content={"features": features}) if features else Answer(404, {"error": {"message": "no"}})
    content, events = model_answers.to(request.method, request.path, request.body)
    return Answer(content=content, events=events, headers={"X-Hermes-Session-Id": "api-0123456789abcdef"})


def test_another_hermes_is_asked_what_it_takes_and_no_session_of_it_is_named_again(upstream):
    upstream.rules.append(as_hermes)
    with wrap(client_of(upstream), identity=WHO) as client:
        for _ in range(3):
            plain(client)
    first, asked, *rest = upstream.received
    assert profile_of(first) == "dispatcher"
    assert (asked.path, asked.bare) == ("/v1/capabilities", True)
    assert [request.lines for request in rest] == [{"user-id": "alice", "conversation-id": "conversation-1"}] * 2
    assert [request.hermes for request in rest] == [None] * 2


def test_a_restart_knows_the_other_hermes_too(upstream, monkeypatch):
    upstream.rules.append(as_hermes)
    with wrap(client_of(upstream), identity=WHO) as client:
        for _ in range(2):
            plain(client)
    assert json.loads(Settings().recognised_file().read_text()) == {"v": 1, "hermes": [upstream.origin]}
    afresh = learned.Learned()
    monkeypatch.setattr("hermes_hints.pipeline._learned", afresh)
    monkeypatch.setattr("hermes_hints.pipeline._advertised", Advertised(afresh.asked))
    upstream.received.clear()
    with wrap(client_of(upstream), identity=WHO) as client:
        plain(client)
    assert [request.path for request in upstream.received] == ["/v1/capabilities", "/v1/chat/completions"]
    assert upstream.last.lines == {"user-id": "alice", "conversation-id": "conversation-1"}


def test_a_dispatcher_that_repeats_what_it_was_sent_stays_one(upstream, caplog):
    upstream.rules.append(lambda request: as_hermes(request, None))
    with wrap(client_of(upstream), identity=WHO) as client:
        for _ in range(4):
            plain(client)
    requests = [request for request in upstream.received if request.method == "POST"]
    assert len(upstream.received) == 5
    assert {profile_of(request) for request in requests} == {"dispatcher"}
    assert not Settings().recognised_file().exists()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_receiver_that_reads_hints_is_not_taken_for_a_hermes(upstream):
    def reading(request):
        answer = as_hermes(request)
        return Answer(content=answer.content, headers={**answer.headers, "X-Hermes-Hints": "v=1"})

    upstream.rules.append(reading)
    with wrap(client_of(upstream), identity=WHO) as client:
        for _ in range(3):
            plain(client)
    assert {profile_of(request) for request in upstream.received} == {"dispatcher"}


def test_that_it_is_a_hermes_is_said_once(upstream, caplog):
    upstream.rules.append(as_hermes)
    with caplog.at_level(logging.INFO), wrap(client_of(upstream), identity=WHO) as client:
        for _ in range(4):
            plain(client)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "hermes_hints"]
    assert f"{upstream.origin} answers as a Hermes does" in said
    assert "alice" not in caplog.text
