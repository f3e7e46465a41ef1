"""What the docs tell to write can be written, and names what is sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hermes_hints import Settings
from hermes_hints.profiles import BUILTIN

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECIPES = DOCS / "recipes"
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = (RECIPES / "README.md", DOCS / "downstreams.md")
BLOCKS = [(page.name, block) for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8"))]
ROWS = [line.split("|") for line in PAGES[1].read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
TABLE = {re.findall(r"`([^`]+)`", row[1])[0]: row for row in ROWS if len(row) == 8}
"""The table of receivers, by profile."""


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=lambda value: value if len(value) < 40 else "")
def test_settings_in_the_docs_load(page, block):
    settings = Settings.load(yaml.safe_load(block))
    assert settings.endpoints
    assert {rule.profile for rule in settings.endpoints} <= settings.known_profiles().keys()


def test_every_profile_is_in_the_table():
    assert TABLE.keys() == BUILTIN.keys()


@pytest.mark.parametrize("profile", TABLE)
def test_what_the_table_says_of_who_and_conversation_is_sent(profile, carried):
    apis = {"anthropic": "messages", "bedrock": "converse"}
    seen = carried(profile, api=apis.get(profile, "chat.completions"))
    sent = f"{dict(seen.headers)} {dict(seen.body)}".lower()
    named = [name for cell in TABLE[profile][3:5] for name in re.findall(r"`([^`]+)`", cell)]
    assert [name for name in named if not any(form in sent for form in (name.lower(), last_of(name)))] == []


def last_of(name):
    """The end of a path into metadata, or of a name that is written as ``-Path``."""
    return (name.rpartition(".")[2] if "metadata" in name else name.lstrip("-")).lower()


def test_every_file_of_a_recipe_is_told_of():
    told = (RECIPES / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in RECIPES.iterdir() if path.is_file()} - {"README.md"}
    assert [name for name in files if f"]({name})" not in told] == []


def test_links_lead_somewhere():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), link


def header(text, carried, profile):
    sent = {name.lower() for name in carried(profile, hints={"user_intent": "x", "cost_center": "7"}).headers}
    return text.lower() in sent


def test_vllm_s_production_stack_sticks_to_a_header_that_is_sent(carried):
    values = yaml.safe_load((RECIPES / "vllm-production-stack.yaml").read_text(encoding="utf-8"))["routerSpec"]
    assert values["routingLogic"] == "session"
    assert header(values["sessionKey"], carried, "vllm-router")


def test_envoy_routes_by_headers_that_are_sent_and_hands_on_none_that_say_who(carried):
    text = (RECIPES / "envoy-ai-gateway.yaml").read_text(encoding="utf-8")
    route, backend = yaml.safe_load_all(text)
    matched = {
        entry["name"]
        for rule in route["spec"]["rules"]
        for match in rule.get("matches", [])
        for entry in match["headers"]
    }
    attributes = re.search(r"spanRequestHeaderAttributes: (\S+)", text)
    assert attributes is not None
    matched |= {pair.partition(":")[0] for pair in attributes[1].split(",")}
    assert [name for name in matched if not header(name, carried, "envoy")] == []
    removed = backend["spec"]["headerMutation"]["remove"]
    assert len(removed) <= 16
    left = {name.lower(): value for name, value in carried("envoy").headers.items() if name.lower() not in removed}
    told = str(left)
    assert [value for value in ("alice", "Zo", "!ops", "Ops", "thread-9", "conversation-1") if value in told] == []
