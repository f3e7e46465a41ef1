"""A real LiteLLM proxy on loopback, configured from one value.

LiteLLM 1.82.7 and 1.82.8 were malicious and 1.107.0 is reported so: the version is named exactly, everywhere.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .environments import PROJECT, Environment, environment
from .programs import free_port

LITELLM = "litellm[proxy]==1.106.2"
LANGFUSE_BY_OTLP = ("opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2")
"""What LiteLLM's callback ``langfuse_otel`` needs; Langfuse's own SDK is none of it."""

PRISMA = "prisma==0.15.0"
"""What LiteLLM speaks to its database by; see litellm_database.py."""

CALLBACK = "hermes_hints.litellm.hermes_hints"
CALLBACKS = Path(__file__).parent / "litellm_callbacks"
MASTER_KEY = "sk-test"
POLL_SECONDS = 0.1
OK = 200


class LiteLLMError(AssertionError):
    """The proxy did not start, or did not stop; the message holds what it wrote."""


@dataclass(frozen=True, slots=True)
class LiteLLM:
    """A running proxy: where it is, and the file that it writes its log to."""

    origin: str
    log: Path

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"


def litellm_environment(progress: Callable[[str], None]) -> Environment:
    """An environment with LiteLLM and hermes-hints."""
    return environment("litellm", [LITELLM, *LANGFUSE_BY_OTLP, PRISMA], project=PROJECT, progress=progress)


def deployment(group: str, model: str, base_url: str, *, price: float = 0.0) -> dict[str, Any]:
    """An entry of ``model_list``: a deployment of a group, its model as the upstream knows it, dollars for a token."""
    where = {"model": f"openai/{model}", "api_base": base_url, "api_key": "sk-upstream"}
    return {
        "model_name": group,
        "litellm_params": {**where, "input_cost_per_token": price, "output_cost_per_token": price},
    }


@contextmanager
def running_litellm(
    installed: Environment,
    directory: Path,
    config: Mapping[str, Any],
    *,
    env: Mapping[str, str] | None = None,
    workers: int = 1,
    seconds: float = 300,
) -> Iterator[LiteLLM]:
    """The proxy, from when it answers until the block is left. ``directory`` gets its configuration and log.

    Raises LiteLLMError when it ends or does not answer within ``seconds``.
    """
    port = free_port()
    process, proxy = _start(installed, directory, config, env or {}, port, workers)
    try:
        _wait_until_ready(process, proxy, port, seconds)
        yield proxy
    finally:
        _stop(process)


def starting_fails(installed: Environment, directory: Path, config: Mapping[str, Any], *, seconds: float = 300) -> str:
    """What the proxy writes when it refuses to start. Raises LiteLLMError when it does start."""
    process, proxy = _start(installed, directory, config, {}, free_port(), 1)
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = 0
    finally:
        _stop(process)
    written = proxy.log.read_text("utf-8", "replace")
    if status == 0:
        message = f"the proxy started:\n{written}"
        raise LiteLLMError(message)
    return written


def _start(
    installed: Environment,
    directory: Path,
    config: Mapping[str, Any],
    env: Mapping[str, str],
    port: int,
    workers: int,
) -> tuple[subprocess.Popen[bytes], LiteLLM]:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "config.yaml"
    file.write_text(json.dumps(config, indent=2), encoding="utf-8")  # JSON is YAML
    for module in CALLBACKS.glob("*.py"):
        shutil.copy(module, directory)
    own = {
        "PATH": os.pathsep.join([str(installed.programs), os.environ.get("PATH", os.defpath)]),
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it otherwise fetches prices from a public site when it starts
    }
    log = directory / "proxy.log"
    command = [str(installed.programs / "litellm"), "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
    # uvicorn otherwise ends a worker that takes more than five seconds to import LiteLLM, again and again.
    several = ["--num_workers", str(workers), "--timeout_worker_healthcheck", "120"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *several],
            cwd=directory,
            env={**own, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, LiteLLM(f"http://127.0.0.1:{port}", log)


def _wait_until_ready(process: subprocess.Popen[bytes], proxy: LiteLLM, port: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > end:
            how = "did not answer in time" if process.returncode is None else f"ended with status {process.returncode}"
            message = f"litellm {how}:\n{proxy.log.read_text('utf-8', 'replace')}"
            raise LiteLLMError(message)
        time.sleep(POLL_SECONDS)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health/liveliness")
        return connection.getresponse().status == OK
    except OSError:
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the proxy with its workers: at once, because what it has still to send is waited for before."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
