"""
Raw servers on loopback: bytes exactly as a test writes them, one answer for each request.

Must not: know HTTP beyond where a request ends, or use anything of `everup.net`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Self

from everup.errors import TransportError, TransportKind
from everup.net.client import Client, Outgoing
from everup.net.exchange import Exchange
from everup.net.origin import Origin
from everup.shapes.limits import Limits

DEADLINE_S = 5.0


class Do(Enum):
    """What a server can do beside sending bytes."""

    CLOSE = auto()
    RESET = auto()
    HOLD = auto()
    """Nothing more, until the client leaves."""


class Wait(float):
    """Seconds of the loop's clock between two steps."""


Step = bytes | Do | Wait
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
POST = Outgoing(method=b"POST", target=b"/v1/chat", headers=((b"content-type", b"application/json"),), body=b'{"a":1}')


class RawServer:
    """Plays one tuple of steps for each request, in order; the last one for ever."""

    def __init__(self, *answers: tuple[Step, ...] | bytes, tls: ssl.SSLContext | None = None, slices: int = 0) -> None:
        self.answers = [(answer,) if isinstance(answer, bytes) else answer for answer in answers or (OK,)]
        self.tls = tls
        self.slices = slices
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.resumed: list[bool] = []
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Return itself, listening."""
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls, limit=1 << 26)
        self.port: int = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Everything is closed."""
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()
        await self.server.wait_closed()

    def origin(self, **more: object) -> Origin:
        """Return the origin to use for it."""
        return Origin("https" if self.tls else "http", "127.0.0.1", self.port, **more)  # type: ignore[arg-type]

    def push(self, data: bytes) -> None:
        """Every open connection gets bytes that nobody asked for."""
        for writer in self.writers:
            writer.write(data)

    def hang_up(self) -> None:
        """Every open connection is closed."""
        for writer in self.writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.writers.add(writer)
        self.connections += 1
        self.open += 1
        if (tls := writer.get_extra_info("ssl_object")) is not None:
            self.resumed.append(tls.session_reused)
        try:
            while True:
                self.requests.append(await read_request(reader))
                at = min(len(self.requests), len(self.answers)) - 1
                if not await self.play(self.answers[at], reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            return  # the client has gone, or the test is over
        finally:
            self.open -= 1
            self.writers.discard(writer)
            self.tasks.discard(task)
            writer.close()

    async def play(self, steps: tuple[Step, ...], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return whether the connection stays open after these steps."""
        for step in steps:
            if isinstance(step, bytes):
                await self.send(step, writer)
            elif isinstance(step, Wait):
                await asyncio.sleep(step)
            elif step is Do.HOLD:
                await reader.read()
                return False
            else:
                if step is Do.RESET:
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
                return False
        return True

    async def send(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """The bytes are sent, in slices if the server was told so."""
        size = self.slices or len(data) or 1
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            if self.slices:
                await asyncio.sleep(0)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return one whole request."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, found, rest = head.partition(b"content-length: ")
    return head + (await reader.readexactly(int(rest.split(b"\r\n")[0])) if found else b"")


@asynccontextmanager
async def client_of(limits: Limits | None = None, **more: object) -> AsyncIterator[Client]:
    """Yield a client, and see that it leaves nothing open."""
    client = Client(limits or Limits(), **more)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        await client.close()
        assert {"open": 0, "idle": 0, "origins": {}} == client.view()
        assert not client.dials
        assert client.pool.timer is None


async def ask(
    client: Client, origin: Origin, outgoing: Outgoing = POST, *, is_fresh: bool = False
) -> tuple[int, bytes, Exchange]:
    """Return status, whole body and the closed exchange."""
    exchange = client.start(origin, outgoing, is_fresh=is_fresh)
    try:
        head = await exchange.head()
        pieces = []
        while data := await exchange.read():
            pieces.append(data)
        return head.status, b"".join(pieces), exchange
    finally:
        exchange.close()


async def fail(client: Client, origin: Origin, outgoing: Outgoing = POST) -> TransportError:
    """Return the error that a request ends with."""
    try:
        answer = await ask(client, origin, outgoing)
    except TransportError as error:
        return error
    raise AssertionError(f"answered {answer[:2]}")


async def until(is_so: Callable[[], bool]) -> None:
    """Return once something is so; fails if it does not come in time."""
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():
            await asyncio.sleep(0.005)


def kinds(error: TransportError) -> tuple[TransportKind, int]:
    """Return what tests most often compare."""
    return error.kind, int(error.sent)
