"""The inspector: between a client and its real endpoint, it shows what each call says of itself, and what came of it.

It passes everything on as it is, listens on loopback alone, keeps no messages and no credentials, and stores nothing unless it
is told to. It needs httpcore, rich, starlette and uvicorn: ``pip install 'hermes-hints[inspect]'``.
"""

from __future__ import annotations

try:
    from .running import Inspector, Options, running, serve
    from .upstream import parse_upstream
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in {"anyio", "httpcore", "rich", "starlette", "uvicorn"}:
        raise
    msg = f"the inspector needs {missing}: pip install 'hermes-hints[inspect]'"
    raise ModuleNotFoundError(msg, name=missing) from error

__all__ = ["Inspector", "Options", "parse_upstream", "running", "serve"]
