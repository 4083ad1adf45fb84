"""
Sites: one origin's side of the pool.

Its idle connections, and the request heads it has built.
What must not live here: I/O, other origins. Made and bounded by `pool`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.net.outgoing import Outgoing, head_start
from everup.net.proxy import authority_of, proxy_login

if TYPE_CHECKING:
    from everup.net.connection import Connection
    from everup.net.origin import Origin

HEADS_MAX = 64
"""Request heads kept ready; a caller that changes a header with each request only costs the building."""


class Site:
    """What is known about one origin while connections to it are kept."""

    __slots__ = (
        "forwarded_to",
        "heads",
        "host_header",
        "idle",
        "idle_s",
        "is_forwarded",
        "login",
        "loop",
        "open",
        "origin",
    )

    def __init__(self, origin: Origin, idle_s: float) -> None:
        self.origin = origin
        self.loop = asyncio.get_running_loop()
        self.idle_s = idle_s
        self.idle: list[Connection] = []
        self.open = 0
        self.heads: dict[tuple[bytes, bytes, tuple[tuple[bytes, bytes], ...]], bytes] = {}
        self.host_header = authority_of(origin.scheme, origin.host, origin.port).encode("ascii")
        # Plain HTTP goes to a proxy as a whole request, TLS through a tunnel.
        self.is_forwarded = bool(origin.proxy) and origin.scheme == "http"
        self.forwarded_to = b"http://" + self.host_header if self.is_forwarded else b""
        self.login = proxy_login(origin.proxy) if self.is_forwarded else ()

    def start_of(self, outgoing: Outgoing) -> bytes:
        """
        Return the head of a request up to its length.

        `TransportError(LOCAL)` if it is not fit to be sent.
        """
        key = (outgoing.method, outgoing.target, outgoing.headers)
        start = self.heads.get(key)
        if start is None:
            if len(self.heads) >= HEADS_MAX:
                self.heads.clear()
            start = head_start(outgoing, self.host_header, self.forwarded_to)
            start += b"".join(b"%b: %b\r\n" % pair for pair in self.login)
            self.heads[key] = start
        return start
