"""
A provider's base URL: what is wrong with it, and what is probably wrong.

What must not live here: asking it anything. A reason repeats at most scheme, host and port, for the rest may
hold a key. Called by `upstreams`.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from everup.providers.known import KNOWN, KnownProvider

VERSION = re.compile(r"/v\d+[a-z0-9]*(/|$)")
URL = re.compile(r"[!-\[\]-~]{1,2048}")
"""Printable ASCII without space and backslash."""
ENDPOINT = "/chat/completions"
INSIDE = (".local", ".internal", ".localhost", ".lan", ".home.arpa")
KNOWN_HOSTS = {host: row for row in KNOWN.values() if (host := urlsplit(row.base_url).hostname) and not row.is_local}


def url_fault(base_url: str) -> str:
    """Return why an address cannot be used at all; nothing if it can."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "this is not a URL"
    faults = (
        (parts.scheme not in {"http", "https"}, "the URL must begin with http:// or https://"),
        ("@" in parts.netloc, "credentials do not belong in the URL: use `key`"),
        (not host or port == 0, "the URL has no host, or port 0"),
        ("?" in base_url or "#" in base_url, "the URL must end with its path: no `?` and no `#`"),
        (not URL.fullmatch(base_url), "the URL holds a character that must be escaped"),
    )
    return next((reason for is_fault, reason in faults if is_fault), "")


def tidy(base_url: str) -> str:
    """Return an address without the slash at its end."""
    return base_url.rstrip("/")


def url_doubt(base_url: str) -> str:
    """Return what is probably wrong with a usable address; nothing if it looks right."""
    parts = urlsplit(base_url)
    known = KNOWN_HOSTS.get(parts.hostname or "")
    if parts.path.rstrip("/").endswith(ENDPOINT):
        return f"everup adds `{ENDPOINT}` itself: leave it out"
    if known is not None:
        usual = urlsplit(known.base_url).path
        return f"{known.name}'s usual address is {known.base_url}" if usual and not parts.path.strip("/") else ""
    if VERSION.search(parts.path):
        return ""
    if parts.path.strip("/"):
        return "no version in its path: OpenAI-compatible servers usually answer below a path that ends in `/v1`"
    return f"no version in its path: OpenAI-compatible servers usually answer at {parts.scheme}://{parts.netloc}/v1"


def is_same_host(base_url: str, known: KnownProvider) -> bool:
    """Return whether an address has a known provider's scheme, host and port."""
    one, other = urlsplit(base_url), urlsplit(known.base_url)
    return (one.scheme, one.netloc.lower()) == (other.scheme, other.netloc.lower())


def is_in_the_open(base_url: str) -> bool:
    """Return whether a key would travel unencrypted over more than a private network."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme != "http":
        return False
    try:
        return not ip_address(host).is_private
    except ValueError:  # a name: one word (a container, "localhost") and these endings never leave a network
        return "." in host.strip(".") and not host.endswith(INSIDE)
