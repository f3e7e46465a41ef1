"""The people's side of a Hermes' API server: questions in each of the forms that it takes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .hermes_process import Hermes

API_KEY = "0123456789abcdef-only-for-tests"
BEARER = {"Authorization": f"Bearer {API_KEY}"}
KINDS = ("chat", "chat streamed", "responses", "responses streamed", "run")


def api_server(port: int) -> dict[str, str]:
    """What makes a gateway serve it, for its ``.env``."""
    return {"API_SERVER_ENABLED": "true", "API_SERVER_KEY": API_KEY, "API_SERVER_PORT": str(port)}


@dataclass(frozen=True)
class Answer:
    """What came back, with its headers and its text."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class ApiServer:
    """That of a running Hermes."""

    url: str
    hermes: Hermes

    def send(self, path: str, content: object = None, headers: Mapping[str, str] = BEARER) -> Answer:
        lines = {"Content-Type": "application/json", **headers}
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, lines)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return Answer(response.status, response.headers, response.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read().decode())

    def ask(self, text: str, kind: str = "chat", headers: Mapping[str, str] = {}, **more: object) -> Answer:
        """A question in one of the forms that the server takes; of the answer, the text that it is about."""
        streamed = kind.endswith("streamed")
        if kind == "run":
            started = self.send("/v1/runs", {"input": text, **more}, {**BEARER, **headers})
            return Answer(started.status, started.headers, self._run(json.loads(started.text)["run_id"]))
        path, content = ("/v1/responses", {"input": text})
        if kind.startswith("chat"):
            path, content = ("/v1/chat/completions", {"messages": [{"role": "user", "content": text}]})
        answer = self.send(path, {"model": "any", "stream": streamed, **content, **more}, {**BEARER, **headers})
        assert answer.status == 200, answer
        return Answer(answer.status, answer.headers, READ[kind](answer.text))

    def _run(self, run_id: str) -> str:
        """The output of a run, by its events: they end with it."""
        events = self.send(f"/v1/runs/{run_id}/events").text
        ends = [event for event in events_of(events) if event.get("event") == "run.completed"]
        assert ends, events
        return ends[0]["output"]

    def logs(self) -> str:
        """All that Hermes has logged."""
        return "".join(path.read_text("utf-8", "replace") for path in (self.hermes.home / "logs").glob("**/*.log"))


def events_of(text: str) -> list[dict[str, Any]]:
    lines = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {"))
    return [json.loads(line) for line in lines]


READ: Mapping[str, Callable[[str], str]] = {
    "chat": lambda text: json.loads(text)["choices"][0]["message"]["content"],
    "chat streamed": lambda text: "".join(
        event["choices"][0]["delta"].get("content") or "" for event in events_of(text) if event.get("choices")
    ),
    "responses": lambda text: json.loads(text)["output"][-1]["content"][0]["text"],
    "responses streamed": lambda text: "".join(
        event["delta"] for event in events_of(text) if event.get("type") == "response.output_text.delta"
    ),
}
