"""
Dialing: from an origin to a connection that can be spoken on.

Name, address, proxy, TLS.
What must not live here: requests, pooling. Each step has its own limit, and everything it opened is closed
if it fails or is cancelled. Called by `client`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from everup.errors import TransportError, TransportKind
from everup.net.causes import words, worst
from everup.net.connection import Connection
from everup.net.dns import Address, Lookup, Resolver
from everup.net.eyeballs import connect_first, too_slow
from everup.net.proxy import proxy_place
from everup.net.tls import Contexts, SessionContext
from everup.net.tunnel import open_tunnel

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.net.origin import Origin
    from everup.net.pool import Pool
    from everup.net.site import Site
    from everup.shapes.limits import Limits

LOCAL = TransportKind.LOCAL


class Dialer:
    """
    What makes connections for a client.

    And remembers names and TLS sessions between them.
    """

    def __init__(self, limits: Limits, pool: Pool, lookup: Lookup, wall_unix_s: Callable[[], float] | None) -> None:
        self.limits = limits
        self.pool = pool
        self.resolver = Resolver(limits, lookup)
        self.contexts = Contexts(wall_unix_s)

    async def dial(self, site: Site) -> Connection:
        """
        Return a connection ready for a request.

        `TransportError` says which step failed and why.
        """
        origin = site.origin
        if "https" in (origin.scheme, origin.proxy[:5]):
            self.contexts.get(origin.ca_file)  # roots that cannot be read are told before anything is opened
        if not origin.proxy:
            connection = await self.connect(site, origin.host, origin.port)
        else:
            connection = await self.connect_proxy(site)
        if origin.scheme == "https":
            await self.secure(connection, self.contexts.get(origin.ca_file), origin.host, origin.place)
        return connection

    async def connect_proxy(self, site: Site) -> Connection:
        """
        Return a connection through the proxy.

        All that fails on the way to it is named as the proxy's fault.
        """
        origin = site.origin
        parts, host, port = proxy_place(origin.proxy)
        place = f"proxy {parts.scheme}://{host}:{port}"
        try:
            connection = await self.connect(site, host, port)
            if parts.scheme == "https":
                await self.secure(connection, self.contexts.get(origin.ca_file), host, place)
        except TransportError as error:
            if error.kind is LOCAL:
                raise
            raise TransportError(TransportKind.PROXY, f"{place}: {error.message}") from error
        if origin.scheme == "https":
            await open_tunnel(connection, origin, place, self.limits)
        return connection

    async def connect(self, site: Site, host: str, port: int) -> Connection:
        """Return a TCP connection to a host."""
        addresses = await self.resolver.find(host, port)
        place = f"{host}:{port}"
        try:
            if len(addresses) == 1 and addresses[0][0] == socket.AF_INET:
                return await self.connect_only(addresses[0], site, place)
            sock = await connect_first(addresses, place, self.limits.connect_s)
        except TransportError as error:
            if error.kind is not LOCAL:
                self.resolver.doubt(host, port)
            raise
        return await self.adopt(sock, site, place)

    async def connect_only(self, address: Address, site: Site, place: str) -> Connection:
        """
        Return a connection to the one address there is.

        By the loop itself, which takes a third of what a race and the adoption of its socket take.
        """
        host, port = address[1]
        connection = Connection(self.pool, site)
        try:
            async with asyncio.timeout(self.limits.connect_s):
                await site.loop.create_connection(lambda: connection, host, port, family=address[0])
        except BaseException as error:
            if connection in self.pool.open:  # cancelled once it was made: uvloop closes it without a word to it
                connection.abort()
                self.pool.closed(connection)
            if not isinstance(error, OSError):
                raise
            if error.errno is None:  # the limit's own; the system's ETIMEDOUT has a number
                raise too_slow([address], place, self.limits.connect_s) from None
            raise worst([(host, error)], place) from error
        return connection

    async def adopt(self, sock: socket.socket, site: Site, place: str) -> Connection:
        """
        Return the connection that owns a socket from now on.

        Not to be cancelled in the middle: uvloop would close the descriptor under the socket object, whose
        own end would then close somebody else's.
        """
        loop = asyncio.get_running_loop()
        making = loop.create_task(loop.create_connection(lambda: Connection(self.pool, site), sock=sock))
        try:
            _, connection = await asyncio.shield(making)
        except OSError as error:
            why = f"{place} ended the connection at once ({words(error)})"
            raise TransportError(TransportKind.RESET, why) from error
        except asyncio.CancelledError:
            making.add_done_callback(abort_late)
            await asyncio.wait({making})
            raise
        return connection

    async def secure(self, connection: Connection, context: SessionContext, host: str, place: str) -> None:
        """
        Put TLS on a connection.

        On failure it is closed. There is no second try with less.
        """
        loop = asyncio.get_running_loop()
        within_s = self.limits.connect_s
        transport: asyncio.Transport | None = None
        try:
            async with asyncio.timeout(within_s):
                if not connection.is_ended:  # else asyncio would wait for a handshake for ever
                    transport = await loop.start_tls(connection.transport, connection, context, server_hostname=host)
        except ssl.SSLError as error:  # before OSError and ValueError, which some of them are too
            raise self.contexts.explain(error, context.handshakes.get(host), place) from error
        except TimeoutError as error:
            why = f"no TLS handshake with {place} within {within_s:g} s"
            raise TransportError(TransportKind.CONNECT_TIMEOUT, why) from error
        except OSError as error:
            raise TransportError(TransportKind.RESET, f"{place} ended the TLS handshake ({words(error)})") from error
        finally:
            context.handshakes.pop(host, None)
            if transport is None:
                connection.abort()
                self.pool.closed(connection)  # asyncio tells a protocol nothing of a handshake that was broken off
        if transport is None or connection.is_ended:
            connection.abort()
            raise TransportError(TransportKind.RESET, f"{place} ended the connection before TLS was set up")
        connection.secured(transport)

    def remember(self, connection: Connection) -> None:
        """Keep the TLS session of a connection that has been answered on."""
        origin = connection.site.origin
        if origin.scheme != "https":
            return
        tls_object: ssl.SSLObject | None = connection.transport.get_extra_info("ssl_object")
        # The context it was made by: a session offered to any other is an error.
        if tls_object is not None and isinstance(tls_object.context, SessionContext):
            tls_object.context.remember(origin.host, tls_object.session)

    def prefetch(self, origin: Origin) -> None:
        """Begin to look up the host that an origin is reached through."""
        _, host, port = proxy_place(origin.proxy) if origin.proxy else (None, origin.host, origin.port)
        self.resolver.prefetch(host, port)

    def close(self) -> None:
        """Wait for no lookup any more."""
        self.resolver.close()


def abort_late(making: asyncio.Task[tuple[asyncio.Transport, Connection]]) -> None:
    """Close a connection that nobody wants any more."""
    if not making.cancelled() and making.exception() is None:
        making.result()[1].abort()
