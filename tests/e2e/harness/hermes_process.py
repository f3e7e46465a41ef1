"""Running the real ``hermes`` program, in a home of its own and an environment with nothing else in it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LINES_OF_LOG = 40


class HermesRunError(AssertionError):
    """Hermes ended in another way than it was expected to; the message holds its output and the end of its logs."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A Hermes command that has run to its end."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Hermes:
    """One installed Hermes (``programs`` is the ``bin`` directory of its environment) with one home.

    The process sees HOME and the working directory as the home's parent, the given ``env``, and of this process's own
    environment only what a program cannot start without: no proxies, no HERMES_*, no keys.
    """

    programs: Path
    home: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def ask(self, text: str, *, seconds: float = 300) -> str:
        """One question by ``hermes -z``: the answer. Raises HermesRunError when the program reports a failure."""
        return self.run("-z", text, seconds=seconds).output.strip()

    def chat(self, text: str, *arguments: str, seconds: float = 300) -> Finished:
        """One turn of a saved session by ``hermes chat -q``; ``--resume ID`` and the like go into ``arguments``."""
        return self.run("chat", "-q", text, *arguments, seconds=seconds)

    def run(self, *arguments: str, seconds: float = 300, expected: int | None = 0, said: str = "") -> Finished:
        """Any ``hermes …`` command, ``said`` on its standard input.

        Raises HermesRunError when it does not end within ``seconds`` (it is killed then, with its children) or ends with
        another status than ``expected`` (None: any will do).
        """
        process = self.start(*arguments, stdin=subprocess.PIPE)
        try:
            output, errors = process.communicate(said, timeout=seconds)
        except subprocess.TimeoutExpired:
            kill_with_children(process)
            output, errors = process.communicate()
            raise self.failure(arguments, f"did not end within {seconds} s", output, errors) from None
        finally:
            kill_with_children(process)
        if expected is not None and process.returncode != expected:
            raise self.failure(arguments, f"ended with status {process.returncode}", output, errors)
        return Finished(process.returncode, output, errors)

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """The running command, in a process group of its own."""
        return subprocess.Popen(
            [self.programs / "hermes", *arguments],
            env=self._environment(),
            cwd=self.home.parent,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def log(self, name: str = "agent.log") -> str:
        """What Hermes wrote to one of its log files so far."""
        path = self.home / "logs" / name
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def failure(self, arguments: Sequence[str], how: str, output: str, errors: str) -> HermesRunError:
        """The error that tells how a command ended otherwise than it should, with all that there is to read."""
        logs = {name: _tail(self.log(name)) for name in ("agent.log", "errors.log")}
        parts = {"output": output, "errors": errors, **logs}
        told = "".join(f"\n--- {name}\n{text.rstrip()}" for name, text in parts.items() if text.strip())
        return HermesRunError(f"hermes {' '.join(arguments)}: {how}{told}")

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TZ") if name in os.environ}
        path = os.pathsep.join([str(self.programs), os.environ.get("PATH", os.defpath)])
        own = {"PATH": path, "HOME": str(self.home.parent), "HERMES_HOME": str(self.home), "LANG": "C.UTF-8"}
        return {**kept, **own, "PYTHONDONTWRITEBYTECODE": "1", **self.env}


def kill_with_children(process: subprocess.Popen[str]) -> None:
    """End whatever is left of a process that ``Hermes.start`` started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-LINES_OF_LOG:])
