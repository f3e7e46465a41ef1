"""Where a base URL leads: nothing that could reach a public host counts as one's own network."""

from __future__ import annotations

import importlib.util
import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import hostile_urls, wild_text

from hermes_hints.endpoints import Endpoint, parse_endpoint

LOOPBACK = (
    *(
        "http://localhost",
        "http://localhost:8080/v1",
        "https://LOCALHOST/v1/",
        "http://LocalHost.",
        "http://api.localhost:1",
    ),
    *(
        "http://a.b.LOCALHOST./",
        "http://127.0.0.1",
        "http://127.0.0.1:4000/v1",
        "http://127.255.255.254",
        "http://127.8.8.8",
    ),
    *("http://[::1]", "http://[::1]:8080/v1", "http://[0:0:0:0:0:0:0:1]/", "http://[::1%lo]/", "http://[::1%25lo]/"),
    *("http://[::ffff:127.0.0.1]/", "http://[::FFFF:7F00:1]:80/", "http://0.0.0.0:8000", "http://[::]:8000"),
    *("http://user:secret@127.0.0.1:80/v1", "http://evil.com:80@localhost/", "http://x@evil.com@127.0.0.1/"),
    *("http://user:pa[::1]ss@localhost", "http://localhost/v1\n", "HTTP://localhost", "http://localhost?x=@evil.com"),
    *("http://localhost#@evil.com", "http://localhost/@evil.com", "http://localhost:/v1"),
)
PRIVATE = (
    *(
        "http://10.0.0.1",
        "http://10.255.255.255:1",
        "http://172.16.0.1/",
        "http://172.31.255.255",
        "http://192.168.1.20:11434/v1",
    ),
    *(
        "http://169.254.169.254/",
        "http://[fc00::1]",
        "http://[fd12:3456::1]:8080",
        "http://[fe80::1%eth0]/",
        "http://[FE80::1]",
    ),
    *(
        "http://[::ffff:10.0.0.1]",
        "http://[::ffff:c0a8:101]",
        "http://gpu",
        "http://GPU-1:8000/v1",
        "http://ollama:11434/v1",
    ),
    *(
        "http://my_box/",
        "http://gpu.local",
        "http://gpu.LOCAL.:1/",
        "http://llm.prod.internal",
        "http://llm.internal./v1",
    ),
    *(
        "http://evil.com.internal",
        "http://xn--bcher-kva.local",
        "http://user:pass@gpu:8000",
        "http://192.168.0.1@10.0.0.1",
    ),
    *("http://0x7g", "http://1a", "http://\u212apu.local"),  # a Kelvin sign is a k, for HTTP clients too
)
PUBLIC = (
    # public addresses, and those that are neither one's own nor the world's
    *(
        "http://8.8.8.8",
        "https://1.1.1.1/v1",
        "http://100.64.0.1",
        "http://172.32.0.1",
        "http://172.15.255.255",
        "http://11.0.0.1",
    ),
    *(
        "http://192.169.0.1",
        "http://0.0.0.1",
        "http://255.255.255.255",
        "http://224.0.0.1",
        "http://192.0.0.8",
        "http://128.0.0.1",
    ),
    *("http://[2001:4860:4860::8888]", "http://[::ffff:8.8.8.8]", "http://[64:ff9b::7f00:1]", "http://[2002:7f00:1::]"),
    *("http://[::127.0.0.1]", "http://[fec0::1]", "http://[2001:db8::1]", "http://[::2]", "http://[::ffff:0:7f00:1]"),
    # names
    *(
        "https://api.openai.com/v1",
        "https://llm.example.org.",
        "http://localhost.evil.com",
        "http://evil.com/localhost",
    ),
    *(
        "http://127.0.0.1.evil.com",
        "http://127.0.0.1.nip.io",
        "http://10.0.0.1.evil.com",
        "http://localhost.localdomain",
    ),
    *(
        "http://internal.evil.com",
        "http://notlocalhost.com",
        "http://ai.",
        "http://com.",
        "http://xlocal.com",
        "http://foo.mylocal.net",
        "http://foo.xinternal.dev",
    ),
    *("http://foo.localhost.com", "http://foo-local.org", "http://xn--80ak6aa92e.com"),
    # numeric spellings of an address: what a resolver makes of them is its business
    *(
        "http://2130706433",
        "http://0x7f000001",
        "http://127.1",
        "http://127.0.1",
        "http://0177.0.0.1",
        "http://0x7f.0.0.1",
        "http://0",
    ),
    *(
        "http://127.0.0.0x1",
        "http://10.1",
        "http://192.168.257",
        "http://127.0.0.1.",
        "http://0x",
        "http://010.0.0.1",
        "http://1.2.3",
    ),
    *("http://127.0.0.256", "http://127.0.0.01", "http://host.0x7f", "http://00000000000"),
    # a path to an HTTP client, which goes where its own base URL leads
    *(
        " http://localhost/v1",
        "\x01http://localhost",
        "//localhost/v1",
        "localhost/v1",
        "localhost:8080/v1",
        "unix://localhost",
    ),
    # another path than the one that is asked
    *(
        "http://localhost/v1/..",
        "http://localhost/a/../v1",
        "http://gpu/v1/%2e%2E/other",
        "http://gpu/./v1",
        "http://gpu/.%2e/v1",
    ),
    # names that are none, or another one to someone else
    *(
        "http://localhost%.evil.com",
        "http://127.0.0.1%00.evil.com/",
        "http://127.0.0.1%2eevil.com/",
        "http://localhost%2f@evil.com",
    ),
    *(
        "http://10.0.0.1%25.evil.com",
        "http://gpu%00",
        "http://localhost%",
        "http://[::1].evil.com/",
        "http://evil.com[::1]/",
    ),
    *(
        "http://[::1]evil.com/",
        "http://[::1]]/",
        "http://[[::1]]/",
        "http://[localhost]/",
        "http://[v1.fe]/",
        "http://::1/",
    ),
    *(
        "http://127.0.0.1\\@evil.com/",
        "http://127.0.0.1\\.evil.com/",
        "http:\\\\localhost",
        "http://localhost\\evil.com",
    ),
    *("http://localhost;evil.com", "http://localhost,evil.com", "http://local host", "http://localhost\x00.evil.com"),
    *(
        "http://localhost..",
        "http://.localhost",
        "http://a..local",
        "http://-a",
        "http://a-",
        "http://a-.local",
        "http://*",
    ),
    *(
        "http://\uff11\uff12\uff17.0.0.1",
        "http://\u24dbocalhost",
        "http://localhost\u3002evil.com",
        "http://evil\u3002com",
    ),
    *(
        "http://evi\uff4c",
        "http://\u2460",
        "http://fa\u00df.internal",
        "http://evil.com\u200e.internal",
        "http://lo\u00adcalhost",
    ),
    *("http://localhost\uff0fevil.com", "http://localhost\u2100.evil", "http://g\u0440u.local", "http://\u0130.local"),
    # nothing that could be asked
    *(
        "",
        " ",
        "localhost",
        "localhost:8080",
        "localhost/v1",
        "http:",
        "http://",
        "http:///v1",
        "http:/localhost",
        "http:localhost",
    ),
    *(
        "http://:80",
        "http://user@",
        "http://@",
        "http://localhost:port",
        "http://localhost:99999",
        "http://localhost:-1",
    ),
    *(
        "http://localhost:80:80",
        "http://foo:bar:127.0.0.1/",
        "http://[::1",
        "http://::1]",
        "file:///etc/hosts",
        "\x00",
        "http://" + "a" * 64,
    ),
    *("://localhost", "http//localhost", "None", "http://{host}/v1", "http://${HOST}"),
)
CLIENTS = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


@pytest.mark.parametrize(
    ("url", "reach"),
    [
        (url, reach)
        for reach, urls in (("loopback", LOOPBACK), ("private", PRIVATE), ("public", PUBLIC))
        for url in urls
    ],
)
def test_how_far_a_url_reaches(url, reach):
    assert parse_endpoint(url).reach == reach


def host_of_a_client(client, url):
    """The host that an HTTP client would connect to; ``None`` where it refuses the URL."""
    library = pytest.importorskip(client)
    try:
        parsed = library.URL(url)
    except Exception:  # noqa: BLE001 - each library has its own errors, and idna's come through
        return None
    return parsed.raw_host.decode("ascii").lower() or None if parsed.scheme in ("http", "https") else None


def leads_to_ones_own(host):
    """Whether a host as a client would resolve it is an own one: told without the code under test."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        labels = host.removesuffix(".").split(".")
        return labels[-1] in ("localhost", "local", "internal") or (len(labels) == 1 and not host.endswith("."))
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_private or address.is_link_local or address.is_loopback or address.is_unspecified


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("url", [*LOOPBACK, *PRIVATE, *PUBLIC])
def test_what_counts_as_ones_own_is_where_an_http_client_connects(client, url):
    endpoint = parse_endpoint(url)
    host = host_of_a_client(client, url)
    if endpoint.reach != "public" and host is not None:
        assert leads_to_ones_own(host)
        assert host.partition("%")[0] == endpoint.host


@given(st.one_of(hostile_urls, wild_text))
@example("http://localhost%.evil.com")
def test_no_url_is_taken_for_ones_own_that_a_client_takes_for_a_public_one(url):
    endpoint = parse_endpoint(url)
    assert endpoint.reach in ("loopback", "private", "public")
    if endpoint.reach == "public":
        return
    for client in CLIENTS:
        host = host_of_a_client(client, url)
        assert host is None or leads_to_ones_own(host)


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://localhost", "http://localhost:80", ""),
        ("https://API.Example.org/v1/", "https://api.example.org:443", "/v1"),
        ("https://api.example.org:8443/v1/Team", "https://api.example.org:8443", "/v1/Team"),
        ("http://[FD00::1]:8080/v1", "http://[fd00::1]:8080", "/v1"),
        ("http://[fe80::1%eth0]/", "http://[fe80::1]:80", ""),
        ("http://user:secret@gpu/v1", "http://gpu:80", "/v1"),
        ("http://gpu:0/v1", "http://gpu:80", "/v1"),
    ],
)
def test_the_origin_has_the_port_and_no_credentials(url, origin, path):
    endpoint = parse_endpoint(url)
    assert (endpoint.origin, endpoint.path) == (origin, path)
    assert "secret" not in repr(endpoint)


def test_a_url_that_cannot_be_read_names_no_host():
    assert parse_endpoint("http://[::1") == Endpoint("", "", None, "", "public")
