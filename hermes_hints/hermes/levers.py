"""The user's lever: hints asked for by command, kept for whom and where they are meant, and taken by the turn they are for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from ..hints import merge_hints
from .orders import CLEAR, HINT, SHOW, Order, holds, last_of_user, latest, read_command, read_model, read_order
from .turns import Recent

__all__ = ["Levers", "Place"]

Place = tuple[str, str, str]
"""Platform, chat and user: a command counts for its sender, in the chat where it was sent."""

_STARTS = re.compile(r"(?:\A|\n\n)(?:\[[^\]\n]{1,200}\] )?")
"""Where a command may begin: the host joins messages by a blank line, and may put the sender's name before one."""
_QUOTED = re.compile(r'\[Replying to[^"\n]*: "(?s:.*)"\]\n\n|\A(?s:.*)^\[New message\]\n', re.MULTILINE)
"""What the host puts before a message, of others' words: a quotation, up to the last mark that could end it, or a channel's."""
_NOTHING_ASKED = "(no question)"

_HERE: Place = ("", "", "")
"""A program with one user and no chats, such as the command line."""


@dataclass(frozen=True, slots=True)
class _Message:
    """A message, by the host's words."""

    place: Place
    message_id: str


_arrived: ContextVar[_Message | None] = ContextVar("hermes_hints_arrived", default=None)
"""The message that the running task is about, for command handlers, which are only told their arguments."""


class Levers:
    """What users asked for, until a turn takes it.

    ``commands`` are the operator's short forms with their hints, ``context`` reads the session context of the running
    code, ``confirm`` has an answer say which model gave it when hints were asked for.
    """

    def __init__(
        self,
        commands: Mapping[str, Mapping[str, Any]],
        context: Callable[[], Mapping[str, str]],
        *,
        confirm: bool = False,
    ) -> None:
        self._presets: dict[str, Mapping[str, Any] | None] = {HINT: None, **commands}
        self._context = context
        self._confirm = confirm
        self._lock = threading.Lock()
        self._next: Recent[Place, Mapping[str, Any]] = Recent()
        self._lasting: Recent[Place, Mapping[str, Any]] = Recent()
        self._models: Recent[Place, str] = Recent()
        self._model_once: Recent[Place, str] = Recent()
        self._asked: Recent[_Message, Order] = Recent()
        self._answered: Recent[_Message, bool] = Recent()
        self._turns: Recent[str, Mapping[str, Any]] = Recent()
        self._served: Recent[str, str] = Recent()
        self._prefixed: Recent[str | None, bool] = Recent()
        self._heard: Recent[str, bool] = Recent()
        self._places: Recent[str, Place] = Recent()
        self._signed: Recent[int, int] = Recent()
        self._read: Recent[str, str] = Recent()

    @property
    def commands(self) -> Mapping[str, Callable[[str], str]]:
        """The host's command handlers, by name; each is run after the sender is authorised."""
        return {name: partial(self._obeyed_here, name) for name in self._presets}

    def arrived(self, *, event: Any, gateway: object = None, **_: Any) -> dict[str, str] | None:
        """A message has come in, from whomever (hook ``pre_gateway_dispatch``, before the sender is authorised).

        A command with a question becomes the question, and its hints wait under the message's own id for the turn that
        answers it. What somebody sends who may not is not even remembered.
        """
        message = _message(event)
        _arrived.set(message)
        command = _command(event, gateway)
        if command is None:
            return None
        if command[0] == "model":
            self._model_asked(message.place, command[1])
        question = self._question(message, *command)
        return None if question is None else {"action": "rewrite", "text": question}

    def interjected(self, *, event: Any, gateway: object) -> str | None:
        """A message has come in during its sender's turn: what to answer it with, if the host is to do nothing about it.

        A command with a question becomes the question, in the event itself, and its hints wait for the turn that answers it.
        A command alone is obeyed.
        """
        command = _command(event, gateway)
        if command is None or command[0] not in self._presets:
            return None
        message = _message(event)
        question = self._question(message, *command)
        if question is None:
            return self._obeyed(message.place, *command)
        event.text = question
        return None

    def _question(self, message: _Message, name: str, arguments: str) -> str | None:
        """What a command asks besides, with its hints left for the turn that answers it; ``None`` where it stands alone."""
        if name not in self._presets:
            return None
        try:
            order = read_order(name, arguments, self._presets[name])
        except ValueError:
            return None  # what obeys a command alone answers with the reason
        if not order.question:
            return None
        with self._lock:
            self._asked.put(message, order)
        return order.question

    def _model_asked(self, place: Place, arguments: str) -> None:
        wish = read_model(arguments)
        if wish is None:
            return
        model, once = wish
        with self._lock:
            self._model_once.pop(place, None)
            (self._model_once if once else self._models).put(place, model[:512])

    def session_reset(self, **_: Any) -> None:
        """The sender of the message at hand begins a new session, on the usual model (hook ``on_session_reset``)."""
        message = _arrived.get()
        place = _HERE if message is None else message.place
        with self._lock:
            for models in (self._models, self._model_once):
                models.pop(place, None)

    def turn_started(
        self,
        *,
        session_id: str | None = None,
        turn_id: str | None = None,
        sender_id: str | None = None,
        user_message: object = None,
        conversation_history: object = None,
        platform: str | None = None,
        **_: Any,
    ) -> None:
        """A turn begins (hook ``pre_llm_call``): it takes what its own sender asked for in this chat.

        A message that came while another turn was under way is read here, and the command taken out of what the model sees.
        """
        if platform in ("cron", "subagent") or not turn_id:
            return
        context = self._context()
        place = (context.get("platform", ""), context.get("chat_id", ""), sender_id or context.get("user_id", ""))
        message = _Message(place, context.get("message_id", ""))
        text = user_message if isinstance(user_message, str) else ""
        read = _arrived.get() == message and message not in self._answered
        with self._lock:
            order = self._take(message, text)
            if read:  # by the host: what looks like a command in it is none
                self._read.put(turn_id, text)
            elif order is None:
                order = self._spoken(text, session_id, conversation_history)
            if order is not None and order.lasting:
                self._lasting.put(place, order.hints)
            taken = dict(self._lasting.get(place, {}))
            model = self._model_once.pop(place, None) or self._models.get(place)
            if model is not None:
                taken["requested_model"] = model
            if order is not None:
                merge_hints(taken, order.hints)
            self._places.put(turn_id, place)
            self._taken(turn_id, session_id, taken)

    def _taken(self, turn_id: str, session_id: str | None, hints: Mapping[str, Any]) -> None:
        self._turns.put(turn_id, hints)
        if session_id:
            self._turns.put(session_id, hints)

    def joined(self, turn_id: str | None, session_id: str | None, said: object) -> None:
        """A turn's next request is made, with ``said`` to the model: hints of what its sender has asked meanwhile count.

        The host may join a message that comes during a turn to that turn, to what was said or to a tool's result.
        """
        if not self._asked or not turn_id or not isinstance(said, list):
            return
        texts = latest(cast("list[object]", said))
        place = self._places.get(turn_id)
        with self._lock:
            for message, order in list(self._asked.items()):
                if message.place == place and any(holds(text, order.question) for text in texts):
                    self._join(turn_id, session_id, self._asked.pop(message), place)

    def _join(self, turn_id: str, session_id: str | None, order: Order, place: Place | None) -> None:
        if order.lasting and place is not None:
            self._lasting.put(place, order.hints)
        self._taken(turn_id, session_id, merge_hints(dict(self._turns.get(turn_id, {})), order.hints))

    def heard(self, turn_id: str | None, session_id: str | None, messages: object) -> list[object] | None:
        """The messages of a request without commands and last lines of `confirmed`; ``None`` where there are none.

        Commands are there where the host runs none, such as ``hermes -z``, and last lines where it keeps an answer as it was
        sent (0.22); a model that reads them takes to writing them.
        """
        if not isinstance(messages, list):
            return None
        found = cast("list[object]", messages)
        said = self._unprefixed(last_of_user(found), self._read.get(turn_id or "", ""))
        if said is not None and turn_id:
            with self._lock:
                self._prefixed.put(session_id, True)
                if turn_id not in self._heard:
                    self._heard.put(turn_id, True)
                    self._join(turn_id, session_id, said[0], self._places.get(turn_id))
        commands = session_id in self._prefixed
        if not commands and not self._signed:
            return None
        plain = [self._plain(message, commands=commands) for message in found]
        return plain if any(new is not old for new, old in zip(plain, found, strict=True)) else None

    def _unprefixed(self, text: str, read: str = "") -> tuple[Order, str] | None:
        """A command that begins a message or a paragraph of it, and the text without it.

        Others' words that the host quotes before it are left alone, and what comes before the end of ``read``.
        """
        quoted = _QUOTED.search(text)
        own = max(quoted.end() if quoted else 0, text.rfind(read) + len(read) if read and read in text else 0)
        for start in _STARTS.finditer(text):
            if start.end() < own:
                continue
            command = read_command(text[start.end() :])
            if command is None or command[0] not in self._presets:
                continue
            try:
                order = read_order(*command, self._presets[command[0]])
            except ValueError:
                continue
            return order, text[: start.end()] + (order.question or _NOTHING_ASKED)
        return None

    def _spoken(self, text: str, session_id: str | None, history: object) -> Order | None:
        """A command in a message that the host did not read as one; it is taken out of the host's own copy, too."""
        said = self._unprefixed(text)
        if said is None:
            return None
        order, plain = said
        self._prefixed.put(session_id, True)
        last = cast("list[object]", history)[-1] if isinstance(history, list) and history else None
        if isinstance(last, dict) and cast("dict[str, object]", last).get("content") == text:
            cast("dict[str, object]", last)["content"] = plain
        return order

    def _plain(self, message: object, *, commands: bool) -> object:
        if not isinstance(message, dict):
            return message
        fields = cast("dict[str, object]", message)
        content = fields.get("content")
        if not isinstance(content, str):
            return fields
        if fields.get("role") == "assistant":
            own = self._signed.get(hash(content))
            return fields if own is None else {**fields, "content": content[:own]}
        said = self._unprefixed(content) if commands and fields.get("role") == "user" else None
        return fields if said is None else {**fields, "content": said[1]}

    def _take(self, message: _Message, text: str) -> Order | None:
        order = self._asked.pop(message, None)
        if order is not None:
            self._answered.put(message, True)
            return order
        # A message that waited for another one's turn is answered in the context of that one: its text tells it.
        for waiting, asked in list(self._asked.items()):
            if waiting.place == message.place and holds(text, asked.question):
                return self._asked.pop(waiting)
        # A turn that no message of the user brought about, such as a subagent's report, comes under an answered one.
        if message.message_id and message in self._answered:
            return None
        self._answered.put(message, True)
        hints = self._next.pop(message.place, None)
        return None if hints is None else Order(hints, lasting=False, question="")

    def subagent_started(
        self, *, child_session_id: str | None = None, parent_session_id: str | None = None, **_: Any
    ) -> None:
        """A subagent works on its parent's turn (hook ``subagent_start``)."""
        with self._lock:
            taken = self._turns.get(parent_session_id or "")
            if child_session_id and taken is not None:
                self._turns.put(child_session_id, taken)

    def wishes(self, turn_id: str | None, session_id: str | None) -> Mapping[str, Any]:
        """The hints of a turn, or of the turn that a subagent's session works on."""
        own = self._turns.get(turn_id or "")
        return self._turns.get(session_id or "", {}) if own is None else own

    def answered(self, *, session_id: str | None = None, response_model: object = None, **_: Any) -> None:
        """A call was answered (hook ``post_api_request``)."""
        if session_id and isinstance(response_model, str):
            self._served.put(session_id, response_model)

    def confirmed(self, *, response_text: str = "", session_id: str | None = None, **_: Any) -> str | None:
        """The reply with a last line that tells which model gave it (hook ``transform_llm_output``), where asked for."""
        served = self._served.get(session_id or "")
        if not self._confirm or served is None or "command_origin" not in self.wishes(None, session_id):
            return None
        signed = f"{response_text}\n\n({served})"
        self._signed.put(hash(signed), len(response_text))
        return signed

    def _obeyed_here(self, name: str, arguments: str) -> str:
        message = _arrived.get()
        return self._obeyed(_HERE if message is None else message.place, name, arguments)

    def _obeyed(self, place: Place, name: str, arguments: str) -> str:
        try:
            order = read_order(name, arguments.strip(), self._presets[name])
        except ValueError as error:
            return f"/{name}: {error}"
        with self._lock:
            if order.asks == SHOW:
                return self._shown(place)
            if order.asks == CLEAR:
                gone = [store.pop(place, None) for store in (self._next, self._lasting)]
                return "Hints cleared." if any(gone) else "No hints were set."
            (self._lasting if order.lasting else self._next).put(place, order.hints)
        until = "until /hint clear" if order.lasting else "for your next message"
        again = " Now send the question." if order.question else ""
        return f"{_told(order.hints)}, {until}.{again}"

    def _shown(self, place: Place) -> str:
        stores = (("next message", self._next), ("until /hint clear", self._lasting))
        lines = [f"{when}: {_told(store[place])}" for when, store in stores if place in store]
        return "\n".join(lines) or "No hints are set. /hint force-cloud sets one for your next message."


def _command(event: Any, gateway: object) -> tuple[str, str] | None:
    """A message's command with what follows, where its sender may use it."""
    command = read_command(event.text or "")
    return None if command is None or not _may(gateway, event.source, command[0]) else command


def _message(event: Any) -> _Message:
    source = event.source
    platform = getattr(source.platform, "value", source.platform)
    message_id = getattr(event, "message_id", None) or getattr(source, "message_id", None)
    return _Message((str(platform or ""), str(source.chat_id or ""), str(source.user_id or "")), str(message_id or ""))


def _may(gateway: object, source: object, command: str) -> bool:
    """Whether the host would let this sender use this command, where it has a way to ask."""
    asked = getattr(gateway, "_is_user_authorized_for_source", None) or getattr(gateway, "_is_user_authorized", None)
    if callable(asked) and not asked(source):
        return False
    refused = getattr(gateway, "_check_slash_access", None)
    return not (callable(refused) and refused(source, command))


def _told(hints: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in hints.items() if name != "command_origin")
