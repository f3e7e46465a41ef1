"""Links lead somewhere when the pages are read as files; what a page calls a file is one."""

from __future__ import annotations

import re

import pytest
from pages import CHECKOUT, pages, prose, text_of

LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)|(?:href|src|srcset)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
FILE = re.compile(r"`((?:tests|docs|devtools|hermes_hints|plugins)/[\w./*-]+)(?:::\w+)?`")


def anchors(text):
    """Those that GitHub and the site make of a page's headings."""
    made = set()
    for heading in HEADING.findall(prose(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        made.add(next(name for name in (slug, *(f"{slug}-{n}" for n in range(1, 100))) if name not in made))
    return made


def wrong_links(page, text):
    for link in (first or second for first, second in LINK.findall(prose(text))):
        if re.match(r"[a-z]+:", link):
            if not link.startswith("https://"):
                yield f"{link} is not https"
            continue
        path, _, anchor = link.partition("#")
        target = (CHECKOUT / page).parent / path if path else CHECKOUT / page
        if not target.is_file():
            yield f"{link}: there is no such file"
        elif anchor and anchor not in anchors(target.read_text(encoding="utf-8") if path else text):
            yield f"{link}: there is no such heading"


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page):
    assert list(wrong_links(page, text_of(page))) == []


@pytest.mark.parametrize("page", pages())
def test_files_that_are_named_are_there(page):
    assert [name for name in FILE.findall(prose(text_of(page))) if not any(CHECKOUT.glob(name.rstrip("/")))] == []


def test_every_page_is_linked_to():
    linked = {
        ((CHECKOUT / page).parent / path).resolve().relative_to(CHECKOUT).as_posix()
        for page in pages()
        for path in (first.partition("#")[0] for first, _ in LINK.findall(prose(text_of(page))))
        if path and ":" not in path
    }
    assert set(pages()) - linked == {"README.md"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x](nowhere.md)", "nowhere.md: there is no such file"),
        ("[x](docs/wire.md#nothing)", "docs/wire.md#nothing: there is no such heading"),
        ("# One\n[x](#two)", "#two: there is no such heading"),
        ('<img src="docs/images/none.svg">', "docs/images/none.svg: there is no such file"),
        ("[x](http://example.org)", "http://example.org is not https"),
    ],
)
def test_a_link_that_leads_nowhere_is_noticed(text, said):
    assert list(wrong_links("README.md", text)) == [said]


def test_a_link_that_leads_somewhere_is_not():
    good = "# One two, three\n[x](#one-two-three) [y](docs/wire.md#who-gets-what) [z](https://docs.litellm.ai)\n```sh\n[q](no)\n```"
    assert list(wrong_links("README.md", good)) == []
