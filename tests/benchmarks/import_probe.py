"""What importing costs, on top of a process in which openai is ready to send. Run as a program, once for each figure.

    python import_probe.py ours | floor | use

``ours``: ``import hermes_hints`` and the discovery of hint plugins. ``floor``: pluggy and a look at the installed entry
points, alone. ``use``: ``ours`` and all that the first stamped call brings in.
Prints processor time in ms and private memory in MB.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

import openai


def private_memory() -> float:
    """In MB."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def ready() -> openai.OpenAI:
    """A client, in a process that has made a call."""
    client = openai.OpenAI(api_key="key", base_url="http://127.0.0.1:9/v1", max_retries=0)
    other = openai.AsyncOpenAI(api_key="key", base_url="http://127.0.0.1:9/v1", max_retries=0)
    assert other.chat.completions
    fail(client)
    return client


def fail(client: openai.OpenAI) -> None:
    """Make a call to where nothing listens."""
    try:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])
    except openai.APIConnectionError:
        return
    sys.exit("something listens at port 9")


def floor(_: openai.OpenAI) -> None:
    import importlib.metadata

    import pluggy

    assert pluggy.PluginManager("hermes_hints")
    importlib.metadata.entry_points(group="hermes_hints")


def ours(_: openai.OpenAI) -> None:
    import hermes_hints

    hermes_hints.loaded_plugins()


def use(client: openai.OpenAI) -> None:
    import hermes_hints

    fail(hermes_hints.wrap(client, identity={"user_id": "alice", "session_id": "20261121_012008_d4149b13"}))


def main() -> None:
    client = ready()
    private_memory()
    gc.collect()
    before, began = private_memory(), time.process_time()
    {"floor": floor, "ours": ours, "use": use}[sys.argv[1]](client)
    took = time.process_time() - began
    sys.stdout.write(f"{took * 1000} {private_memory() - before}\n")


if __name__ == "__main__":
    main()
