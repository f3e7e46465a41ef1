"""Serving on this machine alone: which addresses that is, and a server that runs in the foreground or beside a test.

It needs starlette and uvicorn, which the extras of those that serve bring along.
"""

from __future__ import annotations

from .address import is_local, loopback
from .refusals import error_body
from .server import listen, running, serve

__all__ = ["error_body", "is_local", "listen", "loopback", "running", "serve"]
