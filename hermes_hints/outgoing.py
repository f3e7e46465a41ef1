"""A request as its caller made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .receive import from_headers, from_metadata, from_object
from .wire import BODY_KEY, METADATA_PREFIX

__all__ = ["Outgoing"]

_OURS = "x-hermes-"


class Outgoing(NamedTuple):
    """What a request says before it is stamped. The mappings are the caller's own objects: they are read, never changed."""

    api: str
    body: Mapping[str, Any] | None
    """The JSON body, or the SDK's keyword arguments."""
    extra: Mapping[str, Any] | None
    """What the SDK merges over the body: ``extra_body``."""
    headers: Mapping[str, Any] | None
    body_allowed: bool = True
    """Whether this API family may carry anything in its body."""
    client_headers: Mapping[str, Any] | None = None
    """What the caller has its client send with every request."""
    strict: bool = False
    """Whether its body may carry only what the API itself has a place for."""
    headers_allowed: bool = True
    """Whether it may carry headers."""

    def get(self, key: str) -> Any:
        """A top-level field as it would be sent."""
        if self.extra is not None and key in self.extra:
            return self.extra[key]
        return None if self.body is None else self.body.get(key)

    def has(self, key: str) -> bool:
        """Whether the caller set a top-level field."""
        return (self.extra is not None and key in self.extra) or (self.body is not None and key in self.body)

    def untouched(self) -> bool:
        """Whether the caller put nothing where hints go."""
        for part in (self.body, self.extra):
            if part and ("metadata" in part or BODY_KEY in part):
                return False
        if not (self.headers or self.client_headers):
            return True
        return not any(str(name).lower().startswith(_OURS) for name, _ in self.header_items())

    def header_items(self) -> list[tuple[str, Any]]:
        """The caller's headers, those of this request before those of its client."""
        return [item for lines in (self.headers, self.client_headers) if lines for item in lines.items()]

    def merged(self, key: str) -> Mapping[Any, Any] | None:
        """The caller's own object under a top-level name, from both places; ``None`` where it set something else."""
        under = None if self.body is None else self.body.get(key)
        over = None if self.extra is None else self.extra.get(key)
        if (under is None or isinstance(under, Mapping)) and (over is None or isinstance(over, Mapping)):
            return {**(under or {}), **(over or {})}  # pyright: ignore[reportUnknownVariableType]
        return None

    def stored(self) -> bool:
        """Whether OpenAI is to keep it: responses are kept unless it says otherwise, completions where it says so."""
        store = self.get("store")
        return store is not False if self.api == "responses" else store is True

    def own_fields(self) -> dict[str, Any]:
        """What the caller itself put into it under our names; the body's object wins, then headers."""
        own: dict[str, Any] = {}
        pairs = self.merged("metadata")
        if pairs and any(isinstance(key, str) and key.startswith(METADATA_PREFIX) for key in pairs):
            own.update(from_metadata(pairs))
        named = [
            (name, value)
            for name, value in self.header_items()
            if isinstance(value, str) and name.lower().startswith(_OURS)
        ]
        if named:
            own.update(from_headers(named))
        if self.has(BODY_KEY):
            own.update(from_object(self.get(BODY_KEY)))
        return own
