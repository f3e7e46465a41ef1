"""Strict endpoints, and endpoints in trouble, behind a real Hermes: a refusal is ours to mend, everything else is the host's."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from harness.covering import ALICE, BOB, PLUGIN, about, answered, identity, in_headers, is_title, told
from harness.environments import Environment
from harness.gateway import Gateway, Room, running_gateway
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.replies import Reply
from harness.stage import room
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

HERMES_FIELD = Reply("Unknown parameter: 'hermes'.", status=400)
STRICT = {
    "openai": (HERMES_FIELD, "hermes", "headers"),
    "openai-unstored": (
        Reply("The 'metadata' parameter is only allowed when 'store' is enabled.", status=400),
        "metadata",
        "headers",
    ),
    "groq": (Reply("property 'metadata' is unsupported", status=422), "metadata", "headers"),
    "tensorrt": (Reply("body.hermes: Extra inputs are not permitted", status=422), "hermes", "headers"),
    "vague": (Reply("Bad Request", status=400), "hermes", "bare"),
    "small": (Reply("Request Entity Too Large", status=413), "hermes", "bare"),
    "narrow": (Reply("Request Header Fields Too Large", status=431), "hermes", "bare"),
}
"""What each provider answers, to which field of a body, and what it takes."""
TROUBLES = {
    "busy": Reply("Slow down", status=429),
    "broken": Reply("hermes crashed", status=500),
    "away": Reply("the metadata store is down", status=503),
    "lost": Reply(lost=True),
}
"""What an endpoint in trouble answers at first."""
TIMES = 2


@dataclass
class Script:
    """Strict by model, and in trouble by what the question says."""

    troubled: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: RecordedCall) -> Reply:
        refusal, name, _ = STRICT.get(call.model, (None, "", ""))
        if refusal is not None and name in call.json:
            return refusal
        if "its own fault" in call.question and not is_title(call):
            return Reply("Unsupported value: 'temperature'", status=400)
        for trouble, reply in TROUBLES.items():
            if f"while {trouble}" in call.question and not is_title(call):
                with self.lock:
                    self.troubled[trouble] += 1
                if self.troubled[trouble] <= TIMES:
                    return reply
        return answered(call)


@dataclass(frozen=True)
class Stage:
    gateway: Gateway
    strict: Upstream
    stamped: Upstream
    plain: Upstream


@contextmanager
def running_stage(environment: Environment, directory: Path) -> Iterator[Stage]:
    """A gateway with the strict providers, and two that are alike but for ``plain``, which gets nothing."""
    with (
        running_upstream(Script()) as strict,
        running_upstream(Script()) as stamped,
        running_upstream(Script()) as plain,
    ):
        providers = {**dict.fromkeys(STRICT, strict), "stamped": stamped, "plain": plain}
        home = HermesHome(
            stamped.base_url,
            enabled=(PLUGIN,),
            settings={PLUGIN: {"endpoints": [{"match": plain.base_url.split("/")[2], "profile": "off"}]}},
            more={
                "custom_providers": [
                    {"name": name, "base_url": upstream.base_url, "model": name, "api_key": "sk-test"}
                    for name, upstream in providers.items()
                ]
            },
        ).write(directory / "home")
        with running_gateway(Hermes(environment.programs, home)) as gateway:
            gateway.say(BOB, room("first"), "hello")  # the very first answer carries a note
            yield Stage(gateway, strict, stamped, plain)
        assert strict.failures == stamped.failures == plain.failures == []


@pytest.fixture(scope="module")
def stage(hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(hinted_host, tmp_path_factory.mktemp("refusals")) as stage:
        yield stage


def carried(calls: Sequence[RecordedCall]) -> list[str]:
    return ["full" if "hermes" in call.json else "headers" if in_headers(call) else "bare" for call in calls]


@pytest.mark.parametrize("provider", STRICT)
def test_a_strict_endpoint_gives_a_good_answer_on_the_same_call(provider: str, stage: Stage) -> None:
    """At the price of one request the first time and of none from then on; the host does not notice."""
    place, less = room(provider), STRICT[provider][2]
    stage.gateway.say(ALICE, place, f"/model {provider} --provider custom:{provider}")

    answers = [stage.gateway.say(ALICE, place, f"question {number} for {provider}") for number in range(3)]

    assert answers == ["heard"] * 3
    turns = [
        [call for call in stage.strict.calls if about(f"question {number} for {provider}")(call)] for number in range(3)
    ]
    assert [carried(turn) for turn in turns] == [["full", less], [less], [less]]
    refused, again = turns[0]
    assert refused.messages == again.messages
    for call in (refused, *([again, turns[1][0], turns[2][0]] if less == "headers" else [])):
        who = {"user_id": ALICE.user_id, "chat_id": identity(ALICE, place)["chat_id"], "purpose": "main"}
        assert {name: told(call).get(name) for name in who} == who
    if less == "headers":
        assert told(again)["request_id"] == told(refused)["request_id"]


def switched(stage: Stage, provider: str, name: str) -> Room:
    """A room in which the model is that provider's."""
    place = room(f"{provider}-{name}")
    stage.gateway.say(BOB, place, f"/model {provider} --provider custom:{provider}")
    return place


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_the_hosts_to_retry_and_it_does_so_as_often_as_ever(trouble: str, stage: Stage) -> None:
    """No request that may have been executed is repeated by anyone else."""
    asked = [
        stage.gateway.post(BOB, switched(stage, provider, trouble), f"ask while {trouble}")
        for provider in ("stamped", "plain")
    ]

    stamped, plain = (stage.gateway.answer(said) for said in asked)

    assert stamped.replace("stamped", "plain") == plain
    ours, bare = (
        [call for call in upstream.calls if about(f"ask while {trouble}")(call)]
        for upstream in (stage.stamped, stage.plain)
    )
    assert [call.streamed for call in ours] == [call.streamed for call in bare]
    assert carried(ours) == ["full"] * len(ours)
    assert carried(bare) == ["bare"] * len(bare)
    assert len(ours) > (trouble != "broken")  # after a 500 the older host does not try again
    assert len({told(call)["turn_id"] for call in ours}) == 1


def test_a_fault_of_the_callers_own_is_told_to_the_host_once(stage: Stage) -> None:
    stamped, plain = (
        stage.gateway.say(BOB, switched(stage, provider, "fault"), "ask with its own fault")
        for provider in ("stamped", "plain")
    )

    assert stamped.replace("stamped", "plain") == plain
    tries = len([call for call in stage.plain.calls if about("its own fault")(call)])
    found = [call for call in stage.stamped.calls if about("its own fault")(call)]
    assert carried(found) == ["full", "bare"] * tries
