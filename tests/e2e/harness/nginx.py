"""A real nginx that serves one of the recipes as it stands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .programs import installed, running_program

MISSING = "nginx is not installed; on Debian: apt-get install nginx-light"

AROUND = """
{user}
pid {directory}/nginx.pid;
daemon off;
error_log stderr warn;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {recipe};
}}
"""
"""What Debian's own nginx.conf has around a file in conf.d, with everything inside one directory."""


def nginx_program() -> Path | None:
    """Where nginx is; ``None`` where it is not installed."""
    return installed("nginx", "/usr/sbin", "/usr/local/sbin")


@contextmanager
def running_nginx(recipe: Path, address: tuple[str, int], directory: Path) -> Iterator[None]:
    """nginx with ``recipe`` as its one site, which listens at ``address``, until the block is left."""
    program = nginx_program()
    assert program is not None, MISSING
    configuration = directory / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not write into the test's directory
    configuration.write_text(AROUND.format(user=user, directory=directory, recipe=recipe), encoding="utf-8")
    command = [program, "-p", directory, "-c", configuration, "-e", "stderr"]
    with running_program(command, address, directory):
        yield
