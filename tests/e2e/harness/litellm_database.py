"""LiteLLM's own database: PostgreSQL, LiteLLM's migrations, and Prisma between the two.

Prisma's query engine is a program that is downloaded from a place of its own. Here it is the same engine's WebAssembly
build, which is in Prisma's npm packages, as a program (prisma_engine.cjs).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .environments import ENVIRONMENTS, Environment
from .postgres import postgres_programs, psql, running_postgres
from .programs import installed as found

ENGINE = Path(__file__).parent / "prisma_engine.cjs"
PACKAGES = ("@prisma/client@5.17.0", "@prisma/adapter-pg@5.17.0", "pg@8.23.1", "graphql@16.15.0")
MISSING = "LiteLLM's database needs PostgreSQL, node and npm; on Debian: apt-get install postgresql nodejs npm"


def database_can_run() -> bool:
    """Whether PostgreSQL, node and npm are installed."""
    return postgres_programs() is not None and found("node") is not None and found("npm") is not None


@contextmanager
def running_database(installed: Environment) -> Iterator[tuple[str, dict[str, str]]]:
    """A database with LiteLLM's tables, until the block is left: its URL, and what the proxy's environment needs for it."""
    env = {**_layer(installed), "DISABLE_SCHEMA_UPDATE": "true"}
    (extras,) = installed.directory.glob("lib/python*/site-packages/litellm_proxy_extras")
    with running_postgres() as url:
        psql(url, files=sorted(extras.glob("migrations/*/migration.sql")))
        yield url, {**env, "DATABASE_URL": url}


def _layer(installed: Environment) -> dict[str, str]:
    """Prisma's packages, and its client for LiteLLM's tables in ``installed``; made once."""
    packages = ENVIRONMENTS / "prisma-engine"
    env = {
        "PRISMA_QUERY_ENGINE_BINARY": str(ENGINE),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(ENGINE),  # not run: the migrations are plain SQL
        "PRISMA_ENGINE_PACKAGES": str(packages),
        "PRISMA_HOME_DIR": str(packages),
        "PRISMA_HIDE_UPDATE_MESSAGE": "1",
        "CHECKPOINT_DISABLE": "1",  # it otherwise asks a public site whether there is a newer one
    }
    (tables,) = installed.directory.glob("lib/python*/site-packages/litellm/proxy/schema.prisma")
    with (ENVIRONMENTS / "prisma-engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (packages / "complete").exists():
            shutil.rmtree(packages, ignore_errors=True)
            packages.mkdir()
            options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", packages]
            _run(["npm", "install", *options, *PACKAGES], {})
            (packages / "complete").touch()
        if not (installed.directory / "prisma-client").exists():
            path = os.pathsep.join([str(installed.programs), os.environ["PATH"]])
            command = [installed.programs / "prisma", "generate", f"--schema={tables}"]
            _run(command, {**env, "PATH": path, "npm_config_ignore_scripts": "true"})
            (installed.directory / "prisma-client").touch()
    return env


def _run(command: list[str | Path], env: dict[str, str]) -> None:
    done = subprocess.run(command, env={**os.environ, **env}, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
