"""Whatever a name, a hint or a plugin holds, the request goes out once, well formed, and is answered."""

from __future__ import annotations

import logging
import time

import pytest
from clients import UNHURRIED, ask
from pydantic import ValidationError

from hermes_hints import ConfigError, Hints, hint, hookimpl, loaded_plugins, receive, register, unwrap, wrap

TEXT = '{"answer": 42}'
MEGABYTE = "x" * 2**20


def send(clients, upstream, *, times=1, identity=None, **options):
    async def main():
        client = wrap(clients.make(), identity=identity, settings=UNHURRIED)
        for _ in range(times):
            answer = await ask(client, **options)
            assert answer.choices[0].message.content == TEXT

    clients.run(main())
    assert len(upstream.received) == times
    return upstream.last


NASTY = {
    "a header of its own": "José\r\nX-Evil: 1",
    "a second request": "x\r\n\r\nPOST /evil HTTP/1.1\r\nHost: x\r\n\r\n",
    "every control character": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "NUL": "a\x00b",
    "blanks around": "  a b  ",
    "only blanks inside": "a \t b",
    "percent": "100% %41 %C3",
    "quotes": "\"'\\,;=",
    "other scripts": "日本語 العربية 🙂",
    "decomposed": "Jose\u0301",
    "right to left": "\u202eevil",
    "line separators": "a\u2028b\u0085c",
    "half a surrogate": "a\ud800b",
    "long": "é" * 512,
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_who_and_where_may_be_any_text(text, clients, upstream):
    fields = ("user_id", "user_name", "chat_id", "chat_name", "chat_type", "thread_id", "session_id", "platform")
    request = send(clients, upstream, identity=dict.fromkeys(fields, text))
    assert {name.lower() for name, _ in request.pairs}.isdisjoint({"x-evil", "post /evil http/1.1", "host: x"})
    assert all(" " <= char <= "~" for name, value in request.pairs for char in name + value)
    carried = text.encode("utf-8", "replace").decode()
    assert [request.hermes[field] for field in fields] == [carried] * len(fields)
    assert request.metadata["hermes_user_id"] == carried
    assert receive.read(request.pairs, request.body).user_name == carried


def test_a_user_named_jose(clients, upstream):
    request = send(clients, upstream, identity={"user_id": 17, "user_name": "José\r\nX-Evil: 1"})
    assert request.lines["user-name"] == "Jos%C3%A9X-Evil: 1"
    assert request.lines["user-id"] == "17"
    assert request.hermes["user_name"] == "José\r\nX-Evil: 1"
    assert receive.read(request.pairs).user_name == "JoséX-Evil: 1"


def test_a_megabyte_of_name_and_id(clients, upstream):
    request = send(clients, upstream, identity={"user_id": MEGABYTE, "user_name": MEGABYTE})
    assert request.hermes["user_name"] == "x" * 512
    assert request.hermes["user_id"].startswith("sha256-")
    assert len(request.head) + len(request.body) < 8000


def test_all_headers_together_stay_within_4_kib(clients, upstream):
    identity = dict.fromkeys(("user_id", "user_name", "chat_id", "chat_name", "chat_type", "thread_id"), "é" * 500)
    with hint(**dict.fromkeys(("user_intent", "command_origin", "requested_model", "cost_center"), "ü" * 500)):
        request = send(clients, upstream, identity=identity)
    ours = [(name, value) for name, value in request.pairs if name.lower().startswith("x-hermes-")]
    assert sum(len(f"{name}: {value}\r\n") for name, value in ours) <= 4096
    assert all(len(value) <= 512 for _, value in ours)
    assert {"user-id", "chat-id", "user-intent"} <= request.lines.keys()  # the most telling ones stay
    assert request.hermes["cost_center"] == "ü" * 500


def test_a_megabyte_of_hint_is_refused_where_it_is_said():
    with pytest.raises(ValidationError, match=r"(?s)user_intent.*512 characters"):
        hint(user_intent=MEGABYTE)


def test_a_megabyte_of_hint_from_the_caller_is_its_own(clients, upstream):
    request = send(clients, upstream, identity={"user_id": "alice"}, extra_body={"hermes": {"user_intent": MEGABYTE}})
    assert request.hermes == {**request.hermes, "user_intent": MEGABYTE, "user_id": "alice"}
    assert "user-intent" not in request.lines
    assert "hermes_user_intent" not in request.metadata


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]


def contributing(function):
    class Plugin:
        contribute_hints = hookimpl(staticmethod(function), specname="contribute_hints")

    return Plugin()


def raises(identity):
    raise RuntimeError(identity.user_id)


def exits():
    raise SystemExit(3)


def a_list():
    return ["force-cloud"]


def a_coroutine():
    async def hints():
        return {"user_intent": "late"}

    return hints()


class Rude(dict):
    def items(self):
        raise NotImplementedError

    __iter__ = keys = items


def rude():
    return Rude(a=1)


def hundreds_of_keys():
    return {f"acme.k{n}": n for n in range(500)}


BAD = [raises, exits, a_list, a_coroutine, rude, hundreds_of_keys]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_plugin_costs_its_own_hints_and_one_line(bad, clients, upstream, caplog):
    register(contributing(lambda: {"cost_center": "good"}), "the good one")
    register(contributing(bad), "the bad one")
    register(contributing(lambda: Hints(priority="high")), "another good one")
    with caplog.at_level(logging.DEBUG, "hermes_hints"):
        request = send(clients, upstream, times=3, identity={"user_id": "alice"})
    assert (request.hermes["cost_center"], request.hermes["priority"]) == ("good", "high")
    assert request.hermes.keys() == {"v", "user_id", "request_id", "cost_center", "priority"}
    (line,) = said(caplog)
    assert "the bad one" in line
    assert "alice" not in line
    listed = {plugin.name: plugin for plugin in loaded_plugins()}
    assert listed["the bad one"].failures == 3
    assert listed["the good one"].error is None


PARTLY = {
    "an identity field": ({"user_id": "mallory", "priority": "low"}, "user_id"),
    "an unknown field": ({"user_intend": "cloud", "priority": "low"}, "user_intent"),
    "a megabyte": ({"user_intent": MEGABYTE, "priority": "low"}, "user_intent"),
    "a nested value": ({"acme.region": {"a": 1}, "priority": "low"}, "acme.region"),
    "not a number": ({"acme.load": float("nan"), "priority": "low"}, "acme.load"),
    "a key that is no text": ({3: "x", "priority": "low"}, "known: user_intent"),
}


@pytest.mark.parametrize(("given", "named"), PARTLY.values(), ids=PARTLY)
def test_the_good_part_of_what_a_plugin_returns_is_kept(given, named, clients, upstream, caplog):
    register(contributing(lambda: given), "careless")
    with caplog.at_level(logging.INFO, "hermes_hints"):
        request = send(clients, upstream, times=2, identity={"user_id": "alice"})
    assert request.hermes.keys() == {"v", "user_id", "request_id", "priority"}
    assert request.hermes["user_id"] == request.lines["user-id"] == "alice"
    (line,) = said(caplog)
    assert "careless" in line
    assert named in line
    assert len(line) < 1000


def test_a_plugin_that_is_async_is_refused_when_registered(clients, upstream, caplog):
    async def contribute():
        return {"user_intent": "late"}

    with caplog.at_level(logging.INFO, "hermes_hints"):
        listed = register(contributing(contribute), "awaiting")
    assert listed.state == "failed"
    assert "coroutine" in listed.error
    assert "awaiting" in said(caplog)[0]
    assert "user_intent" not in send(clients, upstream, identity={"user_id": "alice"}).hermes


def test_a_plugin_that_sleeps_is_not_waited_for(clients, upstream):
    register(contributing(lambda: {"cost_center": "good"}), "the good one")
    register(contributing(lambda: time.sleep(10)), "the sleeper")
    began = time.monotonic()
    request = send(clients, upstream, times=2, identity={"user_id": "alice"})
    assert time.monotonic() - began < 5
    assert request.hermes["user_id"] == "alice"
    assert request.hermes["cost_center"] == "good"


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
def test_a_plugin_that_asks_a_model_itself(clients, upstream):
    client = wrap(clients.make(), identity={"user_id": "alice"}, settings=UNHURRIED)

    def asking(call):
        client.chat.completions.create(model="small", messages=[])
        return {"user_intent": "considered"}

    register(contributing(asking))
    clients.run(ask(client))
    inner, outer = upstream.received
    assert (inner.json["model"], inner.hermes["user_id"]) == ("small", "alice")
    assert "user_intent" not in inner.hermes
    assert outer.hermes["user_intent"] == "considered"


WRONG = {
    "profile": ({"profile": "dispatchr"}, ConfigError, ["profile", "dispatchr", "dispatcher", "headers", "off"]),
    "privacy": ({"privacy": "secret"}, ConfigError, ["privacy", "secret", "pseudonymous"]),
    "setting": ({"settings": {"endpoint": []}}, ConfigError, ["endpoint", "endpoints"]),
    "profile in settings": (
        {"settings": {"endpoints": [{"match": "a.example.org", "profile": "dispatchr"}]}},
        ConfigError,
        ["endpoints", "dispatchr", "dispatcher"],
    ),
    "match": ({"settings": {"endpoints": [{"match": "a b", "profile": "off"}]}}, ConfigError, ["match", "a b"]),
    "everyone": ({"settings": {"endpoints": [{"match": "*"}]}}, ConfigError, ["endpoints", "*", "off"]),
    "identity": ({"identity": {"userid": "a"}}, ValidationError, ["userid", "user_id"]),
    "identity value": ({"identity": {"user_id": ["a"]}}, ValidationError, ["user_id", "list"]),
}


@pytest.mark.parametrize(("options", "kind_of_error", "named"), WRONG.values(), ids=WRONG)
def test_a_mistake_of_the_operator_is_named_and_changes_nothing(options, kind_of_error, named, clients, upstream):
    async def main():
        client = clients.make()
        before = dict(vars(client))
        with pytest.raises(kind_of_error) as raised:
            wrap(client, **options)
        assert all(word in str(raised.value) for word in named)
        assert vars(client) == before
        wrap(client, identity={"user_id": "alice"})
        with pytest.raises(kind_of_error):
            wrap(client, **options)
        await ask(client)
        unwrap(client)
        assert vars(client).keys() == {*before, "chat"}

    clients.run(main())
    assert upstream.only.hermes["user_id"] == "alice"


@pytest.mark.parametrize("thing", [None, "client", object()])
def test_only_clients_can_be_wrapped(thing):
    with pytest.raises(TypeError, match="OpenAI"):
        wrap(thing)


def test_a_request_at_debug_level_is_answered_too(clients, upstream, caplog):
    """The SDK then prints the request's options, ours included."""
    with caplog.at_level(logging.DEBUG):
        request = send(clients, upstream, identity={"user_id": "alice"}, extra_headers={"X-Other": "1"})
    assert request.hermes["user_id"] == "alice"
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
