"""Run with a base URL in an environment with Langfuse's SDK: two people's turns, traced by it.

A turn is a main call, a title and a subagent's work in threads of their own; the second turn has a span of the program's own
around it.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable

from langfuse import Langfuse
from langfuse.openai import OpenAI
from opentelemetry.sdk.trace import TracerProvider

import hermes_hints
from hermes_hints.opentelemetry import HintSpans, TurnTraces


def in_a_thread(work: Callable[[], None]) -> None:
    """As a host starts a title or a subagent: in another thread, with the context of the turn."""
    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
    thread.start()
    thread.join()


def turn(client: OpenAI, who: dict[str, str], turn_id: str) -> None:
    def ask(purpose: str) -> None:
        with hermes_hints.calling(purpose=purpose):
            client.chat.completions.create(
                name=purpose, model="m", messages=[{"role": "user", "content": f"{purpose} of {turn_id}"}]
            )

    with hermes_hints.identify(**who), hermes_hints.calling(turn_id=turn_id):
        ask("main")
        in_a_thread(lambda: ask("title_generation"))
        in_a_thread(lambda: ask("subagent"))


def main() -> None:
    provider = TracerProvider(id_generator=TurnTraces())
    provider.add_span_processor(HintSpans("langfuse", tags=["platform", "purpose"]))
    langfuse = Langfuse(tracer_provider=provider)
    client = hermes_hints.wrap(OpenAI(base_url=sys.argv[1], api_key="k", max_retries=0))
    alice = {"user_id": "@alice:example.org", "chat_id": "!ops:example.org", "platform": "matrix"}
    bob = {"user_id": "@bob:example.org", "chat_id": "!lab:example.org", "platform": "matrix"}
    turn(client, {**alice, "conversation_id": "conversation-1"}, "turn-1")
    with (
        hermes_hints.identify(**bob, conversation_id="conversation-2"),
        hermes_hints.calling(turn_id="turn-2"),
        langfuse.start_as_current_observation(name="the program's own"),
    ):
        turn(client, bob, "turn-2")
    turn(client, {**alice, "conversation_id": "conversation-1"}, "turn-3")
    langfuse.flush()


if __name__ == "__main__":
    main()
