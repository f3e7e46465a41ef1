"""For every test: nothing but loopback is reachable, and nothing is left over from the test before."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path

import pytest
from versions.recording import Recording

from hermes_hints import Settings, isolation, notices, pipeline, plugins, uninstall

_FOREIGN = (
    *("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_LOG"),
    *("OPENAI_API_VERSION", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT"),
    *(
        "HERMES_HINTS_KEY",
        "HERMES_HINTS_SIGNING_KEY",
        "HERMES_HOME",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ),
)
"""What the developer's own environment would change in a test."""

_DEFAULT = Settings().budget_ms / 1000

_escapes: list[str] = []


class OffLoopbackError(OSError):
    """A test tried to reach something other than this machine."""


def _refuse(what: str) -> None:
    message = f"{what}: tests reach loopback only"
    _escapes.append(message)
    raise OffLoopbackError(message)


def _local(host: object) -> bool:
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guarded_connection(real):
    def guarded(self, address, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _local(address[0]):
            _refuse(f"a connection to {address[0]}:{address[1]}")
        return real(self, address, *rest)

    return guarded


def _guarded_datagram(real):
    def guarded(self, data, *rest):
        address = rest[-1] if rest else None
        if isinstance(address, tuple) and not _local(address[0]):
            _refuse(f"a datagram to {address[0]}:{address[1]}")
        return real(self, data, *rest)

    return guarded


def _guarded_lookup(real):
    def guarded(host, *rest, **named):
        if not _local(host[0] if isinstance(host, tuple) else host):
            _refuse(f"a name lookup of {host!r}")
        return real(host, *rest, **named)

    return guarded


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    runs = os.environ.get("HERMES_HINTS_RUNS")
    if runs and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recording(Path(runs)))
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _guarded_connection(getattr(socket.socket, name)))
    socket.socket.sendto = _guarded_datagram(socket.socket.sendto)
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
        setattr(socket, name, _guarded_lookup(getattr(socket, name)))


def pytest_sessionfinish(session):
    if _escapes and session.exitstatus == pytest.ExitCode.OK:  # from a thread that outlived its test
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for message in _escapes:
        terminalreporter.write_line(f"ESCAPE: {message}", red=True)


@pytest.fixture
def escapes():
    """What tests tried to reach and may not; a test that means to takes it out again."""
    return _escapes


@pytest.fixture(autouse=True)
def _loopback_only():
    """Fail a test that tried to reach further, also where the code under test swallowed the refusal."""
    before = len(_escapes)
    yield
    escaped = _escapes[before:]
    if escaped:
        pytest.fail("; ".join(escaped), pytrace=False)


@pytest.fixture(autouse=True)
def _clean_state(monkeypatch, tmp_path):
    """Start without plugins, notices, ladder memory, installed doors and foreign environment."""
    for name in (*_FOREIGN, *(name.lower() for name in _FOREIGN)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(os.environ, "HERMES_HINTS_HOME", str(tmp_path / "hermes-hints"))
    _forget()
    yield
    uninstall()
    _forget()


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Give hint plugins a second where a test does not choose: the machine may be busy, and that is not what it is about."""

    def patient(implementations, arguments, budget, **rest):
        return isolation.run_each(implementations, arguments, 1.0 if budget == _DEFAULT else budget, **rest)

    monkeypatch.setattr(plugins, "run_each", patient)


def _forget():
    plugins.registry.__init__()  # in place: doors hold this very object
    pipeline._ladder.__init__()
    pipeline._advertised.__init__(pipeline._learned.asked)
    notices._said.clear()
