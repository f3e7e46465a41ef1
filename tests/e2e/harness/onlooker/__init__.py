"""Test only: a Hermes user plugin with one tool, ``look_around``, that answers with the session context it runs in."""

from __future__ import annotations

import json
from typing import Any

from gateway.session_context import get_session_env

SCHEMA = {
    "name": "look_around",
    "description": "Say where this is.",
    "parameters": {"type": "object", "properties": {}},
}
READ = ("PLATFORM", "USER_ID", "USER_NAME", "CHAT_ID", "KEY")


def register(ctx: Any) -> None:
    """Called by the host when the plugin is enabled."""

    def look_around(_arguments: dict[str, Any], **_: Any) -> str:
        return json.dumps({name.lower(): get_session_env(f"HERMES_SESSION_{name}", "") for name in READ})

    ctx.register_tool(name="look_around", toolset="onlooker", schema=SCHEMA, handler=look_around, description="Look.")
