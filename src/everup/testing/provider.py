"""
A scripted provider.

A real HTTP/1.1 server on loopback that answers as it is told and remembers what it was asked.

What must not live here: the answers (see `scripts`) and anything of everup's own client, so that both can be
wrong independently. Used by tests with `async with ScriptedProvider(...) as provider`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, cast

from everup.testing.anthropic import model_list
from everup.testing.ollama import show_json, tags_json
from everup.testing.request import BadRequest, Request, body_size, read_head
from everup.testing.scripts import Close, Pause, Reset, Script, Send, Silence, Step, reply, sized

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from types import TracebackType

HEAD_BYTES_MAX = 1 << 20
WRITE_BUFFER_BYTES = 1 << 16
ENDLESS = 1 << 62
TLS_HELLO = b"\x16"


class Connection(asyncio.Protocol):
    """One accepted connection: bytes in, and whether the peer is still there."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.data = bytearray()
        self.changed = asyncio.Event()
        self.gone = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.number = 0
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The answering task begins."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES, low=0)
        self.provider.connections += 1
        self.number = self.provider.connections
        self.provider.open.add(self)
        self.task = asyncio.get_running_loop().create_task(self.provider.serve(self))

    def data_received(self, data: bytes) -> None:
        """The bytes wait for `take_request`."""
        self.data += data
        self.changed.set()

    def eof_received(self) -> bool:
        """Return False: a half-closed peer counts as gone, and the transport closes."""
        self.lost()
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        """Whoever waits learns of it."""
        self.provider.open.discard(self)
        self.lost()

    def lost(self) -> None:
        """Wakes every waiter."""
        self.gone.set()
        self.changed.set()
        self.writable.set()

    def pause_writing(self) -> None:
        """The peer reads too slowly."""
        if not self.gone.is_set():
            self.writable.clear()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.writable.set()

    async def more(self) -> None:
        """Return once there are more bytes; `ConnectionError` when the peer has gone."""
        if self.gone.is_set():
            raise ConnectionResetError
        self.changed.clear()
        await self.changed.wait()

    async def take_request(self) -> tuple[str, str, tuple[tuple[str, str], ...], bytes]:
        """
        Return method, target, headers and body of the next request.

        `BadRequest` if it is none.
        """
        while (end := self.data.find(b"\r\n\r\n")) < 0:
            if len(self.data) > HEAD_BYTES_MAX or self.data[:1] == TLS_HELLO:
                raise BadRequest("not the beginning of a request")
            await self.more()
        method, target, headers = read_head(bytes(self.data[:end]))
        del self.data[: end + 4]
        size = body_size(headers)
        while len(self.data) < size:
            await self.more()
        content = bytes(self.data[:size])
        del self.data[:size]
        return method, target, headers, content


class ScriptedProvider:
    """
    A provider of any wire that plays scripts.

    `scripts` is looked up by the request's key, its model, its path's first segment, then "*"; the n-th request
    of an entry gets its n-th script, the last one for ever after. What is asked about `models` is answered beside
    them (`listings`): any GET, and with `is_ollama` the questions of that API, `POST /api/show` too.
    """

    def __init__(
        self,
        scripts: Mapping[str, tuple[Script, ...]] | Script | None = None,
        *,
        models: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
        send_buffer_bytes: int = 0,
        is_ollama: bool = False,
    ) -> None:
        given = {"*": (scripts,)} if isinstance(scripts, Script) else dict(scripts or {})
        self.scripts: dict[str, tuple[Script, ...]] = {"*": (reply("Hello"),), **given}
        self.models = models
        self.tls = tls
        self.send_buffer_bytes = send_buffer_bytes
        self.is_ollama = is_ollama
        self.requests: list[Request] = []
        self.listings: list[Request] = []
        self.complaints: list[str] = []
        """What was wrong with requests that no server would take; tests assert it is empty."""
        self.turns: Counter[str] = Counter()
        self.connections = 0
        self.open: set[Connection] = set()
        self.port = 0

    @property
    def base_url(self) -> str:
        """Return the base URL to configure."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{'' if self.is_ollama else '/v1'}"

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        """Return how many requests came for each key and model (clause C1)."""
        return Counter((request.key, request.model) for request in self.requests)

    def script(self, *scripts: Script, on: str = "*") -> None:
        """The next request of this entry gets the first of these."""
        self.scripts[on] = scripts
        self.turns[on] = 0

    async def __aenter__(self) -> Self:
        """Return itself, listening."""
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        if self.send_buffer_bytes:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer_bytes)
        self.server = await loop.create_server(lambda: Connection(self), sock=listener, ssl=self.tls)
        self.port = listener.getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every connection is closed and every task has ended."""
        self.server.close()
        connections = tuple(self.open)
        for connection in connections:
            connection.transport.abort()
        await asyncio.gather(*(c.task for c in connections if c.task), return_exceptions=True)
        await self.server.wait_closed()

    async def serve(self, connection: Connection) -> None:
        """Answers every request of one connection until it ends."""
        nth = 0
        try:
            while True:
                method, target, headers, content = await connection.take_request()
                nth += 1
                now = asyncio.get_running_loop().time()
                request = Request(method, target, headers, content, connection.number, nth, now)
                await self.answer(connection, request)
        except BadRequest as error:
            self.complaints.append(str(error))
            connection.transport.write(sized(400, str(error).encode(), "text/plain", connection="close"))
        except ConnectionError:
            pass
        connection.transport.close()

    async def answer(self, connection: Connection, request: Request) -> None:
        """One request has been recorded and answered by its script."""
        if request.method == "GET" or (self.is_ollama and request.path.endswith("/api/show")):
            self.listings.append(request)
            # Closed afterwards: a listing must not leave a pooled connection for a scripted fault to look stale on.
            connection.transport.write(sized(200, self.listing(request), connection="close"))
            raise ConnectionAbortedError
        self.requests.append(request)
        loop = asyncio.get_running_loop()
        try:
            for step in self.choose(request).steps(is_stream=request.is_stream):
                await self.play(connection, request, step)
        except ConnectionError:
            if connection.gone.is_set():
                request.gone_mono_s = loop.time()
            raise
        request.answered_mono_s = loop.time()

    def listing(self, request: Request) -> bytes:
        """Return what a question about the models is answered."""
        if self.is_ollama:
            return tags_json(self.models) if request.method == "GET" else show_json()
        if request.header("anthropic-version"):
            return model_list(self.models)
        rows = [{"id": name, "object": "model"} for name in self.models]
        return json.dumps({"object": "list", "data": rows}).encode()

    def choose(self, request: Request) -> Script:
        """Return the script whose turn it is."""
        entry = next((name for name in (request.key, request.model, request.prefix) if name in self.scripts), "*")
        turn = self.turns[entry]
        self.turns[entry] += 1
        return self.scripts[entry][min(turn, len(self.scripts[entry]) - 1)]

    async def play(self, connection: Connection, request: Request, step: Step) -> None:
        """One step has been played. `ConnectionError` once the connection has ended."""
        match step:
            case Send():
                await send(connection, request, step)
            case Pause(seconds):
                await stay(connection, seconds)
            case Silence():
                await stay(connection, None)
            case Close():
                connection.transport.close()
                raise ConnectionAbortedError
            case Reset():
                reset(connection)
                raise ConnectionAbortedError


async def stay(connection: Connection, seconds: float | None) -> None:
    """Return after this time; `ConnectionError` as soon as the peer has gone."""
    try:
        async with asyncio.timeout(seconds):
            await connection.gone.wait()
    except TimeoutError:
        return
    raise ConnectionResetError


async def send(connection: Connection, request: Request, step: Send) -> None:
    """Return once the bytes were handed to the system as fast as the peer takes them."""
    size = step.slice_bytes or max(len(step.data), 1)
    slices = [step.data[at : at + size] for at in range(0, len(step.data), size)]
    for _ in range(step.times or ENDLESS):
        for data in slices:
            if connection.gone.is_set():
                raise ConnectionResetError
            connection.transport.write(data)
            request.sent_bytes += len(data)
            await connection.writable.wait()
            if step.pause_s:
                await stay(connection, step.pause_s)
            elif step.slice_bytes or not step.times:
                await asyncio.sleep(0)


def reset(connection: Connection) -> None:
    """The peer gets a RST instead of a FIN."""
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


def closed_port() -> int:
    """
    Return a loopback port that nobody has just now.

    Another program may take it (see `refusing_port`).
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def refusing_port() -> Iterator[int]:
    """
    A loopback port that refuses connections for as long as the block lasts.

    Taken, but not listened on.
    """
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
