"""For a program that traces its own calls with OpenTelemetry, as Langfuse's SDK does: whose a span is, a trace for each turn.

::

    provider = TracerProvider(id_generator=TurnTraces())
    provider.add_span_processor(HintSpans("langfuse", tags=["platform", "purpose"]))
    langfuse = Langfuse(tracer_provider=provider)

Needs ``opentelemetry-sdk``; nothing else in hermes-hints imports it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from .carriers import digest
from .context import current
from .errors import ConfigError
from .identity import NOBODY, Identity
from .notices import once
from .privacy import Keyring, Privacy, guarded, pseudonym, strictest
from .profiles import find_profile
from .profiles.writing import parse_tags, tags_of, values_of
from .settings import Settings

__all__ = ["HintSpans", "TurnTraces"]

_TAGS = "langfuse.trace.tags"
"""Langfuse's attribute for tags (langfuse 4.18.0, _client/attributes.py)."""
_TRACE_DIGITS = 32


class HintSpans(SpanProcessor):
    """Sets on every span that starts inside the ambient scope who, which conversation and which call it belongs to.

    What the span has already stays. It goes by the scope alone (`identify`, `calling`, `hint`): what a wrapped client's own
    identity or a hint plugin adds to a request is not known when a span starts.
    """

    def __init__(
        self,
        profile: str = "otel",
        *,
        tags: Sequence[str] = (),
        privacy: Privacy = "raw",
        identity: Identity | Mapping[str, Any] | None = None,
        settings: Settings | Mapping[str, Any] | None = None,
    ) -> None:
        """Make the processor for a ``TracerProvider``.

        Args:
            profile: whose ``span`` names the attributes: ``otel``, ``langfuse``, or one of the settings' own.
            tags: fields that become Langfuse's tags, as ``platform:matrix``.
            privacy: ``raw``, ``pseudonymous`` or ``none``, for wherever the spans go; where the settings name one too, the
                stricter counts.
            identity: for spans outside any `identify` scope; scopes complete and override it.
            settings: where profiles of one's own and the key for pseudonyms are.

        Raises:
            ConfigError: there is no such profile, it has no names for spans, or a tag is no field.
        """
        known = settings if isinstance(settings, Settings) else Settings.load(settings or {})
        self._names = find_profile(profile, known=known.known_profiles()).span
        if not self._names:
            msg = f"profile: {profile!r} has no names for spans; use 'otel' or 'langfuse', or declare one with 'span'"
            raise ConfigError(msg)
        self._tags = parse_tags(tags, "tags")
        if privacy not in get_args(Privacy):
            msg = f"privacy: there is no {privacy!r}; use one of {', '.join(get_args(Privacy))}"
            raise ConfigError(msg)
        self._privacy: Privacy = strictest(known.privacy, privacy)
        self._identity = identity if isinstance(identity, Identity) else Identity(**(identity or {}))
        self._keyring = Keyring(known.key_text(), known.key_file())

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Called by OpenTelemetry. Whatever goes wrong here is logged once, and the span is as it would be without."""
        del parent_context
        try:
            attributes = self._said()
            present = span.attributes or {}
            span.set_attributes({name: value for name, value in attributes.items() if name not in present})
        except Exception as error:  # noqa: BLE001 - no call fails because of hints
            once(logging.WARNING, ("spans", type(error)), "a span says nothing of hints", cause=error, private=True)

    def _said(self) -> dict[str, str | list[str]]:
        ambient = current()
        who = self._identity if ambient.identity is NOBODY else ambient.identity.over(self._identity)
        record = guarded({**who.fields(), **ambient.call, **ambient.hints}, self._privacy, self._keyring)
        said: dict[str, str | list[str]] = {**values_of(self._names, record, self._hashed)}
        tags = tags_of(record, self._tags)
        return {**said, _TAGS: tags} if tags else said

    def _hashed(self, text: str) -> str:
        return pseudonym(self._keyring.key(), text)


class TurnTraces(RandomIdGenerator):
    """Gives all that a turn starts one trace, whichever thread it runs in: the one that Langfuse makes of its ``turn_id``.

    The id is that of Langfuse's ``create_trace_id(seed=turn_id)``, which the profile ``langfuse`` and the callback for
    LiteLLM send too. A span inside another stays in that one's trace, and outside a turn ids are random.
    """

    def generate_trace_id(self) -> int:
        """Called by OpenTelemetry for a span that is not inside another."""
        turn = current().call.get("turn_id")
        return int(digest(turn)[:_TRACE_DIGITS], 16) if isinstance(turn, str) else super().generate_trace_id()
