"""How a request is refused."""

from __future__ import annotations

from typing import Any

__all__ = ["error_body"]

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_FIRST_SERVER_ERROR = 500


def error_body(status: int, message: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The body of an answer that refuses, as OpenAI's clients read it (platform.openai.com/docs/guides/error-codes)."""
    kind = "server_error" if status >= _FIRST_SERVER_ERROR else _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
