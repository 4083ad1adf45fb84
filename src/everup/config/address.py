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
ENDPOINTS = {"openai_chat": "/chat/completions", "anthropic": "/messages", "ollama": "/api/chat"}
SPEAKERS = {"openai_chat": "OpenAI-compatible servers", "anthropic": "servers that speak Anthropic's API"}
NOT_NATIVE = re.compile(r"/(v1|api)$")
"""What people put behind Ollama's address: its OpenAI-compatible part, or the beginning of its own paths."""
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


def native(base_url: str) -> str:
    """Return the address of an Ollama's own API."""
    return NOT_NATIVE.sub("", base_url)


def url_doubt(base_url: str, wire: str = "openai_chat") -> str:
    """Return what is probably wrong with a usable address; nothing if it looks right."""
    parts = urlsplit(base_url)
    known = KNOWN_HOSTS.get(parts.hostname or "")
    if parts.path.rstrip("/").endswith(ENDPOINTS[wire]):
        return f"everup adds `{ENDPOINTS[wire]}` itself: leave it out"
    if wire == "ollama":
        return ""
    if known is not None:
        usual = urlsplit(known.base_url).path
        return f"{known.name}'s usual address is {known.base_url}" if usual and not parts.path.strip("/") else ""
    if VERSION.search(parts.path):
        return ""
    if parts.path.strip("/"):
        return f"no version in its path: {SPEAKERS[wire]} usually answer below a path that ends in `/v1`"
    return f"no version in its path: {SPEAKERS[wire]} usually answer at {parts.scheme}://{parts.netloc}/v1"


def is_same_host(base_url: str, known: KnownProvider) -> bool:
    """
    Return whether an address is a known provider's.

    By scheme, host and port, or as one of the hosts that are its own.
    """
    one, other = urlsplit(base_url), urlsplit(known.base_url)
    if one.scheme == "https" and (one.hostname or "").endswith(known.own_hosts):
        return True
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
