"""The fakes are like the real things: sessions of Hermes, and a model endpoint."""

from __future__ import annotations

import socket

import openai
import pytest
from sample_plugins import OpsFirst

from hermes_hints import ConfigError, receive
from hermes_hints.testing import PLATFORMS, FakeCall, FakeSession, FakeUpstream, HintsBench

JOINING = ("user_id", "chat_id", "platform", "session_key", "message_id", "conversation_id", "agent")


def purposes(calls):
    return [call.facts["purpose"] for call in calls]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_turn_hangs_together(platform):
    session = FakeSession(platform)
    calls = session.turn(subagents=2, compression=True)

    told = [{**call.identity.fields(), **call.facts} for call in calls]
    for field in JOINING:
        assert len({said.get(field) for said in told}) == 1, field
    assert len({said["request_id"] for said in told}) == len(told)
    own = {said["turn_id"] for said in told if said["purpose"] != "subagent"}
    assert len(own) == 1
    for said in told:
        if said["purpose"] == "subagent":
            assert said["parent_session_id"] == session.identity.session_id != said["session_id"]
            assert said["turn_id"] not in own
        else:
            assert said["session_id"] == session.identity.session_id
    assert len({said["session_id"] for said in told}) == 3


def test_the_calls_of_a_turn_in_their_order():
    first = ["main", "title_generation", "subagent", "main"]

    assert purposes(FakeSession("matrix").turn()) == first
    assert purposes(FakeSession("cli").turn(number=2)) == ["main", "subagent", "main"]
    assert purposes(FakeSession("telegram").turn(number=2, steps=1, subagents=0, compression=True)) == [
        "compression",
        "main",
    ]
    assert purposes(FakeSession("cron").turn()) == ["cron", "subagent", "cron"]


def test_each_step_carries_what_tools_answered_and_the_same_words_of_the_user():
    first, second, third = FakeSession("slack").turn("Why?", steps=3, number=2, subagents=0)

    assert [call.facts["call"] for call in (first, second, third)] == [1, 2, 3]
    roles = [message["role"] for message in third.body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert [call.body["messages"][1]["content"] for call in (first, third)] == ["Why?", "Why?"]


def test_who_is_told_of_on_each_platform():
    known = {platform: FakeSession(platform).identity for platform in PLATFORMS}

    assert {platform for platform, who in known.items() if who.user_id} == {"matrix", "telegram", "slack"}
    assert {platform for platform, who in known.items() if who.chat_id} == {"matrix", "telegram", "slack", "api_server"}
    assert {platform: who.platform for platform, who in known.items()} == {platform: platform for platform in PLATFORMS}
    assert known["telegram"].chat_type == "dm"
    assert known["slack"].thread_id in known["slack"].session_key


def test_the_same_session_makes_the_same_calls_and_another_one_others():
    bob = FakeSession("matrix", user_id="@bob:example.org", session_id="s-2")

    assert FakeSession("matrix").turn() == FakeSession("matrix").turn()
    assert bob.identity.user_id == "@bob:example.org"
    ids = [{call.facts["request_id"] for call in session.turn()} for session in (bob, FakeSession("matrix"))]
    assert not ids[0] & ids[1]
    assert not ids[0] & {call.facts["request_id"] for call in bob.turn(number=2)}


def test_a_platform_or_field_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="platform is 'irc'; use one of matrix, telegram"):
        FakeSession("irc")
    with pytest.raises(ValueError, match="did you mean 'user_id'"):
        FakeSession("matrix", userid="x")


def test_every_call_of_a_session_is_stamped_and_read_back():
    with HintsBench(OpsFirst()) as bench:
        for call in FakeSession("matrix").turn(compression=True):
            seen = bench.run(call)
            record = receive.read(seen.headers, seen.body)
            assert record.fields() == {**call.identity.fields(), **call.facts, **seen.hints}


def test_a_call_describes_itself():
    call = FakeCall.of("hi", chat_id="!ops", purpose="main", call=2)

    assert str(call) == "a call of chat.completions (purpose='main', call=2, chat_id='!ops')"
    assert str(FakeCall.of()) == "a call of chat.completions (nothing known of who and what)"
    assert FakeCall.of("hi", stream=True, model="m").body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


def address(upstream):
    host, _, port = upstream.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    return host, int(port)


@pytest.fixture
def client(upstream):
    with openai.OpenAI(base_url=upstream.base_url, api_key="k", max_retries=0) as client:
        yield client


def test_a_client_takes_the_answers(upstream, client):
    said = [{"role": "user", "content": "hi"}]
    assert client.chat.completions.create(model="m", messages=said).choices[0].message.content == "All is well."
    chunks = list(client.chat.completions.create(model="m", messages=said, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "All is well."
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert client.responses.create(model="m", input="hi").output_text == "All is well."
    assert client.completions.create(model="m", prompt="hi").choices[0].text == "All is well."
    assert client.embeddings.create(model="m", input="hi", encoding_format="float").data[0].embedding == [0.5, 0.5]

    paths = [request.path.removeprefix("/v1") for request in upstream.received]
    assert paths == ["/chat/completions", "/chat/completions", "/responses", "/completions", "/embeddings"]
    assert {request.method for request in upstream.received} == {"POST"}


def test_a_refusal_is_for_one_request(upstream, client):
    upstream.refuse(422, "no such field: hermes", param="hermes")

    with pytest.raises(openai.UnprocessableEntityError, match="no such field: hermes") as raised:
        client.embeddings.create(model="m", input="hi")
    assert raised.value.param == "hermes"
    client.embeddings.create(model="m", input="hi", encoding_format="float")


def test_the_bytes_are_kept_as_they_arrived(upstream):
    body = b'{"hermes":{"v":1,"user_id":"@alice"} , "model":"m"}'
    head = b"POST /v1/other?x=1 HTTP/1.1\r\nHost: here\r\nX-hermes-Purpose:  main\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunked = (
        head + b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\n" + body[:5] + b"\r\n%x\r\n" % len(body[5:]) + body[5:]
    )
    with socket.create_connection(address(upstream)) as connection, connection.makefile("rb") as answers:
        for request in (whole, chunked + b"\r\n0\r\n\r\n"):
            connection.sendall(request)
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            while answers.readline() != b"\r\n":
                pass
            assert answers.read(2) == b"{}"

    assert upstream.received[0].head + b"\r\n\r\n" + upstream.received[0].body == whole
    for request in upstream.received:
        assert request.body == body
        assert request.path == "/v1/other"
        assert request.headers[:2] == [("Host", "here"), ("X-hermes-Purpose", "main")]
        assert request.record.fields() == {"user_id": "@alice", "purpose": "main"}


def test_it_says_when_nothing_has_arrived_and_ends_with_connections_open(upstream):
    with pytest.raises(LookupError, match="no request has arrived yet"):
        upstream.last  # noqa: B018 - the access is the test
    with FakeUpstream() as other:
        kept = socket.create_connection(address(other))
        kept.sendall(b"GET /v1/models HTTP/1.1\r\n\r\n")
        assert kept.recv(9) == b"HTTP/1.1 "
    kept.settimeout(10)
    while kept.recv(100):
        pass
    kept.close()
