"""
The pool: every open connection of a client.

And which of them wait for a next request.
What must not live here: HTTP, dialing. State changes are synchronous; ages are checked when a connection is
taken, and one coarse timer, which exists only while connections wait, closes the rest (ruling 4).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.net.site import Site

if TYPE_CHECKING:
    from everup.net.connection import Connection
    from everup.net.origin import Origin
    from everup.shapes.limits import Limits

SWEEP_S = 1.0
SITES_MAX = 1024


class Pool:
    """Connections by site; the longest idle ones come first in `idle`."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.sites: dict[Origin, Site] = {}
        self.open: set[Connection] = set()
        self.idle: dict[Connection, None] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.is_closed = False
        self.emptied: asyncio.Future[None] | None = None

    def site(self, origin: Origin) -> Site:
        """
        Return what is kept about an origin.

        Origins nobody is connected to give way at the limit.
        """
        site = self.sites.get(origin)
        if site is None:
            if len(self.sites) >= SITES_MAX:
                self.sites = {known: kept for known, kept in self.sites.items() if kept.open}
            idle_s = self.limits.idle_local_s if origin.is_local else self.limits.idle_remote_s
            site = self.sites[origin] = Site(origin, idle_s)
        return site

    def take(self, site: Site, now_mono_s: float) -> Connection | None:
        """Return the connection of a site that was used last, if it is young enough."""
        while site.idle:
            connection = site.idle[-1]
            if now_mono_s - connection.idle_since_mono_s < site.idle_s and not connection.transport.is_closing():
                del site.idle[-1]
                del self.idle[connection]
                return connection
            connection.abort()
        return None

    def put(self, connection: Connection, now_mono_s: float) -> None:
        """
        Keep a clean connection for the next request.

        At the limit the longest idle one gives way.
        """
        if self.is_closed:
            connection.abort()
            return
        if len(self.idle) >= self.limits.idle_connections_max:
            next(iter(self.idle)).abort()
        connection.idle_since_mono_s = now_mono_s
        connection.site.idle.append(connection)
        self.idle[connection] = None
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(SWEEP_S, self.sweep)

    def sweep(self) -> None:
        """Close what has been idle too long; come back while anything is."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [kept for kept in self.idle if now - kept.idle_since_mono_s >= kept.site.idle_s]:
            connection.abort()
        self.timer = loop.call_later(SWEEP_S, self.sweep) if self.idle else None

    def forget(self, connection: Connection) -> None:
        """Take a connection out of those that wait, if it is one of them."""
        if connection in self.idle:
            del self.idle[connection]
            connection.site.idle.remove(connection)

    def opened(self, connection: Connection) -> None:
        """Count a connection."""
        self.open.add(connection)
        connection.site.open += 1

    def closed(self, connection: Connection) -> None:
        """Count it no more: its descriptor is closed."""
        if connection not in self.open:
            return
        self.open.remove(connection)
        connection.site.open -= 1
        if not self.open and self.emptied is not None and not self.emptied.done():
            self.emptied.set_result(None)

    def close(self) -> None:
        """Close everything now; `wait_closed` tells when it is."""
        self.is_closed = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        for connection in tuple(self.open):
            connection.end(None)
            connection.abort()

    async def wait_closed(self) -> None:
        """Return once no descriptor is open."""
        if self.open:
            self.emptied = asyncio.get_running_loop().create_future()
            await self.emptied
