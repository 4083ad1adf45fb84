"""Base URLs, and which proxy the environment gives them."""

from __future__ import annotations

import pytest

from everup.net.origin import Origin, make_origin
from everup.net.outgoing import Outgoing
from everup.net.proxy import Proxies, connect_request, proxy_login, read_proxies

NONE = Proxies()


@pytest.mark.parametrize(
    ("url", "origin", "prefix"),
    [
        ("https://api.openai.com/v1", Origin("https", "api.openai.com", 443), "/v1"),
        ("HTTPS://API.Example.COM./v1/", Origin("https", "api.example.com", 443), "/v1"),
        ("http://localhost:11434", Origin("http", "localhost", 11434), ""),
        ("http://[::1]:8080/a/b", Origin("http", "::1", 8080), "/a/b"),
        ("http://127.0.0.1/", Origin("http", "127.0.0.1", 80), ""),
        ("https://bücher.example/v1", Origin("https", "xn--bcher-kva.example", 443), "/v1"),
        ("http://my_host:1/%20x", Origin("http", "my_host", 1), "/%20x"),
    ],
)
def test_a_base_url_is_an_origin_and_a_prefix(url: str, origin: Origin, prefix: str) -> None:
    """Scheme, host and port are normal forms, so that equal places are equal, and the prefix has no last slash."""
    assert (origin, prefix) == make_origin(url, proxies=NONE)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host/",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "https://user:secret@host/v1",
        "https://secret@host/v1",
        "https://host/v1?key=secret",
        "https://host/v1#secret",
        "https://host:99999/",
        "https://host:secret/",
        "https://ho st/",
        "https://host/a b",
        "https://host/a\r\nx: y",
        "https://host/ü",
        "https://" + "a" * 70 + ".example/",
        "https://host\\@evil/",
    ],
)
def test_a_base_url_that_could_mislead_is_refused(url: str) -> None:
    """What is no plain http(s) URL, or would carry a secret, is refused."""
    with pytest.raises(ValueError):
        make_origin(url, proxies=NONE)


ENVIRON = {
    "HTTPS_PROXY": "http://user:pass%21@proxy.corp:3128",
    "http_proxy": "proxy.corp:3129",
    "NO_PROXY": "internal.example, .lan,*.wild.example,10.0.0.0/8,[fd00::]/8,exact.example:8443",
}


@pytest.mark.parametrize(
    ("url", "is_proxied"),
    [
        ("https://api.example/", True),
        ("http://api.example/", True),
        ("https://internal.example/", False),
        ("https://a.internal.example/", False),
        ("https://notinternal.example/", True),
        ("https://host.lan/", False),
        ("https://a.wild.example/", False),
        ("https://10.1.2.3/", False),
        ("https://11.1.2.3/", True),
        ("https://[fd00::1]/", False),
        ("https://exact.example:8443/", False),
        ("https://exact.example/", True),
        ("http://localhost:11434/", False),
        ("http://127.0.0.2:1/", False),
        ("http://[::1]:1/", False),
    ],
)
def test_no_proxy_is_obeyed(url: str, is_proxied: bool) -> None:  # noqa: FBT001  # a column of the table above
    """NO_PROXY covers names with their subdomains, networks and ports; this machine is never reached by a proxy."""
    origin, _ = make_origin(url, proxies=read_proxies(ENVIRON))
    assert is_proxied is bool(origin.proxy)


def test_each_scheme_has_its_proxy() -> None:
    """The scheme chooses the variable, lower case wins, ALL_PROXY fills in, a star switches all off."""
    proxies = read_proxies(ENVIRON)
    assert "http://proxy.corp:3129" == proxies.proxy_for("http", "a.example", 80)
    assert "http://low:1" == read_proxies({"HTTPS_PROXY": "up:1", "https_proxy": "low:1"}).https
    assert ("http://all:1", "http://all:1") == (
        read_proxies({"ALL_PROXY": "all:1"}).http,
        read_proxies({"all_proxy": "all:1"}).https,
    )
    assert "" == read_proxies({**ENVIRON, "no_proxy": "*"}).proxy_for("https", "a.example", 443)
    assert NONE == read_proxies({})


@pytest.mark.parametrize("url", ["socks5://secret@h:1", "http://", "http://h:secret", "http://h:0"])
def test_a_bad_proxy_is_named_by_its_variable(url: str) -> None:
    """A proxy that is no HTTP proxy is refused, and the message does not repeat it."""
    with pytest.raises(ValueError, match="HTTPS_PROXY") as caught:
        read_proxies({"HTTPS_PROXY": url})
    assert "secret" not in str(caught.value)


def test_connect_names_host_and_port() -> None:
    """The words to a proxy carry the port, brackets for IPv6, and its login."""
    login = proxy_login("http://user:pass%21@proxy:1")
    assert ((b"proxy-authorization", b"Basic dXNlcjpwYXNzIQ=="),) == login
    expected = b"CONNECT [::2]:443 HTTP/1.1\r\nhost: [::2]:443\r\nproxy-authorization: Basic dXNlcjpwYXNzIQ==\r\n\r\n"
    assert expected == connect_request("::2", 443, login)


def test_no_secret_is_shown() -> None:
    """What a log could print of an origin, the proxies or a request holds no secret."""
    origin, _ = make_origin("https://api.example/", proxies=read_proxies(ENVIRON))
    outgoing = Outgoing(method=b"POST", target=b"/", headers=((b"authorization", b"pass"),), body=b"pass")
    shown = f"{origin!r} {origin} {read_proxies(ENVIRON)!r} {outgoing!r}"
    assert "pass" not in shown
    assert "Origin(https://api.example)" in shown
