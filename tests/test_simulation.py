"""The simulation behind docs/prefix-cache.md does what the page says."""

from __future__ import annotations

from collections import defaultdict

import pytest
from simulation.conversations import SYSTEM, WINDOW, calls_of
from simulation.replicas import WAYS, Replica, simulate

CALLS = calls_of(12, hours=0.2)


def test_a_prompt_again_is_cached_and_a_longer_one_up_to_where_it_differs():
    replica = Replica()
    replica.serve([1, 2, 3])
    assert (replica.computed, replica.cached) == (3 * 512, 0)
    replica.serve([1, 2, 3, 4])
    assert (replica.computed, replica.cached) == (4 * 512, 3 * 512)
    replica.serve([1, 9, 3])
    assert replica.cached == 4 * 512


def test_what_was_longest_not_used_is_dropped():
    replica = Replica()
    for start in range(0, 2000, 500):
        replica.serve(range(start, start + 500))
    replica.serve(range(500))
    assert replica.cached == 0


def test_conversations_grow_are_compressed_and_share_their_beginning():
    sessions = defaultdict(set)
    for call in CALLS:
        sessions[call.conversation_id].add(call.session_id)
    shared = {call.prompt[: SYSTEM // 512] for call in CALLS if len(call.prompt) > SYSTEM // 512}
    longest = max(len(call.prompt) * 512 for call in CALLS)

    assert [call.at for call in CALLS] == sorted(call.at for call in CALLS)
    assert len(sessions) == 12
    assert max(map(len, sessions.values())) > 1
    assert WINDOW / 2 < longest < 2 * WINDOW
    assert sum(prompt == CALLS[0].prompt[: SYSTEM // 512] for prompt in shared) == 1


@pytest.mark.parametrize(("way", "sticks"), [("by the conversation", True), ("round robin", False)])
def test_a_conversation_stays_where_it_is(way, sticks):
    route = WAYS[way](8)
    places = defaultdict(set)
    for call in CALLS:
        places[call.conversation_id].add(route(call))

    assert all(len(found) == 1 for found in places.values()) == sticks
    assert len(set().union(*places.values())) > 3


def test_one_replica_is_the_same_in_every_way():
    assert len({simulate(CALLS, way, 1).computed for way in WAYS}) == 1


def test_a_hint_saves_more_than_none_where_there_are_several_replicas():
    assert simulate(CALLS, "by the conversation", 8).computed < simulate(CALLS, "round robin", 8).computed / 2
