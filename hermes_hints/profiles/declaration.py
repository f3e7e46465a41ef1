"""What a profile declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Native", "Profile"]


class Native(BaseModel):
    """A field of the record under the name that the receiver already has for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    field: str
    """The record's field."""
    form: Literal["text", "hashed", "token"] = "text"
    """``text`` as it is; ``hashed``: HMAC-SHA256 under the operator's key; ``token``: as in ``X-Hermes-Session-Id``."""
    limit: int = Field(default=512, ge=64)
    """Longest value in characters; a longer one is replaced by its SHA-256."""
    apis: tuple[str, ...] = ()
    """The API families whose bodies know the name (``chat.completions``, ``responses``, …); empty: all."""


class Profile(BaseModel):
    """Which carriers an endpoint gets, and which fields go by a native name.

    What the caller set under a native name stays as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str
    summary: str
    """One sentence for an operator who is choosing."""
    body: bool = False
    """The top-level object ``hermes``."""
    metadata: Literal["never", "stored", "always"] = "never"
    """``stored``: only where the request is stored, as OpenAI answers 400 to metadata otherwise."""
    headers: bool = False
    """The ``X-Hermes-*`` headers."""
    native_body: Mapping[str, Native] = Field(default_factory=dict[str, Native])
    """Fields of the body: a top-level name, or one inside ``metadata`` (``metadata.user_id``)."""
    request_metadata: bool = False
    """The map ``requestMetadata`` of Bedrock's Converse API."""
    native_headers: Mapping[str, Native] = Field(default_factory=dict[str, Native])
    """Header names."""

    @property
    def silent(self) -> bool:
        """Whether nothing at all is sent."""
        natives = self.native_body or self.native_headers or self.request_metadata
        return not (self.body or self.headers or natives) and self.metadata == "never"
