"""A Redis on loopback: Debian's, installed or else unpacked beside the checkout's other build products."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .environments import ENVIRONMENTS
from .programs import free_port

PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")
"""In redis-server is a link to what is in redis-tools; its other libraries are on every Debian."""

READY = b"Ready to accept connections"


@contextmanager
def running_redis(root: Path = ENVIRONMENTS) -> Iterator[int]:
    """A Redis that keeps nothing on disk: its port, until the block is left."""
    program, libraries = _installed(root)
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
    env = {**os.environ, "LD_LIBRARY_PATH": libraries} if libraries else None
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=root) as process:
        assert process.stdout is not None
        try:
            written = []
            for line in process.stdout:
                written.append(line)
                if READY in line:
                    break
            else:
                message = f"redis-server did not start:\n{b''.join(written).decode('utf-8', 'replace')}"
                raise AssertionError(message)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)


def _installed(root: Path) -> tuple[str, str]:
    """The program, and where its libraries are if not where the system looks."""
    found = shutil.which("redis-server")
    if found is not None:
        return found, ""
    root.mkdir(parents=True, exist_ok=True)
    place = root / "redis"
    with (root / "redis.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            _unpack(place)
            (place / "complete").touch()
    libraries = sorted({str(path.parent) for path in (place / "root").rglob("*.so*")})
    return str(place / "root/usr/bin/redis-server"), os.pathsep.join(libraries)


def _unpack(place: Path) -> None:
    """Without being root, and without starting a service, as an installation would."""
    packages = place / "packages"
    packages.mkdir(parents=True)
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=packages, check=True)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, place / "root"], check=True)
