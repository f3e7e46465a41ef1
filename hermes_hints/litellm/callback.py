"""The callback itself, and what the operator has configured for it. ``litellm`` is imported when the callback is made, not before."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ..errors import ConfigError
from ..notices import once
from ..profiles.writing import parse_tags
from ..receive import Verdict
from ..rules import Choice, Rules, load_rules
from ..signature import key_bytes
from ..values import unknown_name
from ..wire import Record
from .filling import add_tags, fill, hear, own_metadata, remove

__all__ = ["Configuration", "HermesHints", "callback", "read_configuration"]

_WHERE = "callback_settings: hermes_hints"
_KNOWN = ("rules", "tags", "signing_key")
_FROM_ENVIRONMENT = "os.environ/"
"""LiteLLM's own way of naming an environment variable in its configuration (docs.litellm.ai/docs/proxy/configs)."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """``rules`` choose models, ``tags`` are the fields that become tags, ``signing_key`` is the senders'."""

    rules: Rules | None = None
    tags: tuple[str, ...] = ()
    signing_key: str | None = None


def read_configuration(given: object, directory: Path) -> Configuration:
    """Read the section; ``None`` and an empty one are the defaults.

    Args:
        given: the section's value.
        directory: where the configuration file is; a relative ``rules`` is looked for there.

    Raises:
        ConfigError: a key is unknown, a value is wrong, or the rule file is.
    """
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        msg = f"{_WHERE} is {given!r:.80}; it must be a mapping of {', '.join(_KNOWN)}"
        raise ConfigError(msg)
    section = cast("Mapping[object, object]", given)
    for key in section:
        if key not in _KNOWN:
            raise ConfigError(unknown_name(_WHERE, str(key), _KNOWN))
    rules = _text(section, "rules")
    signing_key = _text(section, "signing_key") or os.environ.get("HERMES_HINTS_SIGNING_KEY") or None
    if signing_key is not None:
        key_bytes(signing_key, name=f"{_WHERE}: signing_key")
    return Configuration(
        None if rules is None else load_rules(directory / rules, needs_default=False),
        parse_tags(section.get("tags"), f"{_WHERE}: tags"),
        signing_key,
    )


def _text(section: Mapping[object, object], key: str) -> str | None:
    value = section.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        # Not shown: it may be the key.
        msg = f"{_WHERE}: {key} is no text; write one, or {_FROM_ENVIRONMENT}NAME"
        raise ConfigError(msg)
    if not value.startswith(_FROM_ENVIRONMENT):
        return value
    name = value.removeprefix(_FROM_ENVIRONMENT)
    found = os.environ.get(name)
    if not found:
        msg = f"{_WHERE}: {key} names the environment variable {name!r}, which is not set; set it, or leave the key out"
        raise ConfigError(msg)
    return found


_APIS: Mapping[str, str] = {
    **dict.fromkeys(("completion", "acompletion"), "chat.completions"),
    **dict.fromkeys(("text_completion", "atext_completion"), "completions"),
    **dict.fromkeys(("responses", "aresponses"), "responses"),
    "anthropic_messages": "messages",
}
"""LiteLLM's call types that a language model answers, by wire name: the ones that rules are for."""

_QUEUED = ("chat.completions", "completions")
"""The APIs whose ``priority`` LiteLLM itself takes (docs.litellm.ai/docs/scheduler); of others it could go on to a provider."""

_FORBIDDEN = 403
"""Not among the statuses that hermes-hints tries again without hints, which would be a way around the rule."""


def callback() -> HermesHints:
    """The callback as LiteLLM's configuration, which is read by now, describes it.

    Raises:
        ConfigError: it is described wrongly.
    """
    settings: Any = getattr(import_module("litellm"), "callback_settings", None) or {}
    file = getattr(import_module("litellm.proxy.proxy_server"), "user_config_file_path", None)
    directory = Path(file).resolve().parent if file else Path.cwd()
    configuration = read_configuration(settings.get("hermes_hints"), directory)
    base = import_module("litellm.integrations.custom_logger").CustomLogger
    # LiteLLM looks for hooks among what a callback's class itself defines, and not at what that inherits.
    own = {name: value for name, value in vars(HermesHints).items() if not name.startswith("_")}
    made: HermesHints = type(HermesHints.__name__, (HermesHints, base), own)(configuration)
    return made


class HermesHints:
    """Reads each request's record, fills LiteLLM's fields with it, applies the rules, and removes the hints.

    `callback` makes a ``CustomLogger`` of LiteLLM's of it.
    """

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        self._configuration = configuration

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,
        cache: object,  # noqa: ARG002 - given by name
        data: dict[str, Any],
        call_type: str,
    ) -> dict[str, Any]:
        """Called by LiteLLM before a request is routed. Whatever goes wrong here is logged once; the request goes on.

        Raises:
            ProxyException: a rule refuses the request; the caller is answered 403 with the rule's text.
        """
        claimed = Record()
        refused: str | None = None
        try:
            claimed, verdict = hear(data, self._configuration.signing_key)
            record = claimed if _counts(verdict) else Record()
            fill(data, record, self._configuration.tags)
            refused = await self._apply_rules(data, record, user_api_key_dict, _APIS.get(call_type))
        except Exception as error:  # noqa: BLE001 - no request fails because of hints
            once(logging.WARNING, ("litellm", type(error)), "hints were not acted on", cause=error, private=True)
        try:
            remove(data, claimed)
        except Exception as error:  # noqa: BLE001 - likewise
            once(logging.ERROR, ("litellm-remove", type(error)), "hints were not removed", cause=error, private=True)
        if refused is not None:
            raise import_module("litellm.proxy._types").ProxyException(
                message=refused, type="permission_error", param=None, code=_FORBIDDEN
            )
        return data

    async def async_post_call_response_headers_hook(
        self,
        data: object,
        user_api_key_dict: object,
        response: object,
        request_headers: object = None,
        litellm_call_info: object = None,
    ) -> dict[str, str]:
        """Called by LiteLLM for the headers of an answer: hints are read here."""
        del data, user_api_key_dict, response, request_headers, litellm_call_info
        return {"X-Hermes-Hints": "v=1"}

    async def _apply_rules(self, data: dict[str, Any], record: Record, key: object, api: str | None) -> str | None:
        rules = self._configuration.rules
        asked = data.get("model")
        if rules is None or api is None or not isinstance(asked, str):
            return None
        choice = rules.choose(record, model=asked, api=api)
        if choice.reject is not None:
            return choice.reject
        add_tags(data, choice.tags)
        if choice.priority is not None and api in _QUEUED:
            data["priority"] = choice.priority
        if choice.model != asked and await _may_serve(choice, key):
            data["model"] = choice.model
        spend = own_metadata(data).setdefault("spend_logs_metadata", {})
        spend.setdefault("hermes_rule", choice.rule_name)
        return None


def _counts(verdict: Verdict | None) -> bool:
    """Whether hints with this signature, or none where no key is set, are acted on."""
    if verdict in ("malformed", "forged", "expired"):
        once(
            logging.WARNING,
            ("litellm-signature", verdict),
            "a request's hints count for nothing: their signature is %s (said once)",
            verdict,
        )
    return verdict in (None, "valid")


async def _may_serve(choice: Choice, key: Any) -> bool:
    """Whether the proxy has the chosen model group and the caller's key may use it: hints give nobody more rights."""
    server = import_module("litellm.proxy.proxy_server")
    if server.llm_router is not None and not server.llm_router.get_model_list(choice.model, team_id=key.team_id):
        reason = "LiteLLM has no model group of that name"
    else:
        checks = import_module("litellm.proxy.auth.auth_checks")
        try:
            await checks.can_key_call_resolved_model(choice.model, server.llm_model_list, key, server.llm_router)
        except import_module("litellm.proxy._types").ProxyException:
            reason = "the caller's key may not use it"
        else:
            return True
    once(
        logging.WARNING,
        ("litellm-model", choice.rule_name, choice.model, reason),
        "the rule %r chooses %r, but %s; the model asked for serves (said once)",
        choice.rule_name,
        choice.model,
        reason,
    )
    return False
