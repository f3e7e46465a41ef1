"""``python -m reference``, from tests/: write the pages."""

from __future__ import annotations

import os
import tempfile

from . import DOCS, PAGES, written

with tempfile.TemporaryDirectory() as nothing:
    os.environ["HERMES_HINTS_HOME"] = nothing  # what this machine remembers of endpoints is no part of the pages
    for name in PAGES:
        (DOCS / name).write_text(written(name), encoding="utf-8")
