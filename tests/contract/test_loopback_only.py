"""The tests' own guard: what tries to leave this machine is refused, and fails its test."""

from __future__ import annotations

import asyncio
import socket

import openai
import pytest
from clients import ask

FAR = "198.51.100.7"  # RFC 5737: for documentation


def connect():
    socket.create_connection((FAR, 80), timeout=1)


def connect_without_lookup():
    with socket.socket() as far:
        far.connect_ex((FAR, 80))


def connect_by_ipv6():
    with socket.socket(socket.AF_INET6) as far:
        far.connect(("2001:db8::7", 80))


def send_a_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.sendto(b"?", (FAR, 53))


def look_up():
    socket.getaddrinfo("llm.example.org", 443)


def look_up_the_old_way():
    socket.gethostbyname("llm.example.org")


def look_up_asynchronously():
    async def main():
        await asyncio.get_running_loop().getaddrinfo("llm.example.org", 443)

    asyncio.run(main())


WAYS = [connect, connect_without_lookup, connect_by_ipv6, send_a_datagram]
WAYS += [look_up, look_up_the_old_way, look_up_asynchronously]


@pytest.mark.parametrize("way", WAYS)
def test_leaving_is_refused_and_noted(way, escapes):
    with pytest.raises(OSError, match="loopback only"):
        way()
    assert len(escapes) == 1
    escapes.clear()


def test_a_default_client_of_a_public_host_is_noted(clients, escapes):
    with pytest.raises(openai.APIConnectionError):
        clients.run(ask(clients.make(base_url="http://llm.example.org/v1")))
    assert "llm.example.org" in escapes[0]
    escapes.clear()


def test_loopback_is_open(clients, upstream, escapes):
    clients.run(ask(clients.make(base_url=upstream.base_url.replace("127.0.0.1", "localhost"))))
    assert upstream.only.path == "/v1/chat/completions"
    assert not escapes
