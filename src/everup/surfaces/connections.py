"""
Counts, bounds and deadlines of all client connections together.

What must not live here: HTTP (see `protocol`). One sweep looks at every connection twice a second: at many
connections a timer of its own for each costs more than the parsing (STACK, traps).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from email.utils import formatdate
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from everup.observe.metrics import Metrics
    from everup.shapes.limits import Limits

SWEEP_S = 0.5
NEVER = float("inf")
UNKNOWN_ADDRESS = "unix"
IPV6_PREFIX = 64


def canonical_address(address: str) -> str:
    """Return who an address stands for: v4 inside v6 as v4, v6 by its /64 (S7)."""
    if ":" not in address:
        return address or UNKNOWN_ADDRESS
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN_ADDRESS
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> IPV6_PREFIX << IPV6_PREFIX, IPV6_PREFIX)))


class Timed(Protocol):
    """A connection as seen from here."""

    due_mono_s: float

    def overdue(self) -> None:
        """Act on the deadline that has passed."""
        ...

    def shutdown(self) -> None:
        """End now if idle, else after the answer under way."""
        ...


class Connections:
    """Every open client connection of the process."""

    def __init__(self, limits: Limits, state: ServerState, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        self.limits = limits
        self.state = state
        self.loop = loop
        self.metrics = metrics
        self.open: set[Timed] = set()
        self.by_address: dict[str, int] = {}
        self.now_mono_s = loop.time()
        """The loop's clock as of the last sweep: deadlines are coarse on purpose."""
        self.date_line = b""
        """The line with the date that answers carry, as of the last sweep."""
        self.timer: asyncio.TimerHandle | None = None
        self.emptied = asyncio.Event()

    def admit(self, address: str) -> bool:
        """Return whether one more connection may be served; it is counted if so."""
        count = self.by_address.get(address, 0)
        if len(self.open) >= self.limits.connections_max:
            self.metrics.count("everup_connections_refused_total", ("all",))
            return False
        if count >= self.limits.connections_per_address_max:
            self.metrics.count("everup_connections_refused_total", ("address",))
            return False
        self.by_address[address] = count + 1
        return True

    def leave(self, connection: Timed, address: str) -> None:
        """A connection is gone; `address` is "" if it was never admitted."""
        self.open.discard(connection)
        if not self.open:
            self.emptied.set()
        count = self.by_address.get(address, 0)
        if count > 1:
            self.by_address[address] = count - 1
        else:
            self.by_address.pop(address, None)

    def shutdown(self) -> None:
        """End every idle connection now, and the others after their answers."""
        for connection in list(self.open):
            connection.shutdown()

    async def wait_empty(self, within_s: float) -> None:
        """Wait until no connection is left, or the time is up."""
        self.emptied.clear()
        if self.open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.emptied.wait(), within_s)

    def start(self) -> None:
        """Begin to sweep."""
        self.sweep()

    def stop(self) -> None:
        """End sweeping."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def sweep(self) -> None:
        """Act on each deadline that passed; renew the date that answers carry."""
        now = self.now_mono_s = self.loop.time()
        for connection in [each for each in self.open if each.due_mono_s <= now]:
            connection.overdue()
        date = formatdate(usegmt=True).encode()
        self.date_line = b"date: %b\r\n" % date
        self.state.default_headers = [(b"date", date)]
        self.timer = self.loop.call_later(SWEEP_S, self.sweep)
