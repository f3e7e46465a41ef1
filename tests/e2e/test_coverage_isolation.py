"""Hermes 0.22 with ``plugins.isolation: host``, plugins in a process of their own: what can be said, is said in headers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from harness.covering import (
    PLUGIN,
    about,
    answered,
    assert_bare,
    in_headers,
    is_title,
    skip_unless_0_22,
    whole,
)
from harness.environments import Environment
from harness.gateway import running_service
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.programs import free_port
from harness.replies import Reply
from harness.upstream import RecordedCall, Upstream, running_upstream

pytestmark = pytest.mark.e2e

WRITER = "webhook:people"
"""How Hermes names who writes through its webhook platform, the only one on loopback that is none of a plugin's."""
ENDPOINTS = ("pseudonymous", "forbidden")


@dataclass(frozen=True)
class Stage:
    hermes: Hermes
    upstream: Upstream
    elsewhere: Mapping[str, Upstream]
    url: str

    def say(self, text: str) -> None:
        """A message that comes from outside."""
        lines = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url, json.dumps({"text": text}).encode(), lines)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            response.read()


def script(call: RecordedCall) -> Reply:
    """`answered`; where the question says so, the first model's endpoint sends Hermes on to the one that it names."""
    if is_title(call) or "go on to the" not in call.question or call.model in call.question:
        return answered(call)
    return Reply("no money", status=402)


@pytest.fixture(scope="module")
def stage(hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    skip_unless_0_22(hinted_host)
    directory = tmp_path_factory.mktemp("isolation")
    with (
        running_upstream(script) as upstream,
        running_upstream(script) as pseudonymous,
        running_upstream(script) as forbidden,
    ):
        port = free_port()
        elsewhere = dict(zip(ENDPOINTS, (pseudonymous, forbidden), strict=True))
        hermes = Hermes(hinted_host.programs, home_of(upstream, elsewhere, port).write(directory / "home"))
        with running_service(hermes):
            yield Stage(hermes, upstream, elsewhere, f"http://127.0.0.1:{port}/webhooks/people")
        assert upstream.failures == pseudonymous.failures == forbidden.failures == []


def home_of(upstream: Upstream, elsewhere: Mapping[str, Upstream], port: int) -> HermesHome:
    host = {name: other.base_url.split("/")[2] for name, other in elsewhere.items()}
    webhook = {
        "host": "127.0.0.1",
        "port": port,
        "secret": "INSECURE_NO_AUTH",
        "routes": {"people": {"prompt": "{text}"}},
    }
    return HermesHome(
        upstream.base_url,
        enabled=(PLUGIN,),
        settings={
            PLUGIN: {
                "pseudonym_key": "only-for-tests-0123456789",
                "endpoints": [
                    {"match": host["pseudonymous"], "profile": "headers", "privacy": "pseudonymous"},
                    {"match": host["forbidden"], "profile": "off"},
                ],
            }
        },
        fallback=tuple(
            {"provider": "custom", "base_url": other.base_url, "model": name, "api_key": "sk-test"}
            for name, other in elsewhere.items()
        ),
        more={
            "plugins": {"isolation": "host"},
            "platform_toolsets": {"webhook": ["hermes-cli"]},
            "platforms": {"webhook": {"enabled": True, "extra": webhook}},
        },
    )


def test_main_turns_and_subagents_say_in_headers_who_asked(stage: Stage) -> None:
    stage.say("nest 1 from behind the wall")
    stage.upstream.wait_for(lambda call: about("nest 1 from behind the wall")(call) and call.tool_results > 0)

    root, *steps = filter(about("nest 1 from behind the wall"), stage.upstream.calls)
    child = stage.upstream.wait_for(about("nest 0 from behind the wall"))
    lines = [in_headers(call) for call in (root, child, *steps)]
    assert [line["purpose"] for line in lines] == ["main", "subagent", *("main" for _ in steps)]
    assert {line["user_id"] for line in lines} == {WRITER}
    assert {line["platform"] for line in lines} == {"webhook"}
    assert len({line["conversation_id"] for line in lines}) == 1
    assert len({line["request_id"] for line in lines}) == len(lines)
    for call in (root, child, *steps):
        assert {"hermes", "metadata", "user"} & call.json.keys() == set()
    for call in filter(is_title, stage.upstream.calls):
        assert_bare(call)


def test_the_endpoints_policy_counts(stage: Stage) -> None:
    stage.say("go on to the pseudonymous one")
    pseudonymous = stage.elsewhere["pseudonymous"].wait_for(about("the pseudonymous one"))
    stage.say("go on to the forbidden one")
    forbidden = stage.elsewhere["forbidden"].wait_for(about("the forbidden one"))

    said = in_headers(next(filter(about("the forbidden one"), stage.upstream.calls)))
    assert in_headers(pseudonymous)["purpose"] == "main"
    assert re.fullmatch(r"[0-9a-f]{64}", in_headers(pseudonymous)["user_id"])
    assert WRITER.encode() not in whole(pseudonymous)
    assert_bare(forbidden)
    assert [
        name for name in ("user_id", "conversation_id", "request_id") if said[name].encode() in whole(forbidden)
    ] == []


def test_doctor_tells_and_the_line_that_it_names_mends_it(stage: Stage) -> None:
    ran = subprocess.run(
        [stage.hermes.programs / "hermes-hints", "doctor", "--no-probe", "--json"],
        env={"HERMES_HOME": str(stage.hermes.home), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ran.returncode == 1, ran.stdout + ran.stderr
    (problem,) = [problem for problem in json.loads(ran.stdout)["problems"] if "isolation" in problem["what"]]
    assert problem["remedy"] == {"place": "plugins", "line": "isolation: in_process"}
