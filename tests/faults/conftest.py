"""What the tests of broken connections share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# The clients are those of the contract suite.
sys.path.append(str(Path(__file__).parents[1] / "contract"))


@pytest.fixture(autouse=True)
def _no_certificates(monkeypatch, tmp_path):
    """Nothing here speaks TLS, and reading the certificates takes most of the time that making a client does."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
