"""What is wrong with a request's body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

__all__ = ["BadRequest", "parse"]

_NEEDED: Mapping[str, tuple[str, tuple[type, ...], str]] = {
    "chat.completions": ("messages", (list,), "a list of messages"),
    "responses": ("input", (str, list), "a text or a list"),
    "completions": ("prompt", (str, list), "a text or a list"),
    "embeddings": ("input", (str, list), "a text or a list"),
}


class BadRequest(Exception):  # noqa: N818 - it is the name of the answer, not of a fault here
    """The request is answered 400; ``param`` is the part of the body that is wrong."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def parse(api: str, raw: bytes) -> dict[str, Any]:
    """The JSON body of a request.

    Raises:
        BadRequest: it is not a JSON object, or lacks what ``api`` cannot do without.
    """
    try:
        body: object = json.loads(raw)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        msg = f"The body of the request is not JSON: {reason}"
        raise BadRequest(msg) from None
    if not isinstance(body, dict):
        msg = f"The body of the request must be a JSON object, not {type(body).__name__}"
        raise BadRequest(msg)
    content = cast("dict[str, Any]", body)
    name, kinds, what = _NEEDED[api]
    for param, allowed, expected in (("model", (str,), "a text"), (name, kinds, what)):
        value = content.get(param)
        if not isinstance(value, allowed):
            msg = f"'{param}' must be {expected}, not {type(value).__name__}"
            raise BadRequest(msg, param)
    return content
