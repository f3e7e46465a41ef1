"""The diagrams are whole, are read in light and in dark, and tell what the code does."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from pages import CHECKOUT, pages, text_of

from hermes_hints import Hints, Identity, Settings, calling, hint, identify
from hermes_hints.outgoing import Outgoing
from hermes_hints.pipeline import Pipeline

IMAGES = CHECKOUT / "docs" / "images"
DRAWN = ("request.svg", "ladder.svg", "who-sees-what.svg")
SVG = "{http://www.w3.org/2000/svg}"
COLUMNS = ("@alice:example.org", "Alice Archer", "session-0001", "title_generation")
"""A value for each column of who-sees-what.svg."""


@pytest.mark.parametrize("name", DRAWN)
def test_it_is_readable_alone_and_on_any_ground(name):
    text = (IMAGES / name).read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 - our own
    ground = root.find(f"{SVG}rect")
    assert ground is not None
    assert ground.get("class") == "paper"
    assert "prefers-color-scheme: dark" in text
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)|<script|@import|url\((?!#)", text) == []


@pytest.mark.parametrize("name", DRAWN)
def test_it_is_shown_with_words_for_who_does_not_see_it(name):
    shown = [found for page in pages() for found in re.findall(rf"!\[([^\]]+)\]\([^)]*{name}\)", text_of(page))]
    assert shown
    assert all(len(words) > 20 for words in shown)


def carried(endpoint, profile, privacy):
    rules = [{"match": endpoint, "profile": profile, "privacy": privacy}] if profile else []
    pipeline = Pipeline(Settings.load({"endpoints": rules, "pseudonym_key": "a key of the operator's own"}))
    outgoing = Outgoing("chat.completions", {"model": "m"}, None, None)
    person, name, session, purpose = COLUMNS
    with (
        identify(Identity(user_id=person, user_name=name, session_id=session)),
        calling(purpose=purpose),
        hint(Hints(user_intent="force-cloud")),
    ):
        stamp = pipeline.stamp(outgoing, pipeline.decide(f"https://{endpoint}/v1"))
    return {} if stamp is None else stamp.record


def cells(record):
    fields = ("user_id", "user_name", "conversation_id", "purpose")
    return [
        "no" if f not in record else "yes" if record[f] == was else "pseudonym"
        for f, was in zip(fields, COLUMNS, strict=True)
    ]


def test_who_sees_what_is_what_the_policy_does():
    root = ET.parse(IMAGES / "who-sees-what.svg").getroot()  # noqa: S314 - our own
    rows = [[text.text for text in row.iter(f"{SVG}text")] for row in root.iter(f"{SVG}g") if row.get("class") == "row"]

    assert rows == [
        cells(carried("127.0.0.1:8300", None, "raw")),
        cells(carried("127.0.0.1:4000", "litellm", "raw")),
        ["no"] * 4,  # tests/e2e/test_litellm_profile.py reads what reaches the provider
        cells(carried("llm.example.org", "dispatcher", "pseudonymous")),
        cells(carried("llm.example.org", "dispatcher", "none")),
        cells(carried("llm.example.org", None, "raw")),
    ]
