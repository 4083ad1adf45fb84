"""
Tunnels: CONNECT through an HTTP proxy (RFC 9110 section 9.3.6).

What must not live here: choosing the proxy (see `proxy`), TLS to either side (see `dial`, the only caller).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.errors import TransportError, TransportKind
from everup.net.causes import words
from everup.net.http1 import Reader
from everup.net.proxy import connect_request, proxy_login

if TYPE_CHECKING:
    from everup.net.connection import Connection
    from everup.net.origin import Origin
    from everup.shapes.limits import Limits

LOGIN_WANTED = 407


class Tunnel:
    """A listener for the proxy's answer."""

    __slots__ = ("answered", "reader")

    def __init__(self, limits: Limits) -> None:
        self.reader = Reader(limits)
        self.answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def received(self, data: bytes) -> None:
        """Take bytes of the answer."""
        self.reader.feed(data)
        if self.reader.fault is not None:
            self.settle(self.reader.fault[1])
        elif self.reader.head is not None:
            self.settle("")

    def ended(self, cause: Exception | None) -> None:
        """Learn that the proxy has gone."""
        told = f" ({words(cause)})" if isinstance(cause, OSError) else ""
        self.settle(f"ended the connection before it answered CONNECT{told}")

    def settle(self, why: str) -> None:
        """Let the dialer go on, "" meaning that a head has arrived."""
        if not self.answered.done():
            self.answered.set_result(why)


async def open_tunnel(connection: Connection, origin: Origin, place: str, limits: Limits) -> None:
    """
    Make a connection to a proxy one to the origin.

    On failure it is closed and `TransportError(PROXY)` raised.
    """
    tunnel = Tunnel(limits)
    connection.listener = tunnel
    try:
        connection.transport.write(connect_request(origin.host, origin.port, proxy_login(origin.proxy)))
        async with asyncio.timeout(limits.connect_s):
            why = await tunnel.answered
    except TimeoutError:
        connection.abort()
        why = f"{place} did not answer CONNECT within {limits.connect_s:g} s"
        raise TransportError(TransportKind.PROXY, why) from None
    except BaseException:
        connection.abort()
        raise
    connection.listener = None
    why = why or refusal(tunnel.reader)
    if why:
        connection.abort()
        raise TransportError(TransportKind.PROXY, f"{place} {why}")


def refusal(reader: Reader) -> str:
    """Return why the proxy opened no tunnel, "" if it did."""
    assert reader.head is not None, "asked only once the head is there"
    status = reader.head.status
    if status == LOGIN_WANTED:
        return "wants a login (407): put user:password@ into HTTPS_PROXY"
    if not 200 <= status <= 299:
        return f"answered {status} to CONNECT"
    return "spoke before the tunnel was open" if reader.held or reader.is_poisoned else ""
