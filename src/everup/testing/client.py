"""
A plain HTTP/1.1 client for tests.

It shows what is on the wire, and whether an answer ended as complete.
What must not live here: everup's own client (`net`), so that both can be wrong independently. Called by the
gateway's test double and by tests that leave early or read slowly.
"""

from __future__ import annotations

import asyncio
import json
import socket
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

HEAD_LINES_MAX = 400
LINE_BYTES_MAX = 1 << 20


class Answer(Struct, frozen=True, kw_only=True):
    """
    One response; `is_complete` only if it ended as its framing promised.

    Length reached, last chunk seen.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool
    head_s: float = 0.0
    """From the request to the response's head."""
    total_s: float = 0.0
    body_at_head: int = 0

    @property
    def json(self) -> dict[str, Any]:
        """Return the body's fields, or none."""
        try:
            fields = json.loads(self.body)
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}

    @property
    def events(self) -> list[str]:
        """Return the data of each server-sent event, comments left out."""
        blocks = self.body.decode(errors="replace").split("\n\n")
        lines = (line for block in blocks for line in block.splitlines())
        return [line[5:].strip() for line in lines if line.startswith("data:")]

    @property
    def text(self) -> str:
        """Return what a person would have read, streamed or not."""
        if self.is_stream:
            return "".join(delta_text(event) for event in self.events)
        choices = self.json.get("choices") or [{}]
        return str((choices[0].get("message") or {}).get("content") or "")

    @property
    def is_stream(self) -> bool:
        """Return whether it is an event stream."""
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def is_done(self) -> bool:
        """Return whether the stream said `[DONE]`."""
        return "[DONE]" in self.events

    @property
    def error(self) -> dict[str, Any]:
        """Return the error object of the body or of the stream's last event, or none."""
        if self.is_stream:
            found = [error for event in self.events if (error := event_fields(event).get("error"))]
        else:
            found = [self.json.get("error")]
        return found[-1] if found and isinstance(found[-1], dict) else {}

    @property
    def trail(self) -> str:
        """Return the trail header."""
        return self.headers.get("x-everup-trail", "")


def event_fields(event: str) -> dict[str, Any]:
    """Return an event's JSON fields, or none."""
    try:
        fields = json.loads(event)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def delta_text(event: str) -> str:
    """Return the text one event adds."""
    choices = event_fields(event).get("choices") or [{}]
    return str((choices[0].get("delta") or {}).get("content") or "")


class Conversation:
    """One connection with one request on it, read at the caller's pace."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_complete = False
        self.left = -1
        """Bytes of a body with a length still to come; -1 is chunked, -2 until the connection ends."""

    async def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Return once the request is with the system."""
        given = {"host": "127.0.0.1", **headers, "content-length": str(len(body))}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        self.writer.write("\r\n".join(lines).encode("latin-1") + body)
        await self.writer.drain()

    async def read_head(self) -> int:
        """Return the status of the final response head."""
        while True:
            self.status = int((await self.reader.readuntil(b"\r\n")).split(b" ")[1])
            self.headers = {}
            for _ in range(HEAD_LINES_MAX):
                line = await self.reader.readuntil(b"\r\n")
                if line == b"\r\n":
                    break
                name, value = line.decode("latin-1").split(":", 1)
                self.headers[name.lower()] = value.strip()
            if self.status >= 200:
                break
        chunked = self.headers.get("transfer-encoding") == "chunked"
        self.left = -1 if chunked else int(self.headers.get("content-length", -2))
        self.is_complete = self.left == 0
        return self.status

    async def read_some(self) -> bytes:
        """Return the next piece of the body; b"" once it has ended, however it ended."""
        try:
            return await (self.read_chunk() if self.left == -1 else self.read_plain())
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def read_chunk(self) -> bytes:
        """Return one chunk's data, b"" for the last."""
        size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
        data = await self.reader.readexactly(size + 2)
        if size == 0:
            self.is_complete = True
            self.left = 0
        return data[:-2]

    async def read_plain(self) -> bytes:
        """
        Return some bytes of a body with a length.

        Or of one that the connection's end ends.
        """
        if self.left == 0:
            return b""
        data = await self.reader.read(65_536 if self.left < 0 else min(self.left, 65_536))
        if self.left > 0:
            self.left -= len(data)
            self.is_complete = self.left == 0
        elif not data:
            self.is_complete = True
        return data

    async def read_rest(self) -> bytes:
        """Return the rest of the body."""
        parts = []
        while data := await self.read_some():
            parts.append(data)
        return b"".join(parts)

    def leave(self) -> None:
        """The connection is dropped as a vanished client would drop it."""
        self.writer.transport.abort()


@asynccontextmanager
async def conversation(port: int, *, receive_buffer_bytes: int = 0) -> AsyncIterator[Conversation]:
    """
    A connection to a local port.

    A small receive buffer makes a slow reader felt at once.
    """
    sock = socket.socket()
    sock.setblocking(False)  # noqa: FBT003  (the standard library's own signature)
    if receive_buffer_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    limit = receive_buffer_bytes or LINE_BYTES_MAX
    reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
    try:
        yield Conversation(reader, writer)
    finally:
        writer.transport.abort()
        # Let the transport's connection_lost run: an unclosed socket is a warning, and warnings are errors.
        await asyncio.sleep(0)


async def exchange(
    port: int,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    within_s: float = 15.0,
) -> Answer:
    """Return the whole answer to one request on a connection of its own."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within_s), conversation(port) as talk:
        await talk.send(method, target, headers or {}, body)
        await talk.read_head()
        head_s = loop.time() - began
        content = await talk.read_rest()
        return Answer(
            status=talk.status,
            headers=talk.headers,
            body=unpacked(talk.headers, content),
            is_complete=talk.is_complete,
            head_s=head_s,
            total_s=loop.time() - began,
        )


def unpacked(headers: Mapping[str, str], content: bytes) -> bytes:
    """Return a body without its gzip coding."""
    return zlib.decompress(content, 31) if headers.get("content-encoding") == "gzip" else content
