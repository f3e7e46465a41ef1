"""A PostgreSQL on loopback, Debian's, that keeps nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .programs import free_port, running_program

MISSING = "PostgreSQL is not installed; on Debian: apt-get install postgresql"
ACCOUNT = "postgres"
"""Debian's own account for it: PostgreSQL does not run as root."""


def postgres_programs() -> Path | None:
    """Where its programs are; ``None`` where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of an empty database, until the block is left."""
    programs = postgres_programs()
    assert programs is not None, MISSING
    account = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"] if os.geteuid() == 0 else []
    place = Path(tempfile.mkdtemp(prefix="postgres-"))
    if account:
        shutil.chown(place, ACCOUNT)
    try:
        made = [*account, programs / "initdb", "-D", place / "data", "-A", "trust", "-U", ACCOUNT, "--no-sync"]
        subprocess.run(made, cwd=place, check=True, capture_output=True)
        port = free_port()
        command = [
            *account,
            programs / "postgres",
            "-D",
            place / "data",
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-k",
            place,
        ]
        with running_program([*command, "-c", "fsync=off"], ("127.0.0.1", port), place):
            yield f"postgresql://{ACCOUNT}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(place)


def psql(url: str, *, files: Iterable[Path] = (), query: str | None = None) -> str:
    """What psql writes that runs these files, or this query, of which it writes the rows alone."""
    command = ["psql", url, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
    command += [f"--file={file}" for file in files] if query is None else [f"--command={query}"]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
