"""A real ``hermes gateway run`` with people in rooms: what they say goes in, what it answers comes out."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import IO, Any

from .hermes_process import Hermes, kill_with_children

COMMAND = ("gateway", "run", "-v")

READY = "Press Ctrl+C to stop"
"""What the gateway logs, at INFO, when everything that it does at its start is behind it (0.19 and 0.22)."""


@dataclass(frozen=True, slots=True)
class Room:
    """A chat: its id, name and type (``group``, ``dm``, ``channel``), and a thread in it if that is meant."""

    chat_id: str
    chat_name: str
    chat_type: str = "group"
    thread_id: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes, as the platform knows them."""

    user_id: str
    user_name: str
    user_id_alt: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that Hermes sent to a room; ``answers`` is the message that it belongs to, where the host tells."""

    chat_id: str
    text: str
    answers: str | None


@dataclass(slots=True)
class Said:
    """A message that a person wrote, and what came of it."""

    message_id: str
    replies: list[str] = field(default_factory=list)
    outcome: str | None = None


class Gateway:
    """The people's side of a running gateway. Every method may be called from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._numbers = count(1)
        self._said: dict[str, Said] = {}
        self._sent: list[Sent] = []
        self._ended = False

    def say(self, person: Person, room: Room, text: str, *, seconds: float = 180) -> str:
        """Write a message and wait until the host is done with it: all that it was answered, "" when nothing was.

        Raises TimeoutError, also for what the host takes into another message's turn: what a person writes while the
        same conversation's turn is running.
        """
        return self.answer(self.post(person, room, text), seconds=seconds)

    def post(self, person: Person, room: Room, text: str) -> Said:
        """Write a message and do not wait."""
        with self._changed:
            said = Said(f"$message-{next(self._numbers)}")
            self._said[said.message_id] = said
            line = {
                "message_id": said.message_id,
                "text": text,
                "user_id": person.user_id,
                "user_name": person.user_name,
                "user_id_alt": person.user_id_alt,
                "chat_id": room.chat_id,
                "chat_name": room.chat_name,
                "chat_type": room.chat_type,
                "thread_id": room.thread_id,
            }
            self._connection.sendall(json.dumps(line).encode() + b"\n")
        return said

    def answer(self, said: Said, *, seconds: float = 180) -> str:
        """What a posted message was answered, waiting until the host is done with it. Raises TimeoutError."""
        with self._changed:
            self._changed.wait_for(lambda: said.outcome or self._ended, seconds)
            if said.outcome is None:
                why = "the gateway ended" if self._ended else f"not done within {seconds} s"
                message = f"{said.message_id}: {why}; replies so far: {said.replies}"
                raise TimeoutError(message)
            return "\n".join(said.replies)

    def sent(self) -> tuple[Sent, ...]:
        """Everything that Hermes has sent to any room so far, in order."""
        with self._changed:
            return tuple(self._sent)

    def wait_for_message(self, room: Room, text: str, *, seconds: float = 180) -> Sent:
        """The first message to a room that holds ``text``, also one that nobody asked for. Raises TimeoutError."""

        def arrived() -> Sent | None:
            return next((sent for sent in self._sent if sent.chat_id == room.chat_id and text in sent.text), None)

        with self._changed:
            found = self._changed.wait_for(arrived, seconds)
        if found is None:
            message = f"{room.chat_name} was not sent {text!r} within {seconds} s; sent so far: {self.sent()}"
            raise TimeoutError(message)
        return found

    def listen(self) -> None:
        """Take in what the gateway tells until it closes the connection."""
        with self._connection.makefile("rb") as lines:
            for line in lines:
                self._take(json.loads(line))
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, event: dict[str, Any]) -> None:
        with self._changed:
            if event["event"] == "message":
                sent = Sent(event["chat_id"], event["text"], event["answers"])
                self._sent.append(sent)
                if sent.answers in self._said:
                    self._said[sent.answers].replies.append(sent.text)
            elif event["message_id"] in self._said:
                self._said[event["message_id"]].outcome = event["outcome"]
            self._changed.notify_all()


@contextmanager
def running_gateway(hermes: Hermes, *, seconds: float = 180) -> Iterator[Gateway]:
    """``hermes gateway run`` with the loopback platform, from when it takes messages until the block is left.

    Raises HermesRunError, with all that it wrote, when it does not start within ``seconds`` or does not stop cleanly.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as opened:
        listening.settimeout(seconds)
        env = {**hermes.env, "LOOPBACK_PORT": str(listening.getsockname()[1])}
        with running_service(replace(hermes, env=env), seconds=seconds):
            connection = opened.enter_context(listening.accept()[0])
            gateway = Gateway(connection)
            listener = threading.Thread(target=gateway.listen, name="gateway-listener", daemon=True)
            listener.start()
            yield gateway
        listener.join()


@contextmanager
def running_service(hermes: Hermes, *, seconds: float = 180) -> Iterator[None]:
    """``hermes gateway run`` with whatever platforms are configured, from when it is ready until the block is left.

    Raises HermesRunError, with all that it wrote, when it does not start within ``seconds`` or does not stop cleanly.
    """
    process = hermes.start(*COMMAND)
    output, errors = _Lines(process.stdout), _Lines(process.stderr)
    try:
        if not errors.wait_for(READY, seconds):
            raise hermes.failure(COMMAND, "did not start", output.text(), errors.text())
        yield
        _stop(process, hermes, output, errors)
    finally:
        kill_with_children(process)
        process.wait()
        output.join()
        errors.join()


def _stop(process: subprocess.Popen[str], hermes: Hermes, output: _Lines, errors: _Lines) -> None:
    process.send_signal(signal.SIGINT)
    try:
        status = process.wait(60)
    except subprocess.TimeoutExpired:
        raise hermes.failure(COMMAND, "did not stop", output.text(), errors.text()) from None
    if status != 0:
        raise hermes.failure(COMMAND, f"stopped with status {status}", output.text(), errors.text())


class _Lines:
    """Reads a pipe in a thread, so that it never fills, and tells when a line has come by."""

    def __init__(self, pipe: IO[str] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def wait_for(self, part: str, seconds: float) -> bool:
        """Whether a line holding ``part`` came within ``seconds`` and before the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or any(part in line for line in self._lines), seconds)
            return any(part in line for line in self._lines)

    def text(self) -> str:
        with self._changed:
            return "".join(self._lines)

    def join(self) -> None:
        self._thread.join()
        self._pipe.close()

    def _read(self) -> None:
        for line in self._pipe:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
