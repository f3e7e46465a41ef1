"""The inspector's page in a real headless Chromium: it fills live, filters, shows the tree, and gives nothing away.

With ``$HERMES_HINTS_PICTURES`` set to a directory, what it looks like is put there, wide and narrow, light and dark, and as in
the docs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness.browser import MISSING, Browser, chromium_programs, running_browser

sys.path.insert(0, str(Path(__file__).parents[1] / "inspector"))

from passing_calls import ANN, BEN, CALLS, KEY, MARK_UP, ROOT, ask, populated

from hermes_hints.inspector import Inspector

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(chromium_programs() is None, reason=MISSING)]

WIDE, NARROW = (1400, 1000), (400, 900)


@pytest.fixture(scope="module")
def inspector() -> Iterator[Inspector]:
    with populated() as inspector:
        yield inspector


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(tmp_path_factory.mktemp("browser")) as window:
        yield window


@pytest.fixture
def page(window: Browser, inspector: Inspector) -> Browser:
    """The page anew, when it shows every call that is kept."""
    window.show_as(width=WIDE[0], height=WIDE[1], scheme="light")
    window.requested()
    window.complaints()
    window.open(str(inspector.page_url))
    window.wait_until("return document.querySelectorAll('.row').length === arguments[0]", len(inspector.calls.kept()))
    return window


def test_a_call_appears_while_it_is_looked_at(page: Browser, inspector: Inspector) -> None:
    assert page.text("#live") == "live"
    before = len(inspector.calls.kept())
    ask(
        inspector.base_url,
        {**BEN, "session_id": "20261126_120000_11223344", "turn_id": "t", "purpose": "vision"},
        "eyes",
        {},
    )
    page.wait_until("return document.querySelectorAll('.row').length === arguments[0]", before + 1)
    newest = page.text(".turn")
    for part in ("vision", "eyes → eyes-2026-11", "200", "1200 + 84 tokens", "full", "Lab"):
        assert part in newest


def test_a_turn_is_a_tree_of_its_steps_tools_subagent_and_title(page: Browser) -> None:
    (turn,) = [text for text in page.texts(".turn") if "delegate_task" in text]
    assert turn.startswith("Ann")
    tree = page.run(
        "const of = list => [...list.children].map(item => [item.querySelector('.what').innerText.trim(), "
        "...[...item.querySelectorAll(':scope > ul')].map(of)]);"
        "return of([...document.querySelectorAll('.turn')].find(t => t.innerText.includes('delegate_task')).querySelector('ul'))"
    )
    assert tree == [
        ["main 1 → delegate_task", [["subagent 1 → read_file"], ["subagent 2 after 1 tool result"]]],
        ["main 2 after 1 tool result"],
        ["title_generation"],
    ]


@pytest.mark.parametrize(
    ("name", "value", "fitting"),
    [
        ("person", ANN["user_id"], lambda call: call.get("user_id") == ANN["user_id"]),
        ("room", BEN["chat_id"], lambda call: call.get("chat_id") == BEN["chat_id"]),
        ("conversation", ROOT, lambda call: call.get("conversation_id") == ROOT),
        ("purpose", "subagent", lambda call: call.get("purpose") == "subagent"),
        ("person", "\0", lambda call: "user_id" not in call),
    ],
)
def test_filters(page: Browser, inspector: Inspector, name, value, fitting) -> None:
    page.choose(f"select[name={name}]", value)
    wanted = [call.number for call in inspector.calls.kept() if fitting(call.arrived.record)]
    shown = page.run("return [...document.querySelectorAll('.row:not(.dim)')].map(row => Number(row.dataset.number))")
    assert sorted(shown) == wanted
    assert f"{len(wanted)} of " in page.text("#count")
    page.click("button[type=reset]")
    page.wait_until("return document.querySelectorAll('.row').length === arguments[0]", len(inspector.calls.kept()))


def test_what_a_call_carries_and_would_carry_with_another_profile(page: Browser) -> None:
    page.click("[data-number='1']")
    page.wait_until("return document.querySelector('#elsewhere pre') !== null")
    details = page.text("#details")
    for part in (
        "local-large-2026-11",
        "@ann:example.org",
        "body, metadata, header",
        "hermes_user_id",
        "x-hermes-user-id",
        "authorization",
    ):
        assert part in details
    page.choose("#chooser select[name=profile]", "openai")
    page.choose("#chooser select[name=privacy]", "pseudonymous")
    page.wait_until("return document.querySelector('#elsewhere').innerText.includes('(pseudonym)')")
    told = page.text("#elsewhere")
    assert "safety_identifier" in told
    assert "@ann:example.org" not in told
    assert "metadata: this endpoint takes it with requests that it stores" in told


def test_an_answer_that_comes_late_does_not_replace_the_newer_choice(page: Browser) -> None:
    page.click("[data-number='1']")
    page.wait_until("return document.querySelector('#elsewhere pre') !== null")
    page.run(
        "const real = window.fetch; window.fetch = async question => {"
        "  const answer = await real(question), json = answer.json.bind(answer);"
        "  if (question.includes('privacy=raw')) answer.json = async () => {"
        "    await new Promise(done => setTimeout(done, 500)); setTimeout(() => { window.late = true; }); return json(); };"
        "  return answer; };"
    )
    page.choose("#chooser select[name=profile]", "openai")
    page.run("return new Promise(done => setTimeout(done, 200))")
    page.choose("#chooser select[name=privacy]", "pseudonymous")
    page.wait_until("return document.querySelector('#elsewhere').innerText.includes('(pseudonym)')")
    page.wait_until("return window.late === true")
    assert "@ann:example.org" not in page.text("#elsewhere")


def test_markup_in_a_name_is_text(page: Browser) -> None:
    page.click("[data-number='6']")
    page.wait_until("return document.querySelector('#elsewhere pre') !== null")
    page.choose("select[name=person]", BEN["user_id"])
    assert MARK_UP in page.text("#turns")
    assert MARK_UP in page.text("#details")
    assert page.run("return [document.title, document.images.length]") == [
        "Calls as they pass: hermes-hints inspect",
        0,
    ]


def test_the_page_works_without_a_mouse(page: Browser) -> None:
    page.run("document.querySelector('.row').focus()")
    page.press("Down", "Down", "Up", "Enter")
    second = page.run("return document.querySelectorAll('.row')[1].dataset.number")
    assert page.text("#details h2").startswith(f"Call {second}:")
    assert page.run("return document.activeElement.dataset.number") == second
    focusable = page.run(
        "return [...document.querySelectorAll('button, select')].every(e => e.tabIndex >= 0 && (e.innerText || e.labels?.length || e.ariaLabel))"
    )
    assert focusable


def test_it_asks_nobody_but_the_inspector_and_shows_no_key(page: Browser, inspector: Inspector) -> None:
    page.click("[data-number='1']")
    page.wait_until("return document.querySelector('#elsewhere pre') !== null")
    asked = [urlsplit(url) for url in page.requested()]
    assert {url.netloc for url in asked if url.scheme not in ("chrome", "data")} == {
        urlsplit(inspector.page_url).netloc
    }
    assert page.complaints() == []
    held = page.run("return document.documentElement.outerHTML + JSON.stringify([...calls.values()])")
    for secret in (KEY, "a secret message", "a caller's own value"):
        assert secret not in held
    assert page.run("return document.cookie + localStorage.length + sessionStorage.length") == "00"


def test_no_script_but_its_own_can_run(page: Browser) -> None:
    refused = page.run("try { document.body.innerHTML = '<b>x</b>'; return false } catch { return true }")
    assert refused
    assert page.run("return fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    assert any("Content Security Policy" in line for line in page.complaints())


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_follows_the_owner_s_choice_of_colours(page: Browser, size, scheme) -> None:
    page.show_as(width=size[0], height=size[1], scheme=scheme)
    page.run("choose(null)")
    dark = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(20, 22, 26)") == (scheme == "dark")
    page.click("#theme")
    assert page.run("return getComputedStyle(document.body).backgroundColor") != dark
    page.click("#theme")
    _picture(page, f"{size[0]}-{scheme}-calls.png")
    page.click("[data-number='2']")
    page.wait_until("return document.querySelector('#elsewhere pre') !== null")
    _picture(page, f"{size[0]}-{scheme}-call.png")
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    both = page.run("return ['turns', 'details'].map(id => document.getElementById(id).offsetParent !== null)")
    assert both == ([True, True] if size == WIDE else [False, True])
    if size == NARROW:
        page.click(".back")
        assert page.run("return document.activeElement.dataset.number") == "2"


def _picture(page: Browser, name: str) -> None:
    directory = os.environ.get("HERMES_HINTS_PICTURES")
    if directory:
        (Path(directory) / name).write_bytes(page.picture())


def test_the_picture_in_the_docs(window: Browser) -> None:
    with populated(ben="Ben") as inspector:
        window.show_as(width=1120, height=880, scheme="light")
        window.open(str(inspector.page_url))
        window.wait_until("return document.querySelectorAll('.row').length === arguments[0]", len(CALLS))
        window.click("[data-number='2']")
        window.wait_until("return document.querySelector('#elsewhere pre') !== null")
        window.run("scrollTo(0, 0)")
        _picture(window, "inspect.png")
        assert "Ben" in window.text("#turns")
