"""
The client: what starts exchanges and owns every connection.

Lookup and timer they use.
What must not live here: one exchange's state (see `exchange`). One instance per process, made by `app`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from everup.net.dial import Dialer
from everup.net.dns import Lookup, look_up
from everup.net.exchange import Exchange
from everup.net.outgoing import Outgoing
from everup.net.pool import Pool
from everup.net.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.net.connection import Connection
    from everup.net.origin import Origin
    from everup.shapes.limits import Limits

__all__ = ("Client", "Outgoing")


class Address(Struct, frozen=True):
    """Where requests go, and how each of them begins: its head up to its length."""

    site: Site
    start: bytes

    def __repr__(self) -> str:
        """Return the place only: the head holds the secret."""
        return f"Address({self.site.origin.place!r})"


class Client:
    """The only way to reach an upstream."""

    def __init__(
        self, limits: Limits, *, lookup: Lookup = look_up, wall_unix_s: Callable[[], float] | None = None
    ) -> None:
        """
        `lookup` is the blocking resolver.

        `wall_unix_s` lets a certificate's dates be compared with this clock.
        """
        self.limits = limits
        self.pool = Pool(limits)
        self.dialer = Dialer(limits, self.pool, lookup, wall_unix_s)
        self.dials: set[asyncio.Task[Connection]] = set()

    def start(self, origin: Origin, outgoing: Outgoing, *, is_fresh: bool = False) -> Exchange:
        """
        Return an exchange that will send when its head is awaited.

        `is_fresh` uses no pooled connection.
        """
        return Exchange(self, self.pool.site(origin), outgoing, b"", outgoing.body, is_fresh=is_fresh)

    def address(
        self, origin: Origin, method: bytes, target: bytes, headers: tuple[tuple[bytes, bytes], ...]
    ) -> Address:
        """
        Return where requests that differ in their bodies alone go.

        And how each of them begins.
        `TransportError(LOCAL)` if it is not fit to be sent.
        """
        site = self.pool.site(origin)
        return Address(site, site.start_of(Outgoing(method=method, target=target, headers=headers)))

    def start_at(self, address: Address, body: bytes, *, is_fresh: bool = False) -> Exchange:
        """Return an exchange with the origin of an address, as `start` does."""
        return Exchange(self, address.site, None, address.start, body, is_fresh=is_fresh)

    def prefetch(self, origin: Origin) -> None:
        """
        Begin to look up an origin's address.

        So that its first request need not wait for it.
        """
        self.dialer.prefetch(origin)

    def view(self) -> dict[str, Any]:
        """Return how many connections are open and idle, in all and by origin."""
        origins = {
            site.origin.place: {"open": site.open, "idle": len(site.idle)}
            for site in self.pool.sites.values()
            if site.open
        }
        return {"open": len(self.pool.open), "idle": len(self.pool.idle), "origins": origins}

    async def close(self) -> None:
        """End every exchange and connection; returns once all descriptors are closed."""
        self.pool.close()
        dials = tuple(self.dials)
        for task in dials:
            task.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        self.dialer.close()
        self.pool.close()  # what a dial had opened meanwhile
        await self.pool.wait_closed()

    # What exchanges ask for.

    def dial(self, site: Site) -> asyncio.Task[Connection]:
        """Return the task that makes a connection."""
        task = asyncio.get_running_loop().create_task(self.dialer.dial(site))
        self.dials.add(task)
        task.add_done_callback(self.dials.discard)
        return task

    def keep(self, connection: Connection, now_mono_s: float) -> None:
        """Keep a clean connection, and what TLS needs to resume on the next one."""
        if not connection.is_remembered:
            connection.is_remembered = True
            self.dialer.remember(connection)
        self.pool.put(connection, now_mono_s)
