"""The operator's settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from .errors import ConfigError
from .privacy import Privacy
from .values import unknown_name

if TYPE_CHECKING:
    from .profiles import Profile

__all__ = ["EndpointRule", "Settings", "state_directory"]

_known: ContextVar[Mapping[str, Profile] | None] = ContextVar("hermes_hints_profiles", default=None)
"""The profiles that the rules of the settings which are being checked may name; ``None``: the built-in ones."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        if isinstance(data, cls):
            return data
        if not isinstance(data, Mapping):
            msg = f"must be a mapping of settings, not {type(data).__name__}"
            raise ValueError(msg)
        given = cast("Mapping[str, object]", data)
        unknown = [key for key in given if key not in cls.model_fields]
        if unknown:
            raise ValueError(unknown_name("hermes-hints settings", unknown[0], cls.model_fields))
        return given


class EndpointRule(_Section):
    """One entry of ``endpoints``: what the endpoints that ``match`` covers may have."""

    match: str
    """A host, host:port, ``*.domain``, a URL prefix, a network such as ``10.1.0.0/16``, or ``*``."""
    profile: str = "dispatcher"
    """The name of a profile: how the endpoints are written to."""
    privacy: Privacy = "raw"
    """What may be said there of who and where; the setting ``privacy`` wins where it is stricter."""

    @field_validator("match")
    @classmethod
    def _match(cls, text: str) -> str:
        from .endpoints import parse_match

        parse_match(text)
        return text

    @field_validator("profile", mode="before")
    @classmethod
    def _unquoted_off(cls, name: object) -> object:
        return "off" if name is False else name  # YAML reads an unquoted off as false

    @field_validator("profile")
    @classmethod
    def _profile(cls, name: str) -> str:
        from .profiles import BUILTIN, find_profile

        # One with a dot is a plugin's, and plugins are loaded by these very settings.
        return name if "." in name else find_profile(name, known=_known.get() or BUILTIN).name

    @model_validator(mode="after")
    def _star(self) -> Self:
        from .endpoints import parse_match
        from .profiles import BUILTIN

        profile = (_known.get() or BUILTIN).get(self.profile)
        if parse_match(self.match).everything and (profile is None or not profile.silent):
            msg = (
                f"match {self.match!r:.80} covers hosts that nobody named; name each host, or give it the profile 'off'"
            )
            raise ValueError(msg)
        return self


class Settings(_Section):
    """What an operator can set. Frozen; everything has a default.

    Raises:
        pydantic.ValidationError: an unknown key or a wrong value. `Settings.load` says the same as a `ConfigError`.
    """

    endpoints: tuple[EndpointRule, ...] = ()
    """Who gets what; the first match wins. Endpoints that none covers follow the built-in policy."""
    privacy: Privacy = "raw"
    """For endpoints that follow the built-in policy; a stricter one in ``endpoints`` wins."""
    pseudonym_key: SecretStr | None = None
    """The key for pseudonyms, at least 16 characters. Default: ``$HERMES_HINTS_KEY``, else a file made on first use."""
    signing_key: SecretStr | None = None
    """The key for ``X-Hermes-Hints-Signature``, at least 16 bytes, shared with the receivers. Default:
    ``$HERMES_HINTS_SIGNING_KEY``, else nothing is signed."""
    hints_directory: Path | None = None
    """Where hint plugins of your own lie, a file or folder each. Default: none outside Hermes."""
    disabled_plugins: tuple[str, ...] = ()
    """Names of hint plugins that are not to be loaded."""
    profiles: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict[str, Mapping[str, Any]])
    """Profiles of your own, by name: each a mapping of the fields of `hermes_hints.profiles.Profile`, and ``like``."""
    plugins: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict[str, Mapping[str, Any]])
    """Each hint plugin's own settings, by its name."""
    budget_ms: Annotated[float, Field(gt=0, le=1000)] = 20.0
    """Time for all hint plugins together on one call, in milliseconds."""
    trust_plugins: bool = True
    """Whether a hint plugin that has computed well for sixteen calls runs in the caller's own thread from then on. That
    saves some 12 µs a call, but one that hangs later holds up the call that it hangs in."""

    @model_validator(mode="wrap")
    @classmethod
    def _with_profiles(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        declared = cast("Mapping[str, object]", data).get("profiles") if isinstance(data, Mapping) else None
        if not isinstance(declared, Mapping):
            return handler(data)
        from .profiles.parsing import parse_profiles

        token = _known.set(parse_profiles(cast("Mapping[object, object]", declared)))
        try:
            return handler(data)
        finally:
            _known.reset(token)

    @field_validator("hints_directory")
    @classmethod
    def _directory(cls, directory: Path | None) -> Path | None:
        try:
            return None if directory is None else directory.expanduser()
        except RuntimeError as error:
            msg = f"starts with a home directory that cannot be found ({error}); write the whole path"
            raise ValueError(msg) from error

    @classmethod
    def load(cls, given: Mapping[str, Any] | None, *, where: str = "settings") -> Self:
        """Settings from a mapping, as read from a configuration file.

        Raises:
            ConfigError: a key or value is wrong; the message names it, ``where`` it stands, and the remedy.
        """
        if given is None:
            return cls.model_construct()  # defaults need no validator, and building that one takes 3 ms
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ConfigError(_sentence(error, where)) from None

    def known_profiles(self) -> Mapping[str, Profile]:
        """The profiles by name: the built-in ones and those that are declared here."""
        from .profiles import BUILTIN

        if not self.profiles:
            return BUILTIN
        from .profiles.parsing import parse_profiles

        return parse_profiles(self.profiles)

    def key_file(self) -> Path:
        """Where the key for pseudonyms is kept when none is given."""
        return state_directory() / "pseudonym.key"

    @staticmethod
    def rung_file() -> Path:
        """Where it is kept which endpoints refuse hints, and until when they get fewer."""
        return state_directory() / "rungs.json"

    @staticmethod
    def recognised_file() -> Path:
        """Where it is kept which endpoints were recognised by their answers."""
        return state_directory() / "recognised.json"

    def key_text(self) -> str | None:
        """The key for pseudonyms that the operator gave, here or in ``$HERMES_HINTS_KEY``."""
        if self.pseudonym_key is not None:
            return self.pseudonym_key.get_secret_value()
        return os.environ.get("HERMES_HINTS_KEY") or None

    def signing_key_text(self) -> str | None:
        """The key for signatures that the operator gave, here or in ``$HERMES_HINTS_SIGNING_KEY``."""
        if self.signing_key is not None:
            return self.signing_key.get_secret_value()
        return os.environ.get("HERMES_HINTS_SIGNING_KEY") or None


def state_directory() -> Path:
    """Where hermes-hints keeps what outlives a process.

    ``$HERMES_HINTS_HOME``, else ``hermes-hints`` in ``$HERMES_HOME``, else ``hermes-hints`` in ``$XDG_STATE_HOME``
    (``~/.local/state``, by the XDG Base Directory Specification).
    """
    own = os.environ.get("HERMES_HINTS_HOME")
    if own:
        return Path(own)
    host = os.environ.get("HERMES_HOME")
    if host:
        return Path(host) / "hermes-hints"
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "hermes-hints"


def _sentence(error: ValidationError, where: str) -> str:
    first = error.errors(include_url=False)[0]
    reason = first["msg"].removeprefix("Value error, ").replace("valid tuple", "valid list")
    if reason.startswith("profiles."):
        return f"{where}.{reason}"
    place = ".".join((where, *(str(part) for part in first["loc"])))
    shown = first.get("input")
    # The whole of the settings, a plugin's own, or an endpoint with credentials may hold a secret.
    told = (
        bool(first["loc"])
        and first["loc"][0] not in ("pseudonym_key", "signing_key", "plugins")
        and "@" not in str(shown)
    )
    tellable = told and isinstance(shown, str | int | float | bool | None)
    value = f" (it is {shown!r:.80})" if tellable else ""
    more = error.error_count() - 1
    return f"{place}: {reason}{value}" + (f"; {more} more" if more else "")
