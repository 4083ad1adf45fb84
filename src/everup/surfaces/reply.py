"""
Answers on their way out: whole ones, streams, and errors in the client's wire.

What must not live here: what an answer says. `Reply` is the engine's `Out`; the rest is for endpoints of our own.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from everup.errors import EverupError, RequestError
from everup.shapes.failure import Failure
from everup.surfaces.turn import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.shapes.limits import Limits
    from everup.surfaces.arrival import Call
    from everup.wires.base import Wire

Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
STREAM = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
FAIL_S = 1.0
"""Time a client has to take the error event of an answer that ends badly."""
KIND_OF_STATUS = {
    401: "authentication",
    403: "permission",
    404: "not_found",
    408: "timeout",
    429: "rate_limit",
    500: "internal",
    503: "unavailable",
}


class Denied(EverupError):
    """A request that is refused with a ready failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def failure_of(error: RequestError) -> Failure:
    """Return a caller's mistake as what the caller is told."""
    return Failure(
        status=error.status,
        kind=KIND_OF_STATUS.get(error.status, "invalid_request"),
        code=error.code,
        message=error.message,
        param=error.param,
        hint=error.hint,
    )


def internal_failure(request_id: str) -> Failure:
    """Return what a client is told of our own error: where to look, not what."""
    return Failure(
        status=500,
        kind="internal",
        code="internal_error",
        message=f"everup had an error of its own; its log has the details under {request_id}.",
    )


async def send_whole(call: Call, status: int, headers: Headers, body: bytes) -> None:
    """Send a complete answer."""
    own = [(b"x-everup-request-id", call.request_id.encode()), *headers, *call.cors]
    if call.turn is not None:
        await call.turn.send_whole(status, own, body)
        call.status = status
        return
    own.append((b"content-length", b"%d" % len(body)))
    await call.send({"type": "http.response.start", "status": status, "headers": clean(own)})
    await call.send({"type": "http.response.body", "body": body})
    call.status = status


async def send_failure(call: Call, failure: Failure, wire: Wire, limits: Limits) -> None:
    """Send an error in the client's wire."""
    headers: Headers = [JSON, (b"x-should-retry", b"true" if failure.should_retry else b"false")]
    if failure.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(failure.retry_after_s))))
    if failure.trail:
        headers.append((b"x-everup-trail", failure.trail.encode("ascii", "replace")))
    headers.extend(failure.headers)
    await send_whole(call, failure.status, headers, wire.encode_failure(failure, limits))


def not_now(_data: bytes) -> bool:
    """Return that bytes have to be waited for."""
    return False


class Reply:
    """
    The engine's way to one client.

    A whole answer leaves in one piece with its length, a stream piece by piece.
    """

    def __init__(self, call: Call, wire: Wire, limits: Limits, *, is_stream: bool) -> None:
        self.call = call
        self.turn = call.turn
        self.wire = wire
        self.limits = limits
        self.is_stream = is_stream
        self.is_sent = False
        """Whether the head is on its way; from here on an error can only be an event and a cut."""
        self.is_over = False
        self.write_now: Callable[[bytes], bool] = not_now
        """Returns whether bytes of a begun stream need no waiting, having sent them if so."""

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer; nothing follows."""
        self.is_over = True
        self.call.unwatch()
        await send_whole(self.call, status, headers, body)

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the head of a stream."""
        self.is_sent = True
        call = self.call
        own = [(b"x-everup-request-id", call.request_id.encode()), *headers, *call.cors, *STREAM]
        if self.turn is not None:
            await self.turn.send_head(status, own)
            self.write_now = self.turn.send_now  # itself: a call between them would be one for each chunk
        else:
            await call.send({"type": "http.response.start", "status": status, "headers": clean(own)})
        call.status = status

    async def write(self, data: bytes) -> None:
        """Send bytes of a begun stream; waits while the client is slow."""
        if not self.write_now(data):
            await self.send_piece(data)

    async def send_piece(self, data: bytes) -> None:
        """Send bytes of a begun answer."""
        if self.turn is not None:
            await self.turn.send_piece(data)
        else:
            await self.call.send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """End a stream as complete."""
        self.is_over = True
        call = self.call
        call.unwatch()
        if self.turn is not None:
            await self.turn.send_end()
        else:
            await call.send({"type": "http.response.body", "body": b""})

    async def fail(self, failure: Failure) -> None:
        """End with an error: a status if nothing left yet, else an event and a cut."""
        if self.is_over:
            return
        self.is_over = True
        self.call.unwatch()
        if not self.is_sent:
            await send_failure(self.call, failure, self.wire, self.limits)
            return
        try:
            if self.is_stream:
                event = self.wire.encode_stream_failure(failure, self.limits)
                async with asyncio.timeout(FAIL_S):
                    await self.write(event)
        except TimeoutError:
            pass  # a client that does not read is not waited for
        finally:
            if self.turn is not None:
                self.turn.connection.cut(self.turn)
