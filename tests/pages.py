"""The pages that people read, and the fenced blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r"^( *)(`{3,}|~{3,})\s*(.*)$")


class Block(NamedTuple):
    """A fenced block; ``line`` is that of its fence, ``text`` is without the fence's own indentation."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every page, as its path from the checkout."""
    found = [
        *CHECKOUT.glob("*.md"),
        *CHECKOUT.glob("docs/**/*.md"),
        *CHECKOUT.glob("plugins/*/README.md"),
        CHECKOUT / "devtools" / "README.md",
    ]
    return sorted(page.relative_to(CHECKOUT).as_posix() for page in found)


def text_of(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


def blocks() -> list[Block]:
    """Every fenced block of every page."""
    return [block for page in pages() for block in blocks_in(page, text_of(page))]


def blocks_in(page: str, text: str) -> Iterator[Block]:
    """The fenced blocks of a page's text."""
    opened: re.Match[str] | None = None
    number, inside = 0, list[str]()
    for line, content in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(content)
        if opened is None and fence is not None:
            opened, number, inside = fence, line, []
        elif opened is not None and fence is not None and not fence[3] and fence[2].startswith(opened[2]):
            yield Block(page, number, opened[3], "".join(inside))
            opened = None
        elif opened is not None:
            inside.append(content.removeprefix(opened[1]) + "\n")
    if opened is not None:
        msg = f"{page}:{number}: the block is never closed"
        raise ValueError(msg)


def prose(text: str) -> str:
    """A page's text with its fenced blocks left empty, line by line."""
    kept: list[str] = []
    fence: str | None = None
    for content in text.splitlines():
        match = _FENCE.match(content)
        if fence is None and match is not None:
            fence = match[2]
            kept.append("")
        elif fence is not None:
            if match is not None and not match[3] and match[2].startswith(fence):
                fence = None
            kept.append("")
        else:
            kept.append(content)
    return "\n".join(kept)
