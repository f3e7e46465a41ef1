"""The profiles that come with the package."""

from __future__ import annotations

from collections.abc import Mapping

from .declaration import Native, Profile

__all__ = ["BUILTIN"]

_OPENAI_APIS = ("chat.completions", "responses")
"""Completions and embeddings answer 400 to fields they do not know (platform.openai.com/docs/api-reference)."""

_ANTHROPIC_APIS = ("messages",)

BUILTIN: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="dispatcher",
            summary="A receiver of your own: everything, in the body, in metadata and in headers.",
            body=True,
            metadata="always",
            headers=True,
            native_body={"metadata.user_id": Native(field="user_id", limit=256, apis=_ANTHROPIC_APIS)},
            request_metadata=True,
        ),
        Profile(
            name="headers",
            summary="Proxies and load balancers that match headers, in front of servers with a strict body.",
            headers=True,
        ),
        Profile(
            name="openai",
            # platform.openai.com/docs/api-reference: safety_identifier (hashed, 64 characters), prompt_cache_key, and
            # metadata, which chat completions take with `store` only and responses store unless told not to.
            summary="OpenAI itself: a hashed safety_identifier, prompt_cache_key, and metadata where it is stored.",
            metadata="stored",
            native_body={
                "safety_identifier": Native(field="user_id", form="hashed", limit=64, apis=_OPENAI_APIS),
                "prompt_cache_key": Native(field="conversation_id", form="token", limit=64, apis=_OPENAI_APIS),
            },
        ),
        Profile(
            name="anthropic",
            # platform.claude.com/docs/en/api/messages: metadata.user_id, opaque, at most 256 characters; nothing else.
            summary="Anthropic itself: an opaque metadata.user_id.",
            native_body={
                "metadata.user_id": Native(field="user_id", form="hashed", limit=256, apis=_ANTHROPIC_APIS),
            },
        ),
        Profile(
            name="bedrock",
            summary="Amazon Bedrock's Converse API: requestMetadata, which its invocation logs keep.",
            request_metadata=True,
        ),
        Profile(name="off", summary="Nothing at all."),
    )
}
