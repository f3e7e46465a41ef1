"""Programs on loopback: started, waited for until they answer, and ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

POLL_SECONDS = 0.05

T = TypeVar("T")


class ProgramError(AssertionError):
    """A program did not come up; the message holds what it wrote."""


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running_program(
    command: Sequence[str | Path],
    address: tuple[str, int],
    directory: Path,
    *,
    environ: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> Iterator[Path]:
    """A program that listens at ``address`` until the block is left; gives the file with what it writes.

    It runs in ``directory``, in a process group of its own, which is ended as a whole.

    Raises:
        ProgramError: it ended, or did not listen in time.
    """
    written = directory / f"{Path(command[0]).name}.log"
    with written.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=directory,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await(process, address, written, seconds)
        yield written
    finally:
        for end in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, end)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    continue


def _await(process: subprocess.Popen[bytes], address: tuple[str, int], written: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        if process.poll() is not None or time.monotonic() > until:
            message = f"{process.args!r} does not listen at {address}:\n{written.read_text(errors='replace')}"
            raise ProgramError(message)
        try:
            socket.create_connection(address, 1).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return


def installed(name: str, *places: str) -> Path | None:
    """A program on the path, or in one of ``places`` beside it; ``None`` where it is not installed."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *places]))
    return None if found is None else Path(found)


def waited_for(look: Callable[[], T], enough: Callable[[T], bool], *, seconds: float = 60) -> T:
    """What ``look`` finds, once it is enough, or else when the time is up."""
    until = time.monotonic() + seconds
    while not enough(found := look()) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    return found
