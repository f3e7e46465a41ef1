"""What the contract suite shares: an upstream, and clients of it."""

from __future__ import annotations

import pytest
from clients import PLAIN, Clients
from upstream import Upstream


@pytest.fixture(autouse=True)
def _no_certificates(monkeypatch, tmp_path):
    """Nothing here speaks TLS, and reading the certificates takes most of the time that making a client does."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


@pytest.fixture
def upstream():
    with Upstream() as endpoint:
        yield endpoint


@pytest.fixture
def elsewhere():
    """Another origin."""
    with Upstream() as endpoint:
        yield endpoint


@pytest.fixture(params=PLAIN)
def kind(request):
    """OpenAI and AsyncOpenAI; a test that is about Azure too parametrises ``kind`` with ``clients.KINDS``."""
    return request.param


@pytest.fixture
def clients(kind, upstream):
    return Clients(kind, upstream)
