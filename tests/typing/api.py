"""The public API as a user types it: checked by mypy and pyright in strict mode, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import assert_type

from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

import hermes_hints
from hermes_hints import (
    Call,
    Carriers,
    Hints,
    Identity,
    LoadedPlugin,
    Record,
    Settings,
    calling,
    hint,
    hookimpl,
    identify,
    loaded_plugins,
    receive,
    register,
    unwrap,
    wrap,
)


class Plugin:
    @hookimpl
    def configure(self, settings: Mapping[str, object]) -> None: ...

    @hookimpl
    def contribute_hints(self, call: Call, identity: Identity) -> Hints | Mapping[str, object] | None:
        if identity.user_id is None or call.purpose == "title_generation":
            return None
        assert_type(call.user_text(), str | None)
        return Hints(user_intent="force-cloud", labels=("a", "b"), ext={"acme.region": "eu"})

    @hookimpl
    def request_stamped(self, call: Call, record: Record, carriers: Carriers) -> None:
        assert_type(record.user_id, str | None)
        assert_type(carriers.headers, Mapping[str, str])


assert_type(wrap(OpenAI()), OpenAI)
assert_type(wrap(AsyncOpenAI(), identity={"user_id": "u"}, privacy="none"), AsyncOpenAI)
assert_type(wrap(AzureOpenAI(), identity=Identity(user_id="u"), profile="headers"), AzureOpenAI)
assert_type(unwrap(wrap(AsyncAzureOpenAI(), settings=Settings(privacy="pseudonymous"))), AsyncAzureOpenAI)
assert_type(hermes_hints.install(settings={"endpoints": []}), None)
assert_type(hermes_hints.uninstall(), None)
assert_type(register(Plugin()), LoadedPlugin)
assert_type(loaded_plugins(), tuple[LoadedPlugin, ...])

record = receive.read({"X-Hermes-User-Id": "u"}, b"{}")
assert_type(record, Record)
assert_type(receive.read([(b"x-hermes-user-id", b"u")], {"hermes": {"v": 1}}).call, int | None)

with identify(user_id="u", chat_id=7) as scope, hint(priority="high"), calling(purpose="summary"):
    assert_type(scope, hermes_hints.Scope)


@identify(user_id="u")
def answer(question: str) -> int:
    return len(question)


@hint(user_intent="force-cloud")
async def answer_later(question: str) -> int:
    return len(question)


@calling(purpose="stream")
def parts() -> Iterator[str]:
    yield "a"


@identify(user_id="u")
async def parts_later() -> AsyncIterator[str]:
    yield "a"


async def use() -> None:
    async with identify(user_id="u"):
        assert_type(await answer_later("q"), int)
    assert_type(answer("q"), int)
    assert_type(parts(), Iterator[str])
    assert_type(parts_later(), AsyncIterator[str])
