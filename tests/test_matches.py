"""What an operator writes to name endpoints, and which requests are calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import hostile_urls, wild_text

from hermes_hints import ConfigError, Settings
from hermes_hints.endpoints import family_of, parse_endpoint, parse_match

MATCHES = {
    "llm.example.org": (
        [
            "http://llm.example.org",
            "https://LLM.example.org:4000/v1",
            "https://llm.example.org./v1",
            "https://u:p@llm.example.org",
        ],
        [
            "http://example.org",
            "http://x.llm.example.org",
            "http://llm.example.org.evil.com",
            "http://evil.com/llm.example.org",
        ],
    ),
    "LLM.Example.org.": (["http://llm.example.org"], ["http://example.org"]),
    "llm.example.org:4000": (
        ["http://llm.example.org:4000", "https://llm.example.org:4000/v1"],
        ["http://llm.example.org", "https://llm.example.org:4001"],
    ),
    "llm.example.org:443": (["https://llm.example.org/v1"], ["http://llm.example.org/v1"]),
    "*.example.org": (
        ["http://llm.example.org", "https://a.b.example.org:1/v1"],
        ["http://example.org", "http://evilexample.org", "http://example.org.evil.com", "http://llm.example.com"],
    ),
    "*.example.org:8080": (["http://llm.example.org:8080"], ["http://llm.example.org"]),
    "https://llm.example.org/v1": (
        ["https://llm.example.org/v1", "https://llm.example.org:443/v1/", "https://LLM.example.org/v1/chat"],
        [
            "http://llm.example.org/v1",
            "https://llm.example.org",
            "https://llm.example.org/v10",
            "https://llm.example.org/v1/../other",
            "https://llm.example.org/v1/%2e%2e/other",
            "https://llm.example.org:8443/v1",
        ],
    ),
    "https://llm.example.org/Team-A/v1": (["https://llm.example.org/Team-A/v1"], ["https://llm.example.org/team-a/v1"]),
    "HTTPS://llm.example.org": (["https://llm.example.org/any"], ["http://llm.example.org/any"]),
    "https://*.example.org": (["https://llm.example.org"], ["http://llm.example.org", "https://example.org"]),
    "10.1.0.0/16": (
        ["http://10.1.2.3:80", "http://[::ffff:10.1.2.3]"],
        ["http://10.2.0.1", "http://10.1.2.3.example.org", "http://10.1", "http://[fd00::1]"],
    ),
    "fd00::/8": (["http://[fd12::1]"], ["http://[fe80::1]", "http://10.0.0.1"]),
    "127.0.0.1": (
        ["http://127.0.0.1:80/v1", "http://[::ffff:127.0.0.1]"],
        ["http://localhost", "http://127.0.0.2", "http://127.1"],
    ),
    "127.0.0.1:4000": (["http://127.0.0.1:4000"], ["http://127.0.0.1:4001"]),
    "http://10.0.0.1:8080/v1": (["http://10.0.0.1:8080/v1"], ["http://10.0.0.1:8080/v2", "http://10.0.0.2:8080/v1"]),
    "::1": (["http://[::1]:80", "http://[0:0:0:0:0:0:0:1]"], ["http://127.0.0.1"]),
    "[fd00::1]:8080": (["http://[fd00:0:0::1]:8080"], ["http://[fd00::1]"]),
    "gpu": (["http://gpu:8000/v1"], ["http://gpu.local"]),
    "*": (["http://anything.example", "http://localhost", "http://8.8.8.8"], []),
}


@pytest.mark.parametrize("text", MATCHES)
def test_what_an_operators_match_covers(text):
    match = parse_match(text)
    covered, others = MATCHES[text]
    assert [url for url in covered if not match.covers(parse_endpoint(url))] == []
    assert [url for url in others if match.covers(parse_endpoint(url))] == []


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "",
            " ",
            "http://",
            "http:///v1",
            "host name",
            "exa*mple.org",
            "*.*",
            "**",
            "a..b",
            "-a",
            "ftp://llm.example.org",
        ),
        *(
            "llm.example.org:port",
            "llm.example.org:99999",
            "[::1",
            "llm.example.org/v1",
            "10.1.0.0/33",
            "10.1.2.3/16",
            "fd00::/200",
        ),
        *(
            "b\u00fccher.example",
            "localhost%.evil.com",
            "[::1]x",
        ),
    ],
)
def test_a_match_that_names_no_endpoint_is_refused_with_the_remedy(wrong):
    with pytest.raises(ConfigError) as refused:
        parse_match(wrong, key="endpoints.0.match")
    assert str(refused.value).startswith(f"endpoints.0.match: {wrong!r} ")
    assert "write a host, host:port, a URL" in str(refused.value)


@pytest.mark.parametrize("wrong", ["user@llm.example.org", "https://user:word@llm.example.org/v1", "@"])
def test_credentials_in_a_match_are_refused_and_not_repeated(wrong):
    for refused in (lambda: parse_match(wrong), lambda: Settings.load({"endpoints": [{"match": wrong}]})):
        with pytest.raises(ConfigError, match="holds credentials") as error:
            refused()
        assert "word" not in str(error.value)


@given(st.one_of(wild_text, hostile_urls))
def test_any_match_is_taken_or_refused(text):
    try:
        match = parse_match(text)
    except ConfigError:
        return
    assert match.covers(parse_endpoint("http://localhost")) in (True, False)


@pytest.mark.parametrize(
    ("url", "api", "body"),
    [
        ("/chat/completions", "chat.completions", True),
        ("chat/completions", "chat.completions", True),
        ("/chat/completions?api-version=2026-01-01", "chat.completions", True),
        ("https://gpu/openai/deployments/m/chat/completions?api-version=1", "chat.completions", True),
        ("/deployments/m/chat/completions", "chat.completions", True),
        ("/deployments/a model/images/generations", "images.generations", False),
        ("/responses", "responses", True),
        ("/responses/compact", "responses.compact", False),
        ("https://gpu/v1/responses/compact", "responses.compact", False),
        ("/completions", "completions", True),
        ("/embeddings", "embeddings", True),
        ("/images/generations", "images.generations", False),
    ],
)
def test_which_requests_are_calls(url, api, body):
    family = family_of(url)
    assert (family.api, family.body) == (api, body)


@pytest.mark.parametrize(
    "url",
    [
        "/models",
        "/files",
        "/chat/completions/abc",
        "/responses/resp_1",
        "/threads/t/messages",
        "/deployments",
        "/deployments/m",
        "/deployments/m/x/chat/completions",
        "https://gpu/v1/threads/t/messages",
        "",
        "/",
    ],
)
def test_which_are_none(url):
    assert family_of(url) is None
