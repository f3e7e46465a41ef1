"""The profiles of routers in front of one's own model servers: what keeps a conversation at one of them."""

from __future__ import annotations

from .declaration import Native, Profile

__all__ = ["ROUTERS"]

ROUTERS = (
    Profile(
        name="vllm-router",
        # The production stack's router takes the name of its header: --routing-logic session --session-key
        # x-hermes-session-id (docs.vllm.ai/projects/production-stack, router logic). The Rust router's consistent_hash
        # reads X-Session-ID (github.com/vllm-project/router, load balancing).
        summary="vLLM's routers: the conversation in X-Hermes-Session-Id and X-Session-ID, and headers.",
        headers=True,
        native_headers={"X-Session-ID": Native("conversation_id", "token")},
    ),
    Profile(
        name="sglang-gateway",
        # github.com/smg-project/smg-docs, concepts/routing/sticky-sessions: x-smg-routing-key is what the policies manual
        # and consistent_hashing, and --routing-key-override, pin a worker by.
        summary="SGLang's model gateway: the conversation in X-SMG-Routing-Key, and headers.",
        headers=True,
        native_headers={"X-SMG-Routing-Key": Native("conversation_id", "token")},
    ),
    Profile(
        name="envoy",
        # github.com/envoyproxy/ai-gateway, internal/requestheaderattrs: agent-session-id becomes the span's session.id by
        # default, and any other header where spanRequestHeaderAttributes names it. Routes match any header.
        summary="Envoy AI Gateway: agent-session-id, and headers that its routes match.",
        headers=True,
        native_headers={"agent-session-id": Native("conversation_id", "token")},
    ),
)
