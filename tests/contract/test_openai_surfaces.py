"""Every surface arrives stamped, and its caller sees what a bare client's caller sees."""

from __future__ import annotations

import pytest
from clients import KINDS, PLAIN, UNHURRIED
from surfaces import SURFACES
from upstream import Answer

from hermes_hints import Identity, calling, hint, hookimpl, install, receive, register, uninstall, unwrap, wrap

WHO = Identity(user_id="@alice:example.org", chat_id="!room", session_id="20261121_012008_d4149b13", platform="matrix")
OURS = {"hermes": None, "metadata": None}

everywhere = pytest.mark.parametrize("kind", KINDS, indirect=True)
each_surface = pytest.mark.parametrize(
    ("surface", "kind"),
    [(surface, kind) for surface in SURFACES for kind in (PLAIN if surface.plain else KINDS)],
    ids=lambda value: getattr(value, "name", value),
    indirect=["kind"],
)


def without_ours(request):
    """The request line and header lines that are not ours, and whose value does not depend on ours."""
    lines = request.head.split(b"\r\n")
    return [line for line in lines if not line.lower().startswith((b"x-hermes-", b"content-length:"))]


def check_stamped(stamped, bare, surface):
    record = receive.read(stamped.pairs, stamped.body)
    assert stamped.path.endswith(surface.ends)
    assert record.user_id == "@alice:example.org"
    assert record.chat_id == "!room"
    assert record.user_intent == "force-cloud"
    assert record.purpose == "main"
    assert stamped.lines["user-id"] == "@alice:example.org"
    assert stamped.lines["session-id"] == "20261121_012008_d4149b13"
    assert without_ours(stamped) == without_ours(bare)
    if surface.body:
        assert stamped.hermes["v"] == 1
        assert stamped.hermes["request_id"] == stamped.lines["request-id"] == stamped.metadata["hermes_request_id"]
        assert stamped.hermes["user_id"] == stamped.metadata["hermes_user_id"] == stamped.lines["user-id"]
        assert {**stamped.json, **OURS} == {**bare.json, **OURS}
        assert stamped.body.startswith(bare.body[:-1])  # nothing was encoded anew
    else:
        assert stamped.body == bare.body


async def before_and_after(surface, client, upstream, begin, end):
    """Call bare, stamped and bare again: the caller sees the same each time."""
    expected = await surface.call(client)
    begin(client)
    with hint(user_intent="force-cloud"), calling(purpose="main"):
        assert await surface.call(client) == expected
    end(client)
    assert await surface.call(client) == expected
    before, stamped, after = upstream.take()
    assert before.bare
    assert (after.head, after.body) == (before.head, before.body)
    check_stamped(stamped, before, surface)


@each_surface
def test_wrapped(surface, clients, upstream):
    client = clients.make()
    clients.run(before_and_after(surface, client, upstream, lambda client: wrap(client, identity=WHO), unwrap))


@each_surface
def test_installed(surface, clients, upstream):
    def begin(_):
        install(identity=WHO)

    clients.run(before_and_after(surface, clients.make(), upstream, begin, lambda _: uninstall()))


@everywhere
@pytest.mark.parametrize("statuses", [(500,), (429, 503), (408, 409)])
def test_retries_of_the_client_keep_the_request_id_and_call_plugins_once(statuses, clients, upstream):
    asked = []

    class Counting:
        @hookimpl
        def contribute_hints(self, call):
            asked.append(call.request_id)
            return {"user_intent": f"asked {len(asked)} times"}

    register(Counting())

    async def main():
        client = wrap(clients.make(max_retries=len(statuses)), identity=WHO, settings=UNHURRIED)
        upstream.queue.extend(Answer(status, {}, {"retry-after-ms": "1"}) for status in statuses)
        await SURFACES[0].call(client)

    clients.run(main())
    assert len(upstream.received) == len(statuses) + 1
    assert {request.hermes["request_id"] for request in upstream.received} == set(asked)
    assert {request.lines["request-id"] for request in upstream.received} == set(asked)
    assert {request.body for request in upstream.received} == {upstream.last.body}
    assert len(asked) == 1


def test_each_call_has_a_request_id_of_its_own(clients, upstream):
    async def main():
        client = wrap(clients.make(), identity=WHO)
        for _ in range(3):
            await SURFACES[0].call(client)

    clients.run(main())
    assert len({request.hermes["request_id"] for request in upstream.received}) == 3
