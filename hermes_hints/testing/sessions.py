"""Sessions of Hermes, and the calls that one turn of them makes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from ..identity import Identity
from .calls import FakeCall

__all__ = ["PLATFORMS", "FakeSession"]

_AGENT = {"agent": "hermes-agent/0.22.2", "profile": "default"}

PLATFORMS: Mapping[str, Mapping[str, str]] = {
    "matrix": {
        "user_id": "@alice:example.org",
        "user_name": "Alice Example",
        "chat_id": "!ops:example.org",
        "chat_name": "Operations",
        "chat_type": "group",
        "message_id": "$b3JkaW5hcnktZXZlbnQ",
        "session_key": "agent:main:matrix:group:!ops:example.org:@alice:example.org",
        "session_id": "20261121_012008_d4149b13",
    },
    "telegram": {
        "user_id": "771002934",
        "user_name": "Bob Миронов",
        "chat_id": "771002934",
        "chat_name": "Bob Миронов",
        "chat_type": "dm",
        "message_id": "50871",
        "session_key": "agent:main:telegram:dm:771002934",
        "session_id": "20261121_074455_0be1c2",
    },
    "slack": {
        "user_id": "U024BE7LH",
        "user_name": "carol",
        "chat_id": "C061EG9SL",
        "chat_name": "incidents",
        "chat_type": "group",
        "thread_id": "1795244042.000200",
        "message_id": "1795244101.000400",
        "session_key": "agent:main:slack:group:C061EG9SL:1795244042.000200",
        "session_id": "20261121_080211_7f30aa",
    },
    "cli": {"session_id": "20261121_091500_5362db"},
    "api_server": {
        "chat_id": "api-13516c0a9f48266d",
        "session_key": "api-13516c0a9f48266d",
        "session_id": "api-13516c0a9f48266d",
    },
    "cron": {"session_id": "cron_c5a549b80eaa_20261121_051341"},
}
"""The platforms that there are sessions of, and who and where each one's is: as Hermes 0.19 and 0.22 tell them.

A direct message is in a chat of its own, a thread is part of a chat, and ``cli``, ``cron`` and ``api_server`` know no user.
"""

_TEXT = "Why does the nightly build fail since Thursday?"
_SYSTEM = "You are Hermes, an agent. Use your tools where they help."
_TITLE = "Generate a short, descriptive title (3-7 words) for a conversation that starts with this exchange."
_COMPRESSION = "Summarise the conversation so far, so that it can go on from the summary alone."
_TOOL = {
    "type": "function",
    "function": {"name": "terminal", "description": "Run a command.", "parameters": {"type": "object"}},
}


class FakeSession:
    """A person's session on one of `PLATFORMS`, and the calls that its turns make.

    Fields of `Identity` replace the platform's: ``FakeSession("matrix", user_id="@bob:example.org")``. All ids are derived
    from them, so the same session makes the same calls each time.

    Raises:
        ConfigError: there are no sessions of that platform.
        pydantic.ValidationError: a field that does not exist, or a value that it does not take.
    """

    def __init__(self, platform: str = "matrix", **fields: Any) -> None:
        if platform not in PLATFORMS:
            msg = f"platform is {platform!r}; use one of {', '.join(PLATFORMS)}"
            raise ConfigError(msg)
        self.platform = platform
        self.identity = Identity(**{"platform": platform, **PLATFORMS[platform], **_AGENT, **fields})

    def turn(
        self,
        text: str = _TEXT,
        *,
        number: int = 1,
        steps: int = 2,
        subagents: int = 1,
        compression: bool = False,
        model: str = "some-model",
    ) -> list[FakeCall]:
        """The calls of the ``number``-th turn, in which the user says ``text``, in the order in which they leave.

        ``compression`` of what was said before comes first. Then come ``steps`` main calls, each with what tools answered to
        the one before. A conversation's first turn asks for a title beside the first step, and ``subagents`` make a call
        each before the last. What is on a schedule has no title, and its main calls have the purpose ``cron``.
        """
        return list(self._calls(text, number, steps, subagents, compression, model))

    def _calls(
        self, text: str, number: int, steps: int, subagents: int, compression: bool, model: str
    ) -> Iterator[FakeCall]:
        session = self.identity.session_id or "none"
        joining = {"turn_id": f"{session}:{session}:{_digits(session, number)}", "task_id": session}
        if compression:
            yield self._aside("compression", joining, [_COMPRESSION, f"user: {text}"], model)
        main = "cron" if self.platform == "cron" else "main"
        for step in range(1, steps + 1):
            if step == steps:
                yield from (self._subagent(child, number, model) for child in range(subagents))
            facts = {**joining, "request_id": f"{joining['turn_id']}:api:{step}", "call": step, "purpose": main}
            messages = [_message("system", _SYSTEM), _message("user", text), *_tool_answers(step - 1)]
            body = {"model": model, "messages": messages, "tools": [_TOOL], "stream": self.platform != "cron"}
            yield FakeCall(self.identity, facts, body)
            if step == number == 1 and main == "main":
                yield self._aside("title_generation", joining, [_TITLE, f"User: {text}\n\nAssistant: …"], model)

    def _aside(self, purpose: str, joining: Mapping[str, str], said: list[str], model: str) -> FakeCall:
        facts = {**joining, "request_id": _digits(joining["turn_id"], purpose, length=32), "purpose": purpose}
        messages = [_message("system", said[0]), _message("user", said[1])]
        return FakeCall(self.identity, facts, {"model": model, "messages": messages})

    def _subagent(self, child: int, number: int, model: str) -> FakeCall:
        root = self.identity
        session = f"20261121_092301_{_digits(root.session_id, number, child, length=6)}"
        turn = f"{session}:sa-{child}-{_digits(session)}:{_digits(session, 'turn')}"
        own = {"session_id": session, "conversation_id": root.conversation_id, "parent_session_id": root.session_id}
        facts = {"turn_id": turn, "task_id": turn.split(":")[1], "request_id": f"{turn}:api:1", "call": 1}
        messages = [_message("system", _SYSTEM), _message("user", f"Part {child + 1}: read the log and report.")]
        body = {"model": model, "messages": messages, "tools": [_TOOL]}
        return FakeCall(Identity(**{**root.fields(), **own}), {**facts, "purpose": "subagent"}, body)


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def _tool_answers(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        call = {"name": "terminal", "arguments": '{"command": "make test"}'}
        asked = {"id": f"call_{number}", "type": "function", "function": call}
        yield {"role": "assistant", "content": None, "tool_calls": [asked]}
        yield {"role": "tool", "tool_call_id": f"call_{number}", "content": "make: *** [test] Error 2"}


def _digits(*parts: object, length: int = 8) -> str:
    """Hexadecimal digits that are the same for the same parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:length]
