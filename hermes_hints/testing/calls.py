"""One LLM call for a hint plugin to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..call import CALL_FIELDS, Call
from ..endpoints import FAMILIES
from ..errors import ConfigError
from ..identity import NOBODY, Identity
from ..outgoing import Outgoing
from ..values import unknown_name

__all__ = ["FakeCall"]

_MODEL = "some-model"
_BODY_ALLOWED = {family.api: family.body for family in FAMILIES.values()}
_TELLING = ("platform", "chat_type", "user_id", "chat_id")


@dataclass(frozen=True, slots=True)
class FakeCall:
    """A call as its caller made it: for whom, as part of what, and the request itself."""

    identity: Identity = NOBODY
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of `Call` that go on the wire: ``purpose``, ``turn_id``, ``call`` and so on."""
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The JSON body, or the keyword arguments of the SDK's method."""
    api: str = "chat.completions"

    @classmethod
    def of(
        cls,
        text: str | None = None,
        /,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        model: str = _MODEL,
        stream: bool = False,
        api: str = "chat.completions",
        **fields: Any,
    ) -> FakeCall:
        """A call in which the user says ``text``, or with these ``messages``.

        ``fields`` are those of `Identity` and of `Call`: ``FakeCall.of("hi", chat_id="!ops", purpose="main")``.

        Raises:
            ConfigError: a field that neither has.
            pydantic.ValidationError: a value that the field does not take.
        """
        for name in fields:
            if name not in Identity.model_fields and name not in CALL_FIELDS:
                raise ConfigError(unknown_name("a call", name, (*Identity.model_fields, *CALL_FIELDS)))
        said = [] if text is None else [{"role": "user", "content": text}]
        call = Call(**{name: value for name, value in fields.items() if name in CALL_FIELDS})
        body: dict[str, Any] = {"model": model, "messages": list(said if messages is None else messages)}
        return cls(
            Identity(**{name: value for name, value in fields.items() if name in Identity.model_fields}),
            {name: value for name, value in call.fields().items() if name in CALL_FIELDS},
            {**body, "stream": True} if stream else body,
            api,
        )

    def outgoing(self) -> Outgoing:
        """The request as the package takes it."""
        return Outgoing(self.api, self.body, None, None, body_allowed=_BODY_ALLOWED.get(self.api, True))

    def __str__(self) -> str:
        told = [f"{name}={self.facts[name]!r}" for name in ("purpose", "call") if name in self.facts]
        told += [f"{name}={value!r}" for name, value in self.identity.fields().items() if name in _TELLING]
        return f"a call of {self.api} ({', '.join(told) or 'nothing known of who and what'})"
