"""
Who may talk to this address at all: Host by name, Origin by exact match.

What must not live here: keys (see `keys`). Checked before routing, from headers and the raw path only.
Sources: FAULTS S2 and S3; the issue's section 8.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from everup.errors import ConfigError, RequestError
from everup.surfaces.keys import is_strong

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everup.shapes.secret import Secret
    from everup.shapes.snapshot import ServerSettings

HOST = re.compile(rb"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?")
KNOWN_MAX = 512
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SHOWN_MAX = 100
SINGLE = frozenset(
    {b"authorization", b"x-api-key", b"content-type", b"content-length", b"content-encoding", b"origin", b"host"}
)
CORS_METHODS = b"GET, HEAD, POST, OPTIONS"
CORS_EXPOSED = b"x-everup-request-id, x-everup-model, x-everup-trail, retry-after, x-should-retry"
CORS_MAX_AGE_S = b"600"

Headers = tuple[tuple[bytes, bytes], ...]


class Guard:
    """The names and origins that are let in; follows the settings it is handed."""

    def __init__(self, names_of_machine: Iterable[str]) -> None:
        self.names_of_machine = frozenset({"localhost", *(plain_name(name) for name in names_of_machine)})
        self.server: ServerSettings | None = None
        self.names: frozenset[str] = frozenset()
        self.known: set[bytes] = set()
        """Host headers found good before, as they came; bounded."""
        self.origins: frozenset[bytes] = frozenset()

    def follow(self, server: ServerSettings) -> None:
        """Take over settings that differ from the last ones."""
        self.server = server
        self.names = self.names_of_machine | {plain_name(name) for name in server.hosts}
        self.origins = frozenset(origin.encode() for origin in server.origins if origin not in {"*", "null"})
        self.known = set()

    def check_host(self, host: bytes, server: ServerSettings) -> None:
        """Raise unless Host names this gateway: 400 for no host, 421 for a stranger."""
        if server is not self.server:
            self.follow(server)
        if host in self.known:
            return
        match = HOST.fullmatch(host.strip())
        if match is None or (match[1] and b":" not in match[1]):
            raise RequestError(400, "bad_host", "The Host header is not a host name or address.")
        name = (match[1] or match[2]).decode().lower()
        if not is_address(name) and name.removesuffix(".") not in self.names:
            shown = name[:SHOWN_MAX]
            raise RequestError(
                421,
                "unknown_host",
                f"The Host {shown!r} is not a name of this gateway.",
                hint=f'If it is, add it to the setting server.hosts: hosts = ["{shown}"] in the table [server].',
            )
        if len(self.known) >= KNOWN_MAX:
            self.known.clear()
        self.known.add(host)

    def check_origin(self, headers: dict[bytes, bytes], method: str) -> Headers:
        """Return the answer's CORS headers, if any; 403 where a page may not do this."""
        origin = headers.get(b"origin")
        if origin is not None and origin in self.origins:
            return (
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", CORS_EXPOSED),
                (b"vary", b"origin"),
            )
        is_preflight = method == "OPTIONS" and b"access-control-request-method" in headers
        if method in SAFE_METHODS and not (is_preflight and origin is not None):
            return ()
        if origin is not None or headers.get(b"sec-fetch-site", b"").strip().lower() == b"cross-site":
            raise RequestError(
                403,
                "origin_not_allowed",
                "Pages of this origin may not use this gateway.",
                hint='If they should, add the exact origin to the setting server.origins: origins = ["http://..."].',
            )
        return ()


def preflight_headers(headers: dict[bytes, bytes]) -> Headers:
    """Return what a preflight of an allowed origin is told."""
    asked = headers.get(b"access-control-request-headers", b"authorization, content-type")
    private = ((b"access-control-allow-private-network", b"true"),)
    return (
        (b"access-control-allow-methods", CORS_METHODS),
        (b"access-control-allow-headers", asked),
        (b"access-control-max-age", CORS_MAX_AGE_S),
        *(private if b"access-control-request-private-network" in headers else ()),
    )


def check_single(listed: list[tuple[bytes, bytes]]) -> None:
    """Raise 400 if a header that decides something is there twice."""
    seen = set()
    for name, _ in listed:
        if name in SINGLE and name in seen:
            raise RequestError(400, "duplicate_header", f"The header {name.decode('latin-1')} is there twice.")
        seen.add(name)


def plain_name(name: str) -> str:
    """Return a host name as compared: lower case, without port and closing dot."""
    bare = name.strip().lower()
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    return bare.removesuffix(".")


def is_address(name: str) -> bool:
    """Return whether a host is an IP literal: such a Host cannot be rebound by DNS."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def check_exposure(settings: ServerSettings, key: Secret) -> None:
    """Raise unless everup listens on this machine only, or its key is strong (S1)."""
    if settings.unix_socket or is_loopback(settings.host) or is_strong(key.reveal()):
        return
    problem = (
        f"server.host is {settings.host!r}, which other machines can reach, but everup's own key is too weak for that: "
        "it needs at least 32 random bytes. Unset EVERUP_API_KEY so that everup makes one, or set host to 127.0.0.1."
    )
    raise ConfigError((problem,))


def url_of(settings: ServerSettings, port: int) -> str:
    """Return the address that a client on this machine uses."""
    if settings.unix_socket:
        return f"unix:{settings.unix_socket}"
    scheme = "https" if settings.tls_cert else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # read, not bound
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
