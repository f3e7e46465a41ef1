"""The doors find what is there at each call, live with other wrappers in any order, and leave no trace."""

from __future__ import annotations

import functools
import inspect

import openai
import pytest
from clients import KINDS, ask

from hermes_hints import install, uninstall, unwrap, wrap

WHO = {"user_id": "alice"}

everywhere = pytest.mark.parametrize("kind", KINDS, indirect=True)


@pytest.fixture(autouse=True)
def _classes_as_they_were(monkeypatch):
    """A wrapper that is undone after we have gone puts back what it found: our door, which by then leads nowhere."""
    kinds = (openai.OpenAI, openai.AsyncOpenAI, openai.AzureOpenAI, openai.AsyncAzureOpenAI)
    before = [(kind, "request" in vars(kind)) for kind in kinds]
    yield
    monkeypatch.undo()
    uninstall()
    for kind, had in before:
        if not had and "request" in vars(kind):
            del kind.request


def same(before, after):
    return before.keys() == after.keys() and all(after[name] is before[name] for name in before)


@everywhere
@pytest.mark.parametrize("times", [1, 2])
def test_unwrap_restores_the_client(times, clients, upstream):
    async def main():
        client = clients.make()
        await ask(client)  # what the SDK makes on first use is there from here on
        before = dict(vars(client))
        for _ in range(times):
            assert wrap(client, identity=WHO) is client
        assert isinstance(client, clients.type)
        assert inspect.iscoroutinefunction(client.request) == clients.asynchronous
        await ask(client)
        assert unwrap(client) is client
        assert same(before, vars(client))
        await ask(client)
        assert unwrap(client) is client

    clients.run(main())
    first, stamped, last = upstream.received
    assert stamped.hermes["user_id"] == "alice"
    assert (last.head, last.body) == (first.head, first.body)


@everywhere
def test_uninstall_restores_the_classes(clients, upstream):
    kinds = [openai.OpenAI, openai.AsyncOpenAI, openai.AzureOpenAI, openai.AsyncAzureOpenAI]
    kinds = list(dict.fromkeys(base for kind in kinds for base in kind.__mro__ if base is not object))
    before = [dict(vars(kind)) for kind in kinds]

    async def main():
        old = clients.make()
        for _ in range(2):
            install(identity=WHO)
        await ask(old)
        await ask(clients.make())
        uninstall()
        assert all(map(same, before, map(vars, kinds)))
        await ask(old)
        uninstall()

    clients.run(main())
    made_before, made_after, bare = upstream.received
    assert made_before.hermes["user_id"] == made_after.hermes["user_id"] == "alice"
    assert bare.bare


def test_unwrapped_copies_of_a_wrapped_client_stay_wrapped(clients, upstream):
    """A copy is a client of its own; so is the original of a copy."""

    async def main():
        client = wrap(clients.make(), identity=WHO)
        twin = client.copy()
        unwrap(client)
        await ask(twin)
        await ask(unwrap(twin))

    clients.run(main())
    stamped, bare = upstream.received
    assert stamped.hermes["user_id"] == "alice"
    assert bare.bare


def test_a_copy_made_by_a_method_kept_from_before_is_bare_after_unwrapping(clients, upstream):
    async def main():
        client = wrap(clients.make(), identity=WHO)
        kept = client.with_options
        unwrap(client)
        await ask(kept(timeout=9))

    clients.run(main())
    assert upstream.only.bare


def test_a_resource_kept_from_before_is_stamped_too(clients, upstream):
    async def main():
        client = clients.make()
        create, raw = client.chat.completions, client.chat.completions.with_raw_response
        wrap(client, identity=WHO)
        for resource in (create, raw):
            answer = resource.create(model="m", messages=[])
            if clients.asynchronous:
                await answer

    clients.run(main())
    assert [request.hermes["user_id"] for request in upstream.received] == ["alice", "alice"]


class Other:
    """Another library's wrapper of ``request``: notes each call and passes it on."""

    def __init__(self):
        self.calls = 0

    def on_instance(self, client):
        inner = client.request

        @functools.wraps(inner)
        def request(*args, **kwargs):
            self.calls += 1
            return inner(*args, **kwargs)

        client.request = request
        return lambda: setattr(client, "request", inner)

    def on_class(self, kind, monkeypatch):
        inner = kind.request

        @functools.wraps(inner)
        def request(client, *args, **kwargs):
            self.calls += 1
            return inner(client, *args, **kwargs)

        monkeypatch.setattr(kind, "request", request)


def check(clients, upstream, other, client, calls=1):
    answer = clients.run(ask(client))
    assert answer.choices[0].message.content == '{"answer": 42}'
    assert upstream.only.hermes["user_id"] == "alice"
    assert other.calls == calls


@everywhere
def test_another_wrapper_below(clients, upstream):
    other, client = Other(), clients.make()
    other.on_instance(client)
    check(clients, upstream, other, wrap(client, identity=WHO))


@everywhere
def test_another_wrapper_on_top(clients, upstream):
    other, client = Other(), wrap(clients.make(), identity=WHO)
    other.on_instance(client)
    check(clients, upstream, other, client)


@everywhere
def test_another_wrapper_on_the_class_before_wrapping(clients, upstream, monkeypatch):
    other = Other()
    other.on_class(clients.type, monkeypatch)
    check(clients, upstream, other, wrap(clients.make(), identity=WHO))


@everywhere
def test_another_wrapper_on_the_class_after_wrapping(clients, upstream, monkeypatch):
    other, client = Other(), wrap(clients.make(), identity=WHO)
    other.on_class(clients.type, monkeypatch)
    check(clients, upstream, other, client)


@everywhere
def test_another_wrapper_on_the_class_before_installing(clients, upstream, monkeypatch):
    other = Other()
    other.on_class(clients.type, monkeypatch)
    install(identity=WHO)
    check(clients, upstream, other, clients.make())


@everywhere
def test_another_wrapper_on_the_class_after_installing(clients, upstream, monkeypatch):
    other = Other()
    install(identity=WHO)
    other.on_class(clients.type, monkeypatch)
    check(clients, upstream, other, clients.make())


class Descriptor:
    """A wrapper that is an object, bound as Python binds it: with the instance and its class."""

    def __init__(self, inner, calls):
        self.inner, self.calls = inner, calls

    def __get__(self, instance, owner):
        assert issubclass(owner, openai.OpenAI | openai.AsyncOpenAI)
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args, **kwargs):
        self.calls.append(1)
        return self.inner(*args, **kwargs)


class Unbound:
    """A replacement that is an object and no descriptor: called without the client, as Python does."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, cast_to, options, **_):
        return self.answer


@pytest.mark.parametrize("order", ["wrap first", "patch first", "install"])
def test_a_wrapper_that_is_a_descriptor(order, clients, upstream, monkeypatch):
    calls = []
    client = clients.make()
    patched = Descriptor(clients.type.request, calls)
    if order == "wrap first":
        wrap(client, identity=WHO)
    monkeypatch.setattr(clients.type, "request", patched)
    if order == "patch first":
        wrap(client, identity=WHO)
    elif order == "install":
        install(identity=WHO)
    clients.run(ask(client))
    assert upstream.only.hermes["user_id"] == "alice"
    assert calls == [1]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
@pytest.mark.parametrize("door", ["wrap", "install"])
def test_a_replacement_that_is_no_descriptor(door, clients, monkeypatch):
    """What a test of the operator's own program may put there."""
    client = clients.make()
    monkeypatch.setattr(clients.type, "request", Unbound("canned"))
    if door == "wrap":
        wrap(client, identity=WHO)
    else:
        install(identity=WHO)
    assert clients.run(ask(client)) == "canned"


@everywhere
def test_unwrap_under_another_wrapper(clients, upstream):
    """We step aside; the other wrapper stays, may leave in its turn, and we may come back."""
    other, client = Other(), clients.make()

    async def main():
        wrap(client, identity=WHO)
        take_off = other.on_instance(client)
        unwrap(client)
        await ask(client)
        wrap(client, identity=WHO)
        await ask(client)
        unwrap(client)
        await ask(client)
        take_off()
        await ask(client)

    clients.run(main())
    assert [request.bare for request in upstream.received] == [True, False, True, True]
    assert other.calls == 3


def test_uninstall_under_another_wrapper(clients, upstream, monkeypatch):
    other = Other()

    async def main():
        client = clients.make()
        install(identity=WHO)
        other.on_class(clients.type, monkeypatch)
        uninstall()
        await ask(client)
        install(identity=WHO)
        await ask(client)
        uninstall()
        await ask(client)

    clients.run(main())
    assert [request.bare for request in upstream.received] == [True, False, True]
    assert other.calls == 3


def test_a_subclass_with_a_request_of_its_own(clients, upstream):
    calls = []

    class Mine(clients.type):
        def request(self, *args, **kwargs):
            calls.append(1)
            return super().request(*args, **kwargs)

    install(identity=WHO)
    client = Mine(base_url=upstream.base_url, api_key="k")
    clients.adopt(client)
    clients.run(ask(client))
    assert upstream.only.hermes["user_id"] == "alice"
    assert calls == [1]
