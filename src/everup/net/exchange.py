"""
One request and its answer, on one connection.

What must not live here: choosing or making connections (see `pool`, `dial`), retrying, what a status means.
The caller always ends with `close()`; nothing is sent before `head()` is awaited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.errors import Sent, TransportError, TransportKind
from everup.net.causes import words
from everup.net.http1 import Head, Reader

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from everup.net.client import Client
    from everup.net.connection import Connection
    from everup.net.outgoing import Outgoing
    from everup.net.site import Site

__all__ = ("Exchange", "Head")

STALE_S = 1.0
"""Ruling 4: a reused connection that ends this soon after the write had been closed by the peer before it."""
ONE_WRITE_BYTES_MAX = 262_144
"""Above it the body is not copied behind its head: two writes cost less."""
PROXY_LOGIN = 407


class Exchange:
    """A request on its way; see the seam in each method."""

    # One is made for each request: what starts out the same for all stands in the class.
    reader: Reader | None = None
    connection: Connection | None = None
    dialing: asyncio.Task[Connection] | None = None
    waiter: asyncio.Future[None] | None = None
    sink: Callable[[bytes], bool] | None = None
    sink_error: Exception | None = None
    error: BaseException | None = None
    is_aborted = False
    is_closed = False
    is_reused = False
    sent_last = Sent.NOTHING
    first_byte_mono_s: float | None = None
    written_mono_s: float | None = None

    def __init__(
        self, client: Client, site: Site, outgoing: Outgoing | None, start: bytes, body: bytes, *, is_fresh: bool
    ) -> None:
        """
        `start` is the head up to its length where the caller has it.

        Else it is made of `outgoing`.
        """
        self.client = client
        self.site = site
        self.loop = site.loop
        self.outgoing = outgoing
        self.start = start
        self.body = body
        self.is_fresh = is_fresh

    @property
    def sent(self) -> Sent:
        """How much of the request has left this process."""
        if self.written_mono_s is None:
            return Sent.NOTHING
        if self.first_byte_mono_s is not None:
            return Sent.ALL
        if self.connection is None:
            return self.sent_last
        return Sent.SOME if self.connection.is_sending() else Sent.ALL

    @property
    def is_ended_by_close(self) -> bool:
        """
        Whether the body has no length of its own.

        Only the wire can say that it is complete.
        """
        return self.reader is not None and self.reader.is_until_close

    async def head(self) -> Head:
        """
        Return the head of the final answer, having sent the request.

        `TransportError` if there is none.
        """
        if self.reader is None and self.dialing is None and self.error is None:
            self.begin()
        while True:
            if self.error is not None and (self.is_aborted or self.reader is None or self.reader.head is None):
                raise self.error
            if self.reader is not None and self.reader.head is not None:
                return self.judge_proxy(self.reader.head) if self.site.is_forwarded else self.reader.head
            await self.wait()

    async def read(self) -> bytes:
        """
        Return what has arrived of the body, b"" once it is complete.

        `TransportError` if it cannot be.
        """
        reader = self.reader
        if reader is None or reader.head is None:
            await self.head()
            return await self.read()
        while True:
            if self.is_aborted and self.error is not None:
                raise self.error
            if reader.held:
                data = reader.take()
                if self.connection is not None and self.connection.is_paused:
                    self.connection.resume_reading()
                return data
            if self.error is not None:
                raise self.error
            if reader.is_done:
                return b""
            await self.wait()

    async def read_all(self, bytes_max: int) -> bytes:
        """
        Return the whole body.

        `TransportError(TOO_LARGE)` as soon as it is known to be larger.
        """
        reader = self.reader
        if reader is not None and reader.is_done and not self.is_aborted:
            body = reader.take()  # all of it has arrived
        else:
            body = await self.collect(bytes_max)
        if len(body) > bytes_max:
            raise self.too_large(bytes_max)
        return body

    async def collect(self, bytes_max: int) -> bytes:
        """
        Return the body once it is whole.

        Too large a one is left as soon as its head or its size says so.
        """
        length = (await self.head()).get(b"content-length")
        if length.isdigit() and int(length) > bytes_max:
            raise self.too_large(bytes_max)
        pieces: list[bytes] = []
        size = 0
        while size <= bytes_max and (data := await self.read()):
            pieces.append(data)
            size += len(data)
        return b"".join(pieces)

    async def relay(self, sink: Callable[[bytes], bool]) -> None:
        """
        Give what arrives of the body to `sink` at once.

        Without a turn of the loop between. Returns when `sink` takes no more (it has kept what it was given last),
        and when there will be no more: `read` then says why. An error of `sink` is raised here.
        """
        reader = self.reader
        assert reader is not None, "there is no body before the head"
        self.sink = sink
        try:
            while self.sink is not None and self.error is None and not reader.is_done and not reader.held:
                await self.wait()
        finally:
            self.sink = None
        if self.sink_error is not None:
            raise self.sink_error

    def abort(self, error: TransportError) -> None:
        """End it now: the pending or next `head()` or `read()` raises `error`."""
        if not self.is_aborted:
            self.is_aborted = True
            self.error = error
            self.let_go()
            self.wake()

    def close(self) -> None:
        """
        Give the connection back if answer and connection are whole, else close it.

        Idempotent.
        """
        if self.is_closed:
            return
        self.is_closed = True
        connection, reader = self.connection, self.reader
        if connection is not None and reader is not None and self.error is None and self.is_clean(connection, reader):
            connection.listener = None
            self.connection = None
            connection.resume_reading()  # a body that arrived at once may have stopped it
            self.client.keep(connection, self.loop.time())
        else:
            self.let_go()
        if self.waiter is not None:
            self.abort(self.failure(TransportKind.ABORTED, "the exchange was closed"))

    # The rest is between an exchange, its connection and its client.

    def begin(self) -> None:
        """Take a pooled connection and send, or begin to dial one."""
        if self.client.pool.is_closed:
            raise TransportError(TransportKind.ABORTED, "the client is closed")
        if self.outgoing is not None:
            self.start = self.site.start_of(self.outgoing)
        now = self.loop.time()
        connection = None if self.is_fresh else self.client.pool.take(self.site, now)
        if connection is not None:
            self.is_reused = True
            self.send(connection, now)
        else:
            self.dialing = self.client.dial(self.site)
            self.dialing.add_done_callback(self.dialed)

    def dialed(self, task: asyncio.Task[Connection]) -> None:
        """Take the connection that was dialed, or learn why there is none."""
        self.dialing = None
        if task.cancelled():
            self.fail(TransportKind.ABORTED, "the client was closed while connecting")
        elif (error := task.exception()) is not None:
            self.error = self.error or error
            self.wake()
        elif self.is_closed or self.error is not None:
            task.result().abort()
        else:
            self.send(task.result(), self.loop.time())

    def send(self, connection: Connection, now_mono_s: float) -> None:
        """Write the request."""
        if connection.is_ended:
            self.fail(TransportKind.RESET, "the connection ended before the request was sent")
            return
        self.connection = connection
        self.reader = Reader(self.client.limits)
        connection.listener = self
        self.written_mono_s = now_mono_s
        body = self.body
        if body or self.outgoing is None or self.outgoing.method != b"GET":
            head = b"%bcontent-length: %d\r\n\r\n" % (self.start, len(body))
        else:
            head = self.start + b"\r\n"
        if len(body) <= ONE_WRITE_BYTES_MAX:
            connection.transport.write(head + body)
        else:
            connection.transport.write(head)
            connection.transport.write(body)

    def received(self, data: bytes) -> None:
        """Take bytes of the answer."""
        reader = self.reader
        assert reader is not None, "bytes can only come after send()"
        if self.first_byte_mono_s is None:
            self.first_byte_mono_s = self.loop.time()
        reader.feed(data)
        if reader.fault is not None:
            kind, why = reader.fault
            self.fail(kind, f"{self.site.origin.place}: {why}")
            self.let_go()
            return
        if self.sink is not None and reader.held:
            try:
                held = reader.held
                if len(held) == 1:  # nearly always: taken without a call
                    data, reader.held_bytes = held.pop(), 0
                else:
                    data = reader.take()
                is_taken = self.sink(data)
            except Exception as error:  # noqa: BLE001  # a boundary: `relay` raises it where the request's task waits
                self.sink_error = error
                is_taken = False
            if is_taken and not reader.is_done:
                return
            self.sink = None
        if reader.held_bytes > self.client.limits.stream_buffer_bytes and self.connection is not None:
            self.connection.pause_reading()
        self.wake()

    def ended(self, cause: Exception | None) -> None:
        """Judge the end of the connection."""
        reader = self.reader
        assert reader is not None, "only an exchange that has sent listens"
        sent = self.sent
        self.connection, self.sent_last = None, sent
        if reader.is_done or (cause is None and reader.end()):
            self.wake()
            return
        told = f" ({words(cause)})" if isinstance(cause, OSError) else ""
        place = self.site.origin.place
        if reader.fault is not None:
            self.fail(reader.fault[0], f"{place}: {reader.fault[1]}")
        elif reader.head is not None:
            self.fail(TransportKind.CUT, f"{place} ended the connection inside the body{told}")
        elif self.is_stale():
            self.fail(TransportKind.STALE, f"{place} had closed the connection that was to be reused{told}")
        else:
            self.fail(TransportKind.RESET, f"{place} ended the connection before it answered{told}")

    def is_stale(self) -> bool:
        """Return whether the peer must have closed a reused connection before the write."""
        if not self.is_reused or self.first_byte_mono_s is not None or self.written_mono_s is None:
            return False
        return self.loop.time() - self.written_mono_s <= STALE_S

    def is_clean(self, connection: Connection, reader: Reader) -> bool:
        """Return whether another request may follow on this connection."""
        if not reader.is_done or reader.is_until_close or not reader.is_keep_alive or reader.is_poisoned:
            return False
        return not connection.is_ended and not connection.is_sending()

    def judge_proxy(self, head: Head) -> Head:
        """Return the head, unless a forwarding proxy spoke in the provider's place."""
        if head.status == PROXY_LOGIN:
            raise self.failure(TransportKind.PROXY, "the proxy wants a login (407): put user:password@ into HTTP_PROXY")
        return head

    def too_large(self, bytes_max: int) -> TransportError:
        """Return the error of a body beyond its limit."""
        return self.failure(TransportKind.TOO_LARGE, f"{self.site.origin.place}: a body of more than {bytes_max} bytes")

    def failure(self, kind: TransportKind, why: str) -> TransportError:
        """Return an error that knows what was sent and on what."""
        return TransportError(kind, why, sent=self.sent, is_reused=self.is_reused)

    def fail(self, kind: TransportKind, why: str) -> None:
        """Remember the first error and tell whoever waits."""
        if self.error is None:
            self.error = self.failure(kind, why)
        self.wake()

    def let_go(self) -> None:
        """Close the connection, or stop making one."""
        if self.dialing is not None:
            self.dialing.cancel()
        connection = self.connection
        if connection is not None:
            self.sent_last = self.sent
            self.connection = None
            connection.abort()
        if self.reader is not None:
            self.reader.drop_parser()

    async def wait(self) -> None:
        """Return once something has happened."""
        waiter = self.waiter = self.loop.create_future()
        try:
            await waiter
        finally:
            self.waiter = None

    def wake(self) -> None:
        """Let whoever waits look again."""
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
