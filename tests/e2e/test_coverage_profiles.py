"""One gateway of Hermes 0.22 for several profiles: each by its own settings, and nothing where it is not enabled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import pytest
from harness.covering import (
    ALICE,
    ERRANDS,
    PLUGIN,
    TOOLS_IN_THE_OPEN,
    answered,
    assert_bare,
    assert_says,
    identity,
    in_headers,
    is_title,
    order,
    skip_unless_0_22,
    whole,
)
from harness.environments import Environment
from harness.gateway import Room, running_gateway
from harness.hermes_home import HermesHome, plugin_name
from harness.hermes_process import Hermes
from harness.upstream import RecordedCall, running_upstream

pytestmark = pytest.mark.e2e

PROFILES = ("default", "careful", "without")
ROOMS = {name: Room(f"!{name}:example.org", f"Room {name}") for name in PROFILES}
KINDS = 4
"""Of a turn here: its two steps, the call that its tool makes, and its title."""


@pytest.fixture(scope="module")
def calls(
    hinted_host: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Sequence[RecordedCall]]]:
    """What arrived at each profile's own endpoint when Alice had asked each the same."""
    skip_unless_0_22(hinted_host)
    text = "asked " + order("errand", what="call", task="vision", text="look")
    with ExitStack() as opened:
        upstreams = {name: opened.enter_context(running_upstream(answered)) for name in PROFILES}
        home = home_of(upstreams["default"].base_url).write(tmp_path_factory.mktemp("profiles") / "home")
        for name in PROFILES[1:]:
            of_profile(name, upstreams[name].base_url).write(home / "profiles" / name)
        with running_gateway(Hermes(hinted_host.programs, home)) as gateway:
            for name in (*PROFILES, *reversed(PROFILES)):
                gateway.say(ALICE, ROOMS[name], text)
            for upstream in upstreams.values():
                upstream.wait_for(is_title)
        yield {name: upstream.calls for name, upstream in upstreams.items()}
        assert [upstream.failures for upstream in upstreams.values()] == [[]] * len(PROFILES)


def home_of(base_url: str) -> HermesHome:
    routes = [{"platform": "loopback", "chat_id": ROOMS[name].chat_id, "profile": name} for name in PROFILES[1:]]
    gateway = {"multiplex_profiles": True, "profile_routes": routes}
    return HermesHome(base_url, folders=(ERRANDS,), enabled=(PLUGIN,), more={**TOOLS_IN_THE_OPEN, "gateway": gateway})


def of_profile(name: str, base_url: str) -> HermesHome:
    # The platform is the first profile's alone.
    enabled = [plugin_name(ERRANDS), *([PLUGIN] if name == "careful" else [])]
    settings = {
        "pseudonym_key": "only-for-tests-0123456789",
        "endpoints": [{"match": base_url.split("/")[2], "profile": "headers", "privacy": "pseudonymous"}],
    }
    more = {**TOOLS_IN_THE_OPEN, "plugins": {"enabled": enabled}}
    return HermesHome(base_url, folders=(ERRANDS,), settings={PLUGIN: settings}, more=more)


def test_the_first_profile_says_everything(calls: Mapping[str, Sequence[RecordedCall]]) -> None:
    assert len(calls["default"]) >= KINDS
    for call in calls["default"]:
        assert_says(call, identity(ALICE, ROOMS["default"]), profile="default")


def test_another_profile_says_what_its_own_settings_allow(calls: Mapping[str, Sequence[RecordedCall]]) -> None:
    assert len(calls["careful"]) >= KINDS
    lines = [in_headers(call) for call in calls["careful"]]
    assert {line["purpose"] for line in lines} == {"main", "vision", "title_generation"}
    assert all(re.fullmatch("[0-9a-f]{64}", line["user_id"]) for line in lines)
    for call in calls["careful"]:
        assert {"hermes", "metadata"} & call.json.keys() == set()
        assert ALICE.user_id.encode() not in whole(call)


def test_a_profile_without_the_plugin_says_nothing(calls: Mapping[str, Sequence[RecordedCall]]) -> None:
    assert len(calls["without"]) >= KINDS
    for call in calls["without"]:
        assert_bare(call)
