"""Test only: a memory provider that appends to ``remembered.jsonl`` in its home for whom it is made, and what it sees then.

What it sees is ``HERMES_SESSION_USER_ID`` of the session context: when it is made, and when it is asked what it remembers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.memory_provider import MemoryProvider
from gateway.session_context import get_session_env

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
        self._file = Path(told["hermes_home"]) / "remembered.jsonl"
        self._session_id = session_id
        self._write("made", {field: told[field] for field in FIELDS if told.get(field)})

    def prefetch(self, query: str, *, session_id: str = "") -> str:
        """Nothing."""
        self._write("asked", {"query": query})
        return ""

    def _write(self, event: str, told: dict[str, Any]) -> None:
        sees = get_session_env("HERMES_SESSION_USER_ID", "")
        line = {"event": event, "session_id": self._session_id, "sees": sees, "told": told}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def get_tool_schemas(self) -> list[dict[str, Any]]:
        """No tools."""
        return []


def register(ctx: Any) -> None:
    """Called by the host when it is the memory to use."""
    ctx.register_memory_provider(Remembering())
