"""A real Portkey gateway, installed once beside the checkout's other build products by npm."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .environments import ENVIRONMENTS
from .programs import free_port, installed, running_program

PACKAGE = "@portkey-ai/gateway@1.15.2"
MISSING = "Portkey's gateway needs node and npm; on Debian: apt-get install nodejs npm"


def node_is_there() -> bool:
    """Whether node and npm are installed."""
    return installed("node") is not None and installed("npm") is not None


def _installed() -> Path:
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    directory = ENVIRONMENTS / f"portkey-{PACKAGE.rpartition('@')[2]}"
    with (ENVIRONMENTS / "portkey.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "complete").exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            # Its own install script patches a dependency of its browser console, which is not started here.
            options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(directory)]
            subprocess.run(["npm", "install", *options, PACKAGE], check=True, capture_output=True, text=True)
            (directory / "complete").touch()
    return directory / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


@contextmanager
def running_portkey(directory: Path) -> Iterator[str]:
    """Its base URL, until the block is left."""
    port = free_port()
    command = ["node", _installed(), "--headless", f"--port={port}"]
    with running_program(command, ("127.0.0.1", port), directory):
        yield f"http://127.0.0.1:{port}/v1"
