"""YAML in the docs, read by what would read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pages import CHECKOUT, Block, text_of

import hermes_hints
from hermes_hints import plugins
from hermes_hints.cli.targets import find_targets
from hermes_hints.hermes.configuration import HermesSettings, load_settings
from hermes_hints.inbound import Admission
from hermes_hints.litellm.callback import read_configuration
from hermes_hints.rules import parse_rules

LITELLM = {"litellm_settings", "callback_settings", "general_settings", "router_settings", "model_list"}
RUN_WITH_LITELLM = ("test_litellm.py", "test_litellm_workers.py", "harness/litellm_proxy.py")
"""The end-to-end tests whose proxies are configured with what the docs show; another runs the recipe."""
CENTERS = "user_id,chat_id,cost_center\n@bob:example.org,,4712\n"


def take(block: Block, directory: Path) -> None:
    """Read a block as its owner would: Hermes, a program, a rule file, LiteLLM or LibreChat."""
    text = block.text.replace("/etc/hermes-hints", str(directory))
    content = yaml.safe_load(text)
    assert isinstance(content, dict), f"{block} is no mapping"
    reader = next(reader for belongs, reader in _READERS if belongs(content))
    reader(content, text, directory)


def _hermes(content: dict[str, Any], _text: str, directory: Path) -> None:
    (directory / "cost-centers.csv").write_text(CENTERS, encoding="utf-8")
    settings = load_settings(content)
    ours = [name for name in settings.plugins if (CHECKOUT / "plugins" / name).is_dir()]
    assert ours == list(settings.plugins)
    if ours:
        found = settings.model_copy(update={"hints_directory": CHECKOUT / "plugins"})
        plugins.registry.load(found, lambda name: None if name in ours else "not in this block")
        states = {plugin.name: (plugin.state, plugin.error) for plugin in hermes_hints.loaded_plugins()}
        assert {name: states[name] for name in ours} == dict.fromkeys(ours, ("loaded", None))


def _model(content: dict[str, Any], _text: str, _directory: Path) -> None:
    """Where Hermes' main model is asked."""
    (target,), unknown = find_targets(content)
    assert (target.places, unknown) == (("model",), ())


def _rules(content: dict[str, Any], text: str, _directory: Path) -> None:
    assert parse_rules(text, needs_default="default" in content).rules


def _litellm(content: dict[str, Any], _text: str, directory: Path) -> None:
    (directory / "rules.yaml").write_text("rules:\n  - {match: {purpose: main}, model: cloud}\n", encoding="utf-8")
    read_configuration(content.get("callback_settings", {}).get("hermes_hints"), directory)
    run = "".join(text_of(f"tests/e2e/{file}") for file in RUN_WITH_LITELLM)
    recipe = set(_words(yaml.safe_load(text_of("docs/recipes/litellm.yaml"))))
    assert [word for word in _words(content) if f'"{word}"' not in run and word not in recipe] == [], (
        "no proxy of the end-to-end tests is run with it"
    )


def _words(content: Any) -> Iterator[str]:
    """Every key, and every name among the values; numbers, addresses and what the environment tells are the place's own."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield str(key)
            yield from _words(value)
    elif isinstance(content, list):
        for value in content:
            yield from _words(value)
    elif isinstance(content, str) and not content[0].isdigit() and not content.startswith("os.environ/"):
        yield content


def _librechat(content: dict[str, Any], _text: str, _directory: Path) -> None:
    (endpoint,) = content["endpoints"]["custom"]
    fields = {"USER_ID": "user_id", "USER_NAME": "user_name", "BODY_CONVERSATIONID": "conversation_id"}
    said = {header: value.strip("{}").removeprefix("LIBRECHAT_") for header, value in endpoint["headers"].items()}
    admission = Admission(key="k", headers={header: fields[value] for header, value in said.items()})
    admitted = admission.admit(
        {"Authorization": "Bearer k", **{header: f"its {name}" for header, name in said.items()}}
    )
    assert admitted is not None
    assert admitted.identity.fields() == {fields[value]: f"its {value}" for value in said.values()}


def _settings(content: dict[str, Any], _text: str, _directory: Path) -> None:
    settings = HermesSettings.load(content)
    assert {rule.profile for rule in settings.endpoints} <= settings.known_profiles().keys()


_Content = dict[str, Any]
_READERS: tuple[tuple[Callable[[_Content], bool], Callable[[_Content, str, Path], None]], ...] = (
    (lambda content: bool({"enabled", "entries"} & dict(content.get("plugins") or {}).keys()), _hermes),
    (lambda content: content.keys() == {"model"}, _model),
    (lambda content: content.keys() <= LITELLM, _litellm),
    (lambda content: "rules" in content, _rules),
    (lambda content: isinstance(content.get("endpoints"), dict), _librechat),
    (lambda _content: True, _settings),
)
