"""A stand-in for the parts of LiteLLM that the callback touches; the real one is run in tests/e2e/test_litellm.py."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

import hermes_hints.litellm as package


class ProxyException(Exception):  # noqa: N818 - LiteLLM's name
    def __init__(self, *, message, type, param, code):  # noqa: A002 - likewise
        super().__init__(message)
        self.said = (message, type, param, code)


class Router:
    def __init__(self, *groups):
        self.groups = groups

    def get_model_list(self, model_name, team_id=None):
        return [{"model_name": model_name}] if model_name in self.groups else []


async def _allowed(model, llm_model_list, valid_token, llm_router):
    if model not in valid_token.models:
        raise ProxyException(message=f"no {model}", type="key_model_access_denied", param="model", code=401)


@pytest.fixture
def litellm(monkeypatch, tmp_path):
    """The settings and the router of the proxy, to be changed by a test."""
    proxy = SimpleNamespace(
        callback_settings={}, llm_router=Router("asked", "cloud"), user_config_file_path=str(tmp_path / "config.yaml")
    )
    modules = {
        "litellm": proxy,
        "litellm.integrations": SimpleNamespace(),
        "litellm.integrations.custom_logger": SimpleNamespace(CustomLogger=type("CustomLogger", (), {})),
        "litellm.proxy": SimpleNamespace(),
        "litellm.proxy._types": SimpleNamespace(ProxyException=ProxyException),
        "litellm.proxy.auth": SimpleNamespace(),
        "litellm.proxy.auth.auth_checks": SimpleNamespace(can_key_call_resolved_model=_allowed),
        "litellm.proxy.proxy_server": proxy,
    }
    proxy.llm_model_list = None
    for name, content in modules.items():
        module = ModuleType(name)
        module.__dict__.update(vars(content))
        monkeypatch.setitem(sys.modules, name, module)
    package._callback.cache_clear()
    monkeypatch.delitem(sys.modules, "hermes_hints.litellm.callback", raising=False)
    yield sys.modules["litellm.proxy.proxy_server"]
    package._callback.cache_clear()
    sys.modules.pop("hermes_hints.litellm.callback", None)
    vars(package).pop("callback", None)
