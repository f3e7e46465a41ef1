"""Test only: a memory provider that appends, each time it is made, for whom, to ``remembered.jsonl`` in its home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.memory_provider import MemoryProvider

FIELDS = ("user_id", "user_name", "chat_id", "chat_name", "thread_id")


class Remembering(MemoryProvider):
    """Remembers nothing."""

    @property
    def name(self) -> str:
        """As in ``memory.provider``."""
        return "remembering"

    def is_available(self) -> bool:
        """Whether it can be used: always."""
        return True

    def initialize(self, session_id: str, **told: Any) -> None:
        """Write down for whom."""
        made = {"session_id": session_id, **{field: told[field] for field in FIELDS if told.get(field)}}
        with (Path(told["hermes_home"]) / "remembered.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(made) + "\n")

    def get_tool_schemas(self) -> list[dict[str, Any]]:
        """No tools."""
        return []


def register(ctx: Any) -> None:
    """Called by the host when it is the memory to use."""
    ctx.register_memory_provider(Remembering())
