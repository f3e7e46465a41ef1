"""What the callback does to a request, and what it never does: fail it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hermes_hints.litellm as package
from hermes_hints.errors import ConfigError

RULES = """
rules:
  - {name: cloud, match: {user_intent: force-cloud}, model: cloud, tags: [paid], priority: 2}
  - {name: lost, match: {user_intent: lost}, model: nowhere}
  - {name: guests, match: {user_id: guest}, reject: Guests have no model here.}
"""
KEY = "sixteen bytes or more"


@pytest.fixture
def configured(litellm, tmp_path):
    def configure(**section):
        (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
        sys.modules["litellm"].callback_settings = {"hermes_hints": {"rules": "rules.yaml", **section}}
        return package.hermes_hints

    return configure


def called(callback, data, call_type="acompletion", models=("asked", "cloud", "nowhere")):
    key = SimpleNamespace(team_id=None, models=models)
    return asyncio.run(callback.async_pre_call_hook(key, None, data, call_type))


def request(hermes=None, headers=None, **more):
    body = {"model": "asked", "messages": [], "metadata": {}, **more}
    if hermes is not None:
        body["hermes"] = hermes
    return {**body, "proxy_server_request": {"headers": headers or {}}}


def test_a_rule_chooses_the_model_group_tags_and_priority(configured):
    data = called(configured(), request({"user_intent": "force-cloud"}))
    assert (data["model"], data["priority"], data["metadata"]["tags"]) == ("cloud", 2, ["paid"])
    assert data["metadata"]["spend_logs_metadata"] == {"user_intent": "force-cloud", "hermes_rule": "cloud"}
    assert "hermes" not in data


@pytest.mark.parametrize("call_type", ["aresponses", "anthropic_messages"])
def test_a_priority_is_given_where_litellm_takes_it_alone(configured, call_type):
    data = called(configured(), request({"user_intent": "force-cloud"}, litellm_metadata={}), call_type)
    assert (data["model"], data["litellm_metadata"]["tags"]) == ("cloud", ["paid"])
    assert "priority" not in data


def test_without_a_match_or_hints_the_model_asked_for_serves(configured):
    data = called(configured(), request())
    assert data["model"] == "asked"
    assert "priority" not in data
    assert data["metadata"] == {"spend_logs_metadata": {"hermes_rule": "default"}}


def test_hints_give_a_key_no_more_models_than_it_has(configured, caplog):
    for _ in range(2):
        data = called(configured(), request({"user_intent": "force-cloud", "user_id": "@alice"}), models=("asked",))
        assert data["model"] == "asked"
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "the rule 'cloud' chooses 'cloud', but the caller's key may not use it; the model asked for serves (said once)"
    ]


def test_a_model_group_that_is_not_there_is_not_asked_for(configured, caplog):
    assert called(configured(), request({"user_intent": "lost"}))["model"] == "asked"
    assert "LiteLLM has no model group of that name" in caplog.text


def test_a_refusal_is_answered_403_with_the_rules_text(configured):
    with pytest.raises(sys.modules["litellm.proxy._types"].ProxyException) as refused:
        called(configured(), request({"user_id": "guest"}))
    assert refused.value.said == ("Guests have no model here.", "permission_error", None, 403)


@pytest.mark.parametrize("call_type", ["aembedding", "aimage_generation", "atranscription", "new_in_a_later_version"])
def test_rules_are_for_language_models(configured, call_type):
    data = called(configured(), request({"user_intent": "force-cloud", "user_id": "guest"}), call_type)
    assert data["model"] == "asked"
    assert data["metadata"]["user_api_key_end_user_id"] == "guest"
    assert "hermes" not in data


def test_with_a_key_only_signed_hints_count(configured, caplog):
    callback = configured(signing_key=KEY)
    said = {"user_intent": "force-cloud", "user_id": "@alice"}
    forged = "t=1,v1=" + 64 * "0"
    for headers in ({}, {"X-Hermes-Hints-Signature": forged}):
        data = called(callback, request(said, headers, user="@alice"))
        assert data["model"] == "asked"
        assert "user_api_key_end_user_id" not in data["metadata"]
        assert {"hermes", "user"}.isdisjoint(data)
    assert "their signature is forged" in caplog.text
    assert "@alice" not in caplog.text


def test_signed_hints_count(configured):
    from hermes_hints.signature import sign

    said = {"user_intent": "force-cloud", "user_id": "@alice"}
    data = called(configured(signing_key=KEY), request(said, {"X-Hermes-Hints-Signature": sign(said, KEY.encode())}))
    assert (data["model"], data["metadata"]["user_api_key_end_user_id"]) == ("cloud", "@alice")


def test_a_failure_is_logged_once_without_an_identity_and_the_request_goes_on_without_hints(
    configured, litellm, caplog
):
    class Broken:
        def get_model_list(self, *_, **__):
            message = "@alice"
            raise RuntimeError(message)

    callback = configured()
    litellm.llm_router = Broken()
    for _ in range(3):
        data = called(callback, request({"user_intent": "force-cloud", "user_id": "@alice"}))
        assert data["model"] == "asked"
        assert "hermes" not in data
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert told[0].getMessage().startswith("hints were not acted on (RuntimeError at test_litellm_callback.py:")
    assert "@alice" not in told[0].getMessage()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(
    [
        *("hermes", "metadata", "litellm_metadata", "user", "model", "headers", "extra_body", "extra_headers"),
        *("proxy_server_request", "litellm_session_id"),
    ]
)
INNER = st.sampled_from(
    [
        "hermes_user_id",
        "user_id",
        "turn_id",
        "headers",
        "spend_logs_metadata",
        "tags",
        "requester_metadata",
        "session_id",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.dictionaries(NAMES, JSON | st.dictionaries(INNER, JSON)))
def test_whatever_a_client_sends_no_request_fails_and_no_hint_goes_on(configured, data):
    after = called(configured(), json.loads(json.dumps(data)))
    assert "hermes" not in after
    for name in ("metadata", "litellm_metadata"):
        if isinstance(after.get(name), dict):
            assert not any(key.startswith("hermes_") for key in after[name])


def test_answers_say_that_hints_are_read(configured):
    headers = configured().async_post_call_response_headers_hook(
        {}, None, None, request_headers={}, litellm_call_info={}
    )
    assert asyncio.run(headers) == {"X-Hermes-Hints": "v=1"}


def test_it_is_made_once_when_litellm_asks_for_it(configured):
    assert configured() is package.hermes_hints
    with pytest.raises(AttributeError, match="no attribute 'hermes_hint'"):
        package.hermes_hint  # noqa: B018 - the access is the test


def test_a_mistake_in_the_settings_stops_the_start(litellm):
    sys.modules["litellm"].callback_settings = {"hermes_hints": {"ruels": "x"}}
    with pytest.raises(ConfigError, match="did you mean 'rules'"):
        package.hermes_hints  # noqa: B018 - likewise
