"""A gateway for the tests of every kind of call: its providers, its credentials, and a script that refuses on demand."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .covering import CAROL, ERRANDS, PLUGIN, TOOLS_IN_THE_OPEN, about, answered, is_title, told
from .environments import Environment
from .gateway import Gateway, Person, Room, running_gateway
from .hermes_home import HermesHome
from .hermes_process import Hermes
from .programs import free_port
from .replies import Reply
from .upstream import RecordedCall, Upstream, running_upstream

MAX_TURNS = 4
LOOKS_BACK_AFTER = 9
"""So many turns of a conversation, and the host has an agent of its own look back on them."""
REFUSALS = (429, 402, 401)
WORN, FRESH = "worn-key", "fresh-key"
API_KEY = "0123456789abcdef-only-for-tests"
MIXTURE = {"reference-a": "moa_reference", "reference-b": "moa_reference", "aggregator": "moa_aggregator"}
BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com"


@dataclass
class Script:
    """`answered`, and an endpoint that refuses where the question or the credential says so."""

    held: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: RecordedCall) -> Reply:
        pool = re.search(r"/pool(\d+)/", call.path)
        if pool and call.header("authorization") == f"Bearer {WORN}":
            return Reply("scripted refusal", status=int(pool[1]))
        if is_title(call):
            return answered(call)
        poor = ("scripted-model", "fallback-model") if "nor there" in call.question else ("scripted-model",)
        if "no money here" in call.question and call.model in poor:
            return Reply("no money", status=402)
        if "not as a stream" in call.question and call.streamed:
            return Reply("stream is not supported", status=503)
        if "hold this one" in call.question and "after it" not in call.question:
            self.held.wait(60)
        reply = answered(call)
        full = "up to the brim" in call.question or ("nearly full" in call.question and reply.tool_calls)
        return replace(reply, prompt_tokens=60_000) if full else reply


@dataclass(frozen=True)
class Stage:
    upstream: Upstream
    fallback: Upstream
    forbidden: Upstream
    gateway: Gateway
    script: Script
    api_url: str

    def say(self, person: Person, room: Room, text: str) -> list[RecordedCall]:
        """A message, answered; the calls of its turn that repeat it."""
        before = len(self.upstream.calls)
        self.gateway.say(person, room, text)
        return [call for call in self.upstream.calls[before:] if about(text)(call)]

    def switch(self, person: Person, room: Room, model: str, provider: str) -> None:
        self.gateway.say(person, room, f"/model {model} --provider {provider}")

    def title(self, text: str) -> RecordedCall:
        return self.upstream.wait_for(lambda call: is_title(call) and text in call.question)

    def ask_api(self, path: str, content: object, **headers: str) -> None:
        lines = {"Content-Type": "application/json", "Authorization": f"Bearer {API_KEY}", **headers}
        request = urllib.request.Request(f"{self.api_url}{path}", json.dumps(content).encode(), lines)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            response.read()


@contextmanager
def running_stage(environment: Environment, directory: Path) -> Iterator[Stage]:
    """A gateway with every provider and platform that the tests use, until the block is left."""
    script = Script()
    with (
        running_upstream(script) as upstream,
        running_upstream(script) as fallback,
        running_upstream(script) as forbidden,
    ):
        port = free_port()
        home = home_of(upstream, fallback, forbidden, port).write(directory / "home")
        (home / "auth.json").write_text(json.dumps(pools(upstream)), "utf-8")
        with running_gateway(Hermes(environment.programs, home)) as gateway:
            gateway.say(CAROL, Room("!first:example.org", "First"), "hello")  # the very first answer carries a note
            yield Stage(upstream, fallback, forbidden, gateway, script, f"http://127.0.0.1:{port}")
            script.held.set()
        assert upstream.failures == fallback.failures == forbidden.failures == []


def home_of(upstream: Upstream, fallback: Upstream, forbidden: Upstream, port: int) -> HermesHome:
    root = upstream.base_url.removesuffix("/v1")

    def provider(name: str, base_url: str, **more: str) -> dict[str, str]:
        return {"name": name, "base_url": base_url, "model": f"{name}-model", **more}

    key = {"api_key": "sk-test"}
    next_ones = (("fallback-model", fallback), ("forbidden-model", forbidden))
    endpoints = [
        {"match": BEDROCK, "profile": "bedrock"},
        {"match": forbidden.base_url.split("/")[2], "profile": "off"},
    ]
    mixture = {
        "enabled": True,
        "reference_models": [{"provider": "custom:lab", "model": name} for name in list(MIXTURE)[:-1]],
        "aggregator": {"provider": "custom:lab", "model": list(MIXTURE)[-1]},
    }
    return HermesHome(
        upstream.base_url,
        folders=(ERRANDS,),
        enabled=(PLUGIN,),
        max_turns=MAX_TURNS,
        settings={PLUGIN: {"endpoints": endpoints}},
        fallback=tuple(
            {"provider": "custom", "base_url": upstream.base_url, "model": model, **key}
            for model, upstream in next_ones
        ),
        env={
            "API_SERVER_ENABLED": "true",
            "API_SERVER_KEY": API_KEY,
            "API_SERVER_PORT": str(port),
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": root,
            "AWS_ENDPOINT_URL_BEDROCK": root,
        },
        more={
            **TOOLS_IN_THE_OPEN,
            "model": {"context_length": 64_000},
            "compression": {"threshold": 0.5, "protect_first_n": 1, "protect_last_n": 2, "in_place": False},
            "delegation": {"max_spawn_depth": 3},
            "memory": {"nudge_interval": LOOKS_BACK_AFTER},
            "display": {"busy_input_mode": "queue"},
            "custom_providers": [
                provider("lab", f"{root}/lab/v1", **key),
                provider("claude", root, api_mode="anthropic_messages", **key),
                provider("codex", f"{root}/codex/v1", api_mode="codex_responses", **key),
                *(provider(f"pool{status}", f"{root}/pool{status}/v1") for status in REFUSALS),
            ],
            "moa": {"default_preset": "mixture", "presets": {"mixture": mixture}},
        },
    )


def pools(upstream: Upstream) -> dict[str, Any]:
    """Two credentials for each of the pools, as `hermes auth add` writes them."""
    root = upstream.base_url.removesuffix("/v1")

    def credential(secret: str, priority: int, status: int) -> dict[str, object]:
        return {
            "id": f"{secret[:4]}{status}",
            "label": secret,
            "auth_type": "api_key",
            "priority": priority,
            "source": "manual",
            "access_token": secret,
            "base_url": f"{root}/pool{status}/v1",
        }

    keys = {f"custom:pool{s}": [credential(WORN, 0, s), credential(FRESH, 1, s)] for s in REFUSALS}
    return {"version": 1, "providers": {}, "credential_pool": keys}


def room(name: str, thread_id: str | None = None) -> Room:
    """The room of that name."""
    return Room(f"!{name}:example.org", name, thread_id=thread_id)


def only(calls: Sequence[RecordedCall]) -> RecordedCall:
    """The one call that there is."""
    assert len(calls) == 1, [told(call) for call in calls]
    return calls[0]


def distinct(calls: Sequence[RecordedCall], name: str) -> set[str]:
    """The values of a field over calls."""
    return {told(call)[name] for call in calls}
