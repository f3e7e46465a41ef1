"""A real Matrix homeserver on loopback, and what the people on it do: talk, edit, reply, and wait for what comes.

Sources: Matrix Client-Server API v1.11 (register, createRoom, join, send, sync), Synapse's configuration manual.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from .environments import Environment

SYNAPSE = "matrix-synapse==1.163.2"
SERVER_NAME = "example.org"

LISTENING = re.compile(r"Synapse now listening on TCP port (\d+)")
PASSWORD = "correct horse battery staple"
POLL_SECONDS = 0.05
MESSAGE = "m.room.message"
WHOLE_TIMELINE = json.dumps({"room": {"timeline": {"limit": 1000}}})


class SynapseError(AssertionError):
    """The homeserver did not start or refused a request; the message holds what it wrote."""


@dataclass(frozen=True, slots=True)
class MatrixEvent:
    """One event of a room's timeline."""

    room_id: str
    event_id: str
    sender: str
    kind: str
    content: dict[str, Any]

    @property
    def text(self) -> str:
        return str(self.content.get("body", ""))

    @property
    def relation(self) -> dict[str, Any]:
        return self.content.get("m.relates_to") or {}

    @property
    def answers(self) -> str | None:
        """The event that this message is a reply to."""
        return (self.relation.get("m.in_reply_to") or {}).get("event_id")

    @property
    def reacts_to(self) -> str | None:
        """The event that this reaction stands under."""
        return self.relation.get("event_id") if self.kind == "m.reaction" else None


class Account:
    """One person's own client. Use it from one thread at a time."""

    def __init__(self, client: httpx.Client, user_id: str, access_token: str) -> None:
        self.user_id = user_id
        self.access_token = access_token
        self._client = client
        self._numbers = count(1)
        self._since: str | None = None
        self._seen: list[MatrixEvent] = []

    def set_display_name(self, name: str) -> None:
        """What other people see instead of the id, in rooms joined from now on."""
        self._call("PUT", f"/profile/{quote(self.user_id)}/displayname", {"displayname": name})

    def create_room(self, name: str, invited: Sequence[Account]) -> str:
        """A new private room with a name: its id. Who is invited has still to join."""
        wanted = {"name": name, "preset": "private_chat", "invite": [other.user_id for other in invited]}
        return str(self._call("POST", "/createRoom", wanted)["room_id"])

    def join(self, room_id: str) -> None:
        """Accept an invitation."""
        self._call("POST", f"/rooms/{quote(room_id)}/join", {})

    def send(self, room_id: str, text: str) -> str:
        """Write a message: its event id."""
        return self._send(room_id, {"msgtype": "m.text", "body": text})

    def edit(self, room_id: str, event_id: str, text: str) -> str:
        """Replace the text of a message, as clients write it: the edit's own event id."""
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        return self._send(
            room_id, {"msgtype": "m.text", "body": f"* {text}", "m.new_content": new, "m.relates_to": relation}
        )

    def reply(self, room_id: str, to: MatrixEvent, text: str) -> str:
        """Answer somebody's message, with the quotation that clients put before a reply: the reply's own event id."""
        quoted = "\n".join(f"> {line}" for line in f"<{to.sender}> {to.text}".splitlines())
        relation = {"m.in_reply_to": {"event_id": to.event_id}}
        return self._send(room_id, {"msgtype": "m.text", "body": f"{quoted}\n\n{text}", "m.relates_to": relation})

    def wait_for(self, wanted: Callable[[MatrixEvent], bool], *, seconds: float = 30) -> MatrixEvent:
        """The first event that is ``wanted`` in any joined room, waiting for it if need be. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while True:
            found = next(filter(wanted, self._seen), None)
            if found is not None:
                return found
            left = end - time.monotonic()
            if left <= 0:
                seen = [(event.sender, event.kind, event.text[:60]) for event in self._seen[-20:]]
                message = f"{self.user_id} saw no such event within {seconds} s; the last ones: {seen}"
                raise TimeoutError(message)
            self._sync(min(left, 10))

    def timeline(self) -> tuple[MatrixEvent, ...]:
        """Everything that has come to joined rooms by now, in order."""
        self._sync(0)
        return tuple(self._seen)

    def _sync(self, seconds: float) -> None:
        parameters = {"timeout": str(int(seconds * 1000)), "filter": WHOLE_TIMELINE}
        if self._since is not None:
            parameters["since"] = self._since
        come = self._call("GET", "/sync", None, parameters)
        self._since = come["next_batch"]
        for room_id, room in come.get("rooms", {}).get("join", {}).items():
            for event in room["timeline"]["events"]:
                self._seen.append(
                    MatrixEvent(room_id, event["event_id"], event["sender"], event["type"], event["content"])
                )

    def _send(self, room_id: str, content: dict[str, Any]) -> str:
        place = f"/rooms/{quote(room_id)}/send/{MESSAGE}/{next(self._numbers)}"
        return str(self._call("PUT", place, content)["event_id"])

    def _call(
        self, method: str, path: str, body: object = None, parameters: dict[str, str] | None = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.access_token}"}
        answer = self._client.request(
            method, f"/_matrix/client/v3{path}", json=body, params=parameters, headers=headers
        )
        return _good(answer)


class Synapse:
    """A homeserver that takes people in."""

    def __init__(self, base_url: str, client: httpx.Client) -> None:
        self.base_url = base_url
        self._client = client

    def register(self, name: str, display_name: str | None = None) -> Account:
        """A new account ``@name:example.org``, logged in."""
        wanted = {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        given = _good(self._client.post("/_matrix/client/v3/register", json=wanted))
        account = Account(self._client, given["user_id"], given["access_token"])
        if display_name is not None:
            account.set_display_name(display_name)
        return account


@contextmanager
def running_synapse(host: Environment, directory: Path, *, seconds: float = 60) -> Iterator[Synapse]:
    """A new homeserver with its database and log in ``directory``, from when it answers until the block is left.

    It listens on a port that the system chose, talks to no other server, and takes anybody in.
    """
    directory.mkdir(parents=True)
    (directory / "homeserver.yaml").write_text(json.dumps(_configuration(directory)), "utf-8")
    log = directory / "homeserver.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [host.python, "-m", "synapse.app.homeserver", "-c", directory / "homeserver.yaml"],
            cwd=directory,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        base_url = _wait_until_it_answers(process, log, seconds)
        with httpx.Client(base_url=base_url, trust_env=False, timeout=60) as client:
            yield Synapse(base_url, client)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _configuration(directory: Path) -> dict[str, Any]:
    unlimited = {"per_second": 1000, "burst_count": 1000}
    limits = ("rc_message", "rc_registration", "rc_admin_redaction")
    return {
        "server_name": SERVER_NAME,
        "listeners": [
            {"port": 0, "type": "http", "bind_addresses": ["127.0.0.1"], "resources": [{"names": ["client"]}]}
        ],
        "database": {"name": "sqlite3", "args": {"database": str(directory / "homeserver.db")}},
        "media_store_path": str(directory / "media"),
        "pid_file": str(directory / "homeserver.pid"),
        "signing_key": "ed25519 a_test " + base64.b64encode(os.urandom(32)).decode().rstrip("="),
        "macaroon_secret_key": os.urandom(16).hex(),
        "form_secret": os.urandom(16).hex(),
        "enable_registration": True,
        "enable_registration_without_verification": True,
        "bcrypt_rounds": 4,
        "federation_domain_whitelist": [],
        "trusted_key_servers": [],
        "report_stats": False,
        "presence": {"enabled": False},
        **dict.fromkeys(limits, unlimited),
        "rc_joins": {"local": unlimited, "remote": unlimited},
        "rc_invites": {"per_room": unlimited, "per_user": unlimited, "per_issuer": unlimited},
        "rc_login": {"address": unlimited, "account": unlimited, "failed_attempts": unlimited},
    }


def _wait_until_it_answers(process: subprocess.Popen[bytes], log: Path, seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        found = LISTENING.search(log.read_text("utf-8", "replace"))
        if found is not None:
            base_url = f"http://127.0.0.1:{found[1]}"
            try:
                httpx.get(f"{base_url}/_matrix/client/versions", trust_env=False).raise_for_status()
            except httpx.HTTPError:
                pass
            else:
                return base_url
        time.sleep(POLL_SECONDS)
    message = (
        f"Synapse did not answer within {seconds} s (status {process.poll()}):\n{log.read_text('utf-8', 'replace')}"
    )
    raise SynapseError(message)


def _good(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        message = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
        raise SynapseError(message)
    return answer.json()
