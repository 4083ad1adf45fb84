"""
Where an answer goes: the client's side of a run.

What must not live here: sockets (see `surfaces.reply`, which implements it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from everup.shapes.failure import Failure

Headers = list[tuple[bytes, bytes]]


class Out(Protocol):
    """A client's answer in the making; every call waits while the client is slow."""

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer; nothing follows."""
        ...

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the head of a stream."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes of a begun stream."""
        ...

    def write_now(self, data: bytes) -> bool:
        """Return whether bytes of a begun stream need no waiting, having sent them if so."""
        ...

    async def finish(self) -> None:
        """End a stream as complete."""
        ...

    async def fail(self, failure: Failure) -> None:
        """
        End a begun stream with an error event in the client's wire.

        Never as if complete.
        """
        ...
