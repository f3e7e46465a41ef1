"""What the caller passes in is only read, and its nested parts not even that."""

from __future__ import annotations

import copy
import sys
from types import MappingProxyType

import pytest
from clients import UNHURRIED, ask, result
from upstream import refusal

from hermes_hints import hookimpl, loaded_plugins, register, wrap

WHO = {"user_id": "alice", "chat_id": "room", "session_id": "conversation-1"}


def parts():
    return {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "metadata": {"team": "red"},
        "extra_body": {"hermes": {"user_intent": "local"}, "metadata": {"sprint": "7"}, "nested": {"a": [1]}},
        "extra_headers": {"X-Hermes-Platform": "cli", "X-Other": "1"},
    }


def test_arguments_are_unchanged_over_several_calls(clients, upstream):
    given = parts()
    before, inside = copy.deepcopy(given), [id(value) for value in given["extra_body"].values()]

    async def main():
        client = wrap(clients.make(), identity=WHO)
        for _ in range(3):
            await ask(client, **given)

    clients.run(main())
    assert given == before
    assert [id(value) for value in given["extra_body"].values()] == inside
    assert len({len(request.body) for request in upstream.received}) == 1  # nothing piles up
    assert upstream.last.hermes["user_intent"] == "local"
    assert upstream.last.json["nested"] == {"a": [1]}


def test_arguments_may_be_read_only(clients, upstream):
    given = {name: MappingProxyType(part) if isinstance(part, dict) else part for name, part in parts().items()}
    given["metadata"] = dict(given["metadata"])  # the SDK itself wants a dict here

    async def main():
        await ask(wrap(clients.make(), identity=WHO), **given)

    clients.run(main())
    assert upstream.only.hermes["user_id"] == "alice"
    assert upstream.only.metadata["team"] == "red"
    assert upstream.only.metadata["sprint"] == "7"


class TouchedError(Exception):
    """Our code looked inside."""


def _guard():
    """Raise where our own code is the first to ask, with nothing but the standard library in between."""
    frame = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "").partition(".")[0]
        if module == "hermes_hints":
            raise TouchedError
        if module not in sys.stdlib_module_names:
            return
        frame = frame.f_back


def _guarded(kind):
    def method(name):
        def guarded(self, *arguments):
            _guard()
            return getattr(kind, name)(self, *arguments)

        return guarded

    names = ("__iter__", "__len__", "__getitem__", "__contains__", "__eq__", "__reduce_ex__", "copy", "keys", "items")
    guards = {name: method(name) for name in (*names, "values", "get") if hasattr(kind, name)}
    return type(f"Guarded{kind.__name__}", (kind,), {**guards, "__hash__": None})


GuardedList, GuardedDict = _guarded(list), _guarded(dict)


def test_the_guard_guards(clients):
    """The test below could not fail if a plugin that walks the messages were not noticed."""
    noticed = []

    class Reader:
        @hookimpl
        def contribute_hints(self, call):
            try:
                call.user_text()
            except TouchedError:
                noticed.append(True)

    register(Reader())

    async def main():
        body = {"model": "m", "messages": GuardedList([{"role": "user", "content": "Hi"}])}
        await result(wrap(clients.make(), settings=UNHURRIED).post("/chat/completions", body=body, cast_to=object))

    clients.run(main())
    assert noticed


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/embeddings", "/messages"])
def test_nested_parts_are_never_looked_into(path, clients, upstream):
    messages = GuardedList([GuardedDict(role="user", content=GuardedList([GuardedDict(type="text", text="Hi")]))])
    tools = GuardedList([GuardedDict(type="function")])
    body = {"model": "m", "messages": messages, "input": messages, "tools": tools}
    extra = {"other": GuardedDict(a=GuardedList([1]))}

    async def main():
        client = wrap(clients.make(), identity=WHO)
        await result(client.post(path, body=body, cast_to=object, options={"extra_json": extra}))

    clients.run(main())
    assert upstream.only.hermes["user_id"] == "alice"
    assert upstream.only.json["messages"][0]["content"][0]["text"] == "Hi"
    assert upstream.only.json["other"] == {"a": [1]}


class Indifferent:
    """A plugin that wants to know nothing of the messages, and an observer."""

    @hookimpl
    def contribute_hints(self, call, identity):
        return {"user_intent": "local", "acme.region": "eu"}

    @hookimpl
    def request_stamped(self, call, record, carriers):
        assert "messages" not in carriers.body


@pytest.mark.parametrize("privacy", ["raw", "pseudonymous", "none"])
def test_plugins_and_privacy_read_no_deeper(privacy, clients, upstream):
    register(Indifferent())
    messages = GuardedList([GuardedDict(role="user", content=GuardedList([GuardedDict(type="text", text="Hi")]))])
    body = {"model": "m", "messages": messages, "tools": GuardedList([GuardedDict(type="function")])}
    settings = {**UNHURRIED, "privacy": privacy, "pseudonym_key": "k" * 32, "signing_key": "s" * 32}

    async def main():
        client = wrap(clients.make(), identity=WHO, settings=settings)
        await result(client.post("/chat/completions", body=body, cast_to=object))

    clients.run(main())
    assert upstream.only.hermes["user_intent"] == "local"
    assert upstream.only.lines["hints-signature"]
    assert upstream.only.json["tools"] == [{"type": "function"}]
    assert loaded_plugins()[-1].failures == 0


def test_the_ladder_reads_no_deeper(clients, upstream):
    upstream.queue.append(refusal(400, "Unknown parameter: 'hermes'."))
    body = {"model": "m", "messages": GuardedList([GuardedDict(role="user", content="Hi")])}

    async def main():
        client = wrap(clients.make(), identity=WHO)
        await result(client.post("/chat/completions", body=body, cast_to=object))

    clients.run(main())
    refused, good = upstream.received
    assert refused.hermes["user_id"] == "alice"
    assert good.hermes is None
    assert good.json["messages"] == [{"role": "user", "content": "Hi"}]
