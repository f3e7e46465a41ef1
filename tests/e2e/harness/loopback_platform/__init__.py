"""Test only: a Hermes user plugin that is a chat platform on loopback.

The adapter dials out, as the adapters of real chat networks do, to the test's own socket at
``127.0.0.1:$LOOPBACK_PORT``. One JSON object a line, UTF-8, in both directions:

- in, a person's message: ``message_id`` and ``text``, and as ``SessionSource`` names them ``user_id``, ``user_name``,
  ``user_id_alt``, ``chat_id``, ``chat_name``, ``chat_type``, ``thread_id``;
- out, ``{"event": "message", "chat_id", "text", "answers"}`` for what the agent sends, ``answers`` being the message_id
  of the turn that it was sent in (null outside a turn);
- out, ``{"event": "done", "message_id", "outcome"}`` when the host has finished with a message.

Who may speak: ``LOOPBACK_ALLOWED_USERS`` (comma separated) or ``LOOPBACK_ALLOW_ALL_USERS=true``. Where cron jobs deliver
to: ``LOOPBACK_HOME_CHANNEL``.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextvars import ContextVar
from itertools import count
from typing import Any

from gateway.config import Platform, PlatformConfig
from gateway.platforms.base import BasePlatformAdapter, MessageEvent, ProcessingOutcome, SendResult
from hermes_cli.commands import should_bypass_active_session

PLATFORM = "loopback"
SOURCE_FIELDS = ("chat_id", "chat_name", "chat_type", "user_id", "user_name", "user_id_alt", "thread_id", "message_id")

_turn: ContextVar[str | None] = ContextVar("loopback_turn", default=None)


class LoopbackAdapter(BasePlatformAdapter):
    """Carries messages between the test's socket and the gateway."""

    def __init__(self, config: PlatformConfig) -> None:
        super().__init__(config, Platform(PLATFORM))
        self._sent = count(1)
        self._answered_at_once: set[str] = set()
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, *, is_reconnect: bool = False) -> bool:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", int(os.environ["LOOPBACK_PORT"]))
        self._reader = asyncio.create_task(self._read(reader))
        self._mark_connected()
        return True

    async def disconnect(self) -> None:
        self._mark_disconnected()
        if self._reader is not None:
            self._reader.cancel()
        if self._writer is not None:
            self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            await self._hear(json.loads(line))

    async def _hear(self, said: dict[str, Any]) -> None:
        source = self.build_source(**{name: said[name] for name in SOURCE_FIELDS if said.get(name) is not None})
        event = MessageEvent(text=said["text"], source=source, message_id=said["message_id"], raw_message=said)
        await self.handle_message(event)
        # A command written during a turn is answered within handle_message, with no processing hook called for it.
        if event.message_id in self._answered_at_once and should_bypass_active_session(event.get_command()):
            self._tell(event="done", message_id=event.message_id, outcome="success")

    async def on_processing_start(self, event: MessageEvent) -> None:
        _turn.set(event.message_id)

    async def on_processing_complete(self, event: MessageEvent, outcome: ProcessingOutcome) -> None:
        # Until the task has ended, the host takes the next message of this conversation for an interruption.
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(
            lambda _task: self._tell(event="done", message_id=event.message_id, outcome=outcome.value)
        )

    async def send(
        self, chat_id: str, content: str, reply_to: str | None = None, metadata: dict[str, Any] | None = None
    ) -> SendResult:
        turn = _turn.get()
        if turn is None and reply_to is not None:
            self._answered_at_once.add(reply_to)
        self._tell(event="message", chat_id=chat_id, text=content, answers=turn or reply_to)
        return SendResult(success=True, message_id=f"$sent-{next(self._sent)}")

    async def get_chat_info(self, chat_id: str) -> dict[str, Any]:
        return {"name": chat_id, "type": "group"}

    def _tell(self, **event: object) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(event).encode() + b"\n")


def register(ctx: Any) -> None:
    """Called by the host when the plugin is enabled."""

    def has_port(_config: object = None) -> bool:
        return "LOOPBACK_PORT" in os.environ

    ctx.register_platform(
        name=PLATFORM,
        label="Loopback",
        adapter_factory=LoopbackAdapter,
        check_fn=has_port,
        is_connected=has_port,
        required_env=["LOOPBACK_PORT"],
        allowed_users_env="LOOPBACK_ALLOWED_USERS",
        allow_all_env="LOOPBACK_ALLOW_ALL_USERS",
        cron_deliver_env_var="LOOPBACK_HOME_CHANNEL",
    )
