"""What a call gives is the SDK's own object, and none of our code runs while it is read."""

from __future__ import annotations

import sys

import openai
import pytest
from clients import KINDS, UNHURRIED, ask, each, result

from hermes_hints import hookimpl, install, register, uninstall, wrap

WHO = {"user_id": "alice", "session_id": "conversation-1"}
STREAMS = {False: openai.Stream, True: openai.AsyncStream}


class Talkative:
    @hookimpl
    def contribute_hints(self, call):
        return {"user_intent": "local"}


def remembering(client):
    """Have the client remember what its own ``request`` gave; in the list that is returned."""
    given = []
    request = client.request
    if hasattr(client, "__aenter__"):

        async def remembered(*args, **kwargs):
            given.append(await request(*args, **kwargs))
            return given[-1]
    else:

        def remembered(*args, **kwargs):
            given.append(request(*args, **kwargs))
            return given[-1]

    client.request = remembered
    return given


async def stream(client):
    return await ask(client, stream=True)


async def raw(client):
    messages = [{"role": "user", "content": "Hi"}]
    return await result(client.chat.completions.with_raw_response.create(model="m", messages=messages))


async def response(client):
    return await result(client.responses.create(model="m", input="Hi"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", [ask, stream, raw, response], ids=lambda call: call.__name__)
def test_the_answer_is_the_very_object_that_the_sdk_made(call, clients, upstream):
    async def main():
        client = clients.make()
        given = remembering(client)
        answer = await call(wrap(client, identity=WHO))
        assert answer is given[-1]
        assert len(given) == 1
        if call is stream:
            assert type(answer) is STREAMS[clients.asynchronous]
            await each(answer)

    clients.run(main())
    assert upstream.only.lines["user-id"] == "alice"


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_as_the_sdk_left_it(clients):
    """Nothing is put on the object either: it holds what the bare client's holds."""

    async def main():
        bare, ours = await stream(clients.make()), await stream(wrap(clients.make(), identity=WHO))
        assert type(ours) is type(bare)
        held = [{name: type(value) for name, value in vars(each_one).items()} for each_one in (bare, ours)]
        assert held[0] == held[1]
        assert [type(chunk) for chunk in await each(ours)] == [type(chunk) for chunk in await each(bare)]

    clients.run(main())


class Entered:
    """The functions of hermes_hints that are entered inside the ``with``."""

    def __init__(self):
        self.names = []

    def _look(self, frame, event, _):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.partition(".")[0] == "hermes_hints":
            self.names.append(f"{module}.{frame.f_code.co_name}")

    def __enter__(self):
        sys.setprofile(self._look)
        return self.names

    def __exit__(self, *_):
        sys.setprofile(None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", ["wrap", "install"])
def test_none_of_our_code_runs_for_a_chunk(door, clients, upstream):
    register(Talkative())

    async def main():
        if door == "install":
            install(identity=WHO, settings=UNHURRIED)
        client = clients.make() if door == "install" else wrap(clients.make(), identity=WHO, settings=UNHURRIED)
        with Entered() as names:
            answer = await stream(client)
        assert names  # the door was passed, and this way of looking sees it
        with Entered() as names:
            chunks = await each(answer)
        assert len(chunks) > 1
        assert names == []

    try:
        clients.run(main())
    finally:
        uninstall()
    assert upstream.only.hermes["user_intent"] == "local"
