"""MkDocs' hook: pages that lie outside docs/ are pages of the site too, and links between all of them stay right."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

CHECKOUT = Path(__file__).resolve().parents[2]
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "LICENSE": "license.txt",
    "devtools/README.md": "devtools.md",
    "hermes_hints/schema/hermes-hints-1.schema.json": "reference/hermes-hints-1.schema.json",
    **{
        f"plugins/{readme.parent.name}/README.md": f"plugins/{readme.parent.name}.md"
        for readme in sorted(CHECKOUT.glob("plugins/*/README.md"))
    },
}
"""Where they lie in the checkout, and in the site."""

_INSIDE = {there: here for here, there in OUTSIDE.items()}
_LINK = re.compile(r"(\]\(|(?:href|src|srcset)=\")([^)\s\"#:]+)(?=[#)\s\"])")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add them."""
    for here, there in OUTSIDE.items():
        files.append(File.generated(config, there, content=(CHECKOUT / here).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Rewrite links that lead out of docs/ or come from outside of it."""
    there = page.file.src_uri
    here = _INSIDE.get(there, f"docs/{there}")

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[2]))
        found = OUTSIDE.get(target, target.removeprefix("docs/") if target.startswith("docs/") else None)
        return link[0] if found is None else link[1] + posixpath.relpath(found, posixpath.dirname(there) or ".")

    return _LINK.sub(moved, markdown)
