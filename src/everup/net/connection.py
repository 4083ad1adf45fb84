"""
One connection: the loop's callbacks, passed on to whoever listens.

What must not live here: HTTP. `exchange` and `dial` listen; `pool` keeps it while nobody does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from everup.net.pool import Pool
    from everup.net.site import Site


class Listener(Protocol):
    """Whoever a connection's bytes are for now."""

    def received(self, data: bytes) -> None:
        """Take bytes that have arrived."""
        ...

    def ended(self, cause: Exception | None) -> None:
        """Learn, once, that there will be no more."""
        ...


class Connection(asyncio.Protocol):
    """A transport with its listener. Bytes that nobody asked for end it."""

    __slots__ = (
        "idle_since_mono_s",
        "is_draining",
        "is_ended",
        "is_paused",
        "is_remembered",
        "listener",
        "pool",
        "raw",
        "site",
        "transport",
    )

    transport: asyncio.Transport
    raw: asyncio.Transport
    """The TCP transport; `transport` is TLS on top of it, or the same."""

    def __init__(self, pool: Pool, site: Site) -> None:
        self.pool = pool
        self.site = site
        self.listener: Listener | None = None
        self.idle_since_mono_s = 0.0
        self.is_draining = False
        self.is_ended = False
        self.is_paused = False
        self.is_remembered = False
        """Its TLS session has been kept."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport. Not called again for TLS: `secured` is."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is one only by its methods
        # Any byte that the kernel has not taken counts as unsent: `pause_writing` tells at once.
        transport.set_write_buffer_limits(high=0)
        self.transport = self.raw = transport
        self.pool.opened(self)

    def secured(self, transport: asyncio.Transport) -> None:
        """Speak through TLS from now on."""
        # Not 0: the loops' TLS pauses at "high or more", so 0 would pause with nothing waiting.
        transport.set_write_buffer_limits(high=1, low=0)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass bytes on; an idle connection that speaks is not to be trusted any more."""
        if self.listener is None:
            self.abort()
        else:
            self.listener.received(data)

    def eof_received(self) -> None:
        """Count a peer that has finished speaking as gone."""
        self.end(None)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self.end(exc)
        self.pool.closed(self)

    def end(self, cause: Exception | None) -> None:
        """Tell the listener, once."""
        if self.is_ended:
            return
        self.is_ended = True
        self.pool.forget(self)
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.ended(cause)

    def abort(self) -> None:
        """
        Close now, telling nobody.

        No TLS goodbye: it would keep the descriptor for as long as the peer likes.
        """
        self.listener = None
        self.is_ended = True
        self.pool.forget(self)
        self.transport.abort()
        if self.raw is not self.transport:
            self.raw.abort()

    def pause_writing(self) -> None:
        """Note that some of what was written has not left."""
        self.is_draining = True

    def resume_writing(self) -> None:
        """Note that all of it has."""
        self.is_draining = False

    def is_sending(self) -> bool:
        """
        Return whether some of what was written has not reached the kernel.

        Over TLS the layer below is asked while it lives; once it is gone, what was handed to it counts as sent.
        """
        if self.is_draining:
            return True
        return self.raw is not self.transport and not self.is_ended and self.raw.get_write_buffer_size() > 0

    def pause_reading(self) -> None:
        """Let the peer wait: more has arrived than anybody takes."""
        if not self.is_paused and not self.is_ended:
            self.is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self.is_paused and not self.is_ended:
            self.is_paused = False
            self.transport.resume_reading()
