"""
Proxies: which one the environment names for an origin.

And the words spoken to it.
What must not live here: the environment itself (a mapping is passed in) and sockets (see `dial`).
Called by `origin` for the choice and by `dial` and `site` for the words.
"""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES = ("http", "https")
DEFAULT_PORTS = {"http": 80, "https": 443}
PROXY_PORT = 8080


class Proxies(Struct, frozen=True):
    """What the environment says about proxies."""

    http: str = ""
    https: str = ""
    no_proxy: tuple[str, ...] = ()

    def proxy_for(self, scheme: str, host: str, port: int) -> str:
        """
        Return the URL of the proxy to use for an origin, "" for none.

        This machine is never proxied.
        """
        proxy = self.https if scheme == "https" else self.http
        if not proxy or is_this_machine(host) or any(is_listed(entry, host, port) for entry in self.no_proxy):
            return ""
        return proxy

    def __repr__(self) -> str:
        """Return only which are set: their URLs may hold passwords."""
        return f"Proxies(http={bool(self.http)}, https={bool(self.https)}, no_proxy={self.no_proxy})"


def read_proxies(environ: Mapping[str, str]) -> Proxies:
    """
    Return the proxies of an environment.

    `ValueError` if one is no http(s) URL. Lower case wins, as in curl.
    """

    def setting(name: str) -> str:
        return (environ.get(name.lower()) or environ.get(name) or "").strip()

    every = setting("ALL_PROXY")
    entries = tuple(entry for part in setting("NO_PROXY").split(",") if (entry := part.strip().lower()))
    http = checked("HTTP_PROXY", setting("HTTP_PROXY") or every)
    return Proxies(http, checked("HTTPS_PROXY", setting("HTTPS_PROXY") or every), entries)


def checked(name: str, url: str) -> str:
    """
    Return a proxy's URL with its scheme.

    `ValueError` names the variable, never the URL.
    """
    if not url:
        return ""
    full = url if "://" in url else f"http://{url}"
    parts = urlsplit(full)
    try:
        is_good = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(f"{name} is not the URL of an HTTP proxy (http://host:port)")
    return full


def is_this_machine(host: str) -> bool:
    """
    Return whether a host is this machine by name or address.

    No proxy can reach that for us.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_listed(entry: str, host: str, port: int) -> bool:
    """
    Return whether an entry of NO_PROXY covers a host.

    `*`, a name with its subdomains, `:port`, or a network.
    """
    if entry == "*":
        return True
    try:
        network = entry if "]:" in entry else entry.replace("[", "").replace("]", "")
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        pass  # one of the two is a name
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal():
        if int(number) != port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").removeprefix(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def authority_of(scheme: str, host: str, port: int) -> str:
    """
    Return host and port as a Host header has them.

    IPv6 in brackets, the scheme's own port left out.
    """
    name = f"[{host}]" if ":" in host else host
    return name if port == DEFAULT_PORTS[scheme] else f"{name}:{port}"


def proxy_place(proxy: str) -> tuple[SplitResult, str, int]:
    """Return a proxy's URL in parts, its host and its port."""
    parts = urlsplit(proxy)
    return parts, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else PROXY_PORT)


def proxy_login(proxy: str) -> tuple[tuple[bytes, bytes], ...]:
    """
    Return the header that logs in at the proxy, if its URL holds a user.

    RFC 7617.
    """
    parts = urlsplit(proxy)
    if parts.username is None:
        return ()
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return ((b"proxy-authorization", b"Basic " + base64.b64encode(pair.encode())),)


def connect_request(host: str, port: int, login: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return the request that opens a tunnel (RFC 9110 section 9.3.6)."""
    name = f"[{host}]" if ":" in host else host
    authority = f"{name}:{port}".encode("ascii")
    lines = [b"CONNECT " + authority + b" HTTP/1.1", b"host: " + authority, *(b": ".join(pair) for pair in login)]
    return b"\r\n".join(lines) + b"\r\n\r\n"
