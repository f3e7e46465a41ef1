"""Test only: a Hermes user plugin with one tool, ``errand``, for what no tool of the host's own brings about.

Its argument ``what`` is one of

- ``call``, ``async_call``: an auxiliary call for the task named by ``task``, as vision, compression or a title make it;
- ``plugin``, ``async_plugin``: a plugin's own call, through ``ctx.llm``;
- ``client``: a call of an OpenAI client of the plugin's own, to the main model's endpoint;
- ``discover``: the host finds its plugins anew;
- ``doors``: which client classes have a ``request`` of their own, that is, one that a plugin has put there.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

SCHEMA = {
    "name": "errand",
    "description": "Run an errand.",
    "parameters": {
        "type": "object",
        "properties": {"what": {"type": "string"}, "task": {"type": "string"}, "text": {"type": "string"}},
        "required": ["what"],
    },
}
CLIENTS = ("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI", "Anthropic", "AsyncAnthropic")


def register(ctx: Any) -> None:
    """Called by the host when the plugin is enabled."""

    def run(arguments: dict[str, Any], **_: Any) -> str:
        errands: dict[str, Callable[[str, str], object]] = {
            "call": call,
            "async_call": async_call,
            "plugin": lambda _task, text: ctx.llm.complete(messages(text)).text,
            "async_plugin": lambda _task, text: asyncio.run(ctx.llm.acomplete(messages(text))).text,
            "client": client,
            "discover": discover,
            "doors": doors,
        }
        done = errands[arguments["what"]](arguments.get("task", ""), arguments.get("text", "an errand"))
        return json.dumps({"done": done})

    ctx.register_tool(name="errand", toolset="errands", schema=SCHEMA, handler=run, description="Run an errand.")


def messages(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def call(task: str, text: str) -> object:
    from agent.auxiliary_client import call_llm

    return call_llm(task=task or None, messages=messages(text)).choices[0].message.content


def async_call(task: str, text: str) -> object:
    from agent.auxiliary_client import async_call_llm

    async def inner() -> object:
        return (await async_call_llm(task=task or None, messages=messages(text))).choices[0].message.content

    return asyncio.run(inner())


def client(_task: str, text: str) -> object:
    from hermes_cli.config import load_config
    from openai import OpenAI

    endpoint = load_config()["model"]
    with OpenAI(base_url=endpoint["base_url"], api_key="sk-test") as own:
        return own.chat.completions.create(model="own-model", messages=messages(text)).choices[0].message.content


def discover(_task: str, _text: str) -> object:
    from hermes_cli.plugins import discover_plugins

    discover_plugins(force=True)
    return "discovered"


def doors(_task: str, _text: str) -> object:
    loaded = [sys.modules[name] for name in ("openai", "anthropic") if name in sys.modules]
    found = [getattr(module, name) for module in loaded for name in CLIENTS if hasattr(module, name)]
    return sorted(kind.__name__ for kind in found if "request" in vars(kind))
