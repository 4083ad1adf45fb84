"""
One request on a connection, and its answer as bytes.

What must not live here: reading requests (see `protocol`), what an answer says (see `reply`). The application is
called with the turn itself; the same turn serves any ASGI application through `asgi`, by what it inherits.
"""

from __future__ import annotations

import logging
import re
from asyncio import Event
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from everup.surfaces.protocol import Bounded

    Answer = Callable[["Turn"], Coroutine[Any, Any, None]]

Headers = list[tuple[bytes, bytes]]

CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def clean(headers: Headers) -> Headers:
    """
    Return headers none of which ends its line.

    A model's name may be any provider's; what it holds must not end a header (S13).
    """
    if CONTROL.search(b"".join([value for _, value in headers])):
        headers = [(name, CONTROL.sub(b"?", value)) for name, value in headers]
    return headers


class Turn(RequestResponseCycle):
    """
    A request being read and answered.

    Its own methods write without ASGI's messages: a dictionary, an event and a coroutine for each would cost more
    than the bytes.
    """

    # One is made for each request: what starts out the same for all stands in the class.
    access_log = False
    disconnected = False
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    more_body = True
    body: bytes | bytearray = b""  # type: ignore[assignment]  # most come in one piece, which is not copied

    def __init__(  # the parent's is not called: it wants loggers and a scope, which only ASGI needs
        self, connection: Bounded, method: str, target: bytes, headers: Headers, *, keep_alive: bool, expects: bool
    ) -> None:
        self.connection = connection
        self.transport = connection.transport
        self.flow = connection.flow
        self.method = method
        self.target = target
        self.headers = headers
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects
        self.task: asyncio.Task[None] | None = None

    # The body, as it comes.

    def feed(self, data: bytes) -> None:
        """Take a piece of the body."""
        if not self.body:
            self.body = data
        elif isinstance(self.body, bytearray):
            self.body += data
        else:
            self.body = bytearray(self.body) + data
        self.tell()

    def end_body(self) -> None:
        """Note that the body is whole."""
        self.more_body = False
        self.tell()

    @cached_property
    def message_event(self) -> Event:  # type: ignore[override]  # most bodies are there before anybody waits
        """What wakes who waits for the body or for the end."""
        event = Event()
        if self.body or not self.more_body or self.disconnected:
            event.set()
        return event

    def tell(self) -> None:
        """Wake who waits, if anybody does."""
        event = self.__dict__.get("message_event")
        if event is not None:
            event.set()

    async def read(self) -> bytes | None:
        """
        Return what has come of the body, None once the client has left.

        After the last piece `more_body` is False.
        """
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(CONTINUE)
            self.waiting_for_100_continue = False
        while self.more_body and not self.body and not self.disconnected:
            self.flow.resume_reading()
            self.message_event.clear()
            await self.message_event.wait()
        if self.disconnected:
            return None
        data, self.body = self.body, b""
        return data if isinstance(data, bytes) else bytes(data)

    # The answer.

    async def send_whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete answer in one write; waits while the client is slow."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.response_started:
            return
        length = (b"content-length", b"%d" % len(body))
        head = self.head_of(status, [*headers, length])
        self.transport.write(head if self.method == "HEAD" else head + body)
        self.end()

    async def send_head(self, status: int, headers: Headers) -> None:
        """Send the head of an answer whose pieces follow."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self.transport.write(self.head_of(status, [*headers, (b"transfer-encoding", b"chunked")]))

    async def send_piece(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client is slow."""
        while not self.send_now(data):
            await self.flow.drain()

    def send_now(self, data: bytes) -> bool:
        """Return whether a piece needs no waiting, having sent it if so."""
        if self.disconnected:
            return True
        if self.flow.write_paused:
            return False
        if data:  # an empty chunk would be the last one
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    async def send_end(self) -> None:
        """End an answer sent in pieces."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self.transport.write(b"0\r\n\r\n")
            self.end()

    def head_of(self, status: int, headers: Headers) -> bytes:
        """Return an answer's head."""
        lines = b"".join([b"%b: %b\r\n" % pair for pair in clean(headers)])
        self.response_started = True
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        return b"%b%b%b%b" % (STATUS_LINE[status], self.connection.door.date_line, lines, end)

    def end(self) -> None:
        """Note that the answer is complete, and let the connection go on."""
        self.response_complete = True
        self.tell()
        if not self.keep_alive:
            self.transport.close()
        self.connection.on_response_complete()

    def leave(self) -> None:
        """Note that nobody reads this answer any more."""
        self.disconnected = True
        self.tell()

    def over(self, task: asyncio.Task[None]) -> None:
        """Cut off what its task left without an end: a client must not wait for the rest."""
        self.task = None
        self.connection.server_state.tasks.discard(task)
        if not self.response_complete and not self.disconnected:
            self.transport.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.connection.loop.call_exception_handler({"message": "a request's task failed", "exception": error})

    # What only an ASGI application needs.

    def on_response(self) -> None:  # an attribute of the parent's instances
        """Let the connection go on."""
        self.connection.on_response_complete()

    @property
    def logger(self) -> logging.Logger:  # type: ignore[override]
        """Where the parent tells of an application's errors."""
        return logging.getLogger("uvicorn.error")

    @property
    def default_headers(self) -> Headers:  # type: ignore[override]
        """The headers of every answer."""
        return self.connection.server_state.default_headers

    @cached_property
    def scope(self) -> Any:  # type: ignore[override]
        """The request as ASGI has it."""
        raw_path, _, query = self.target.partition(b"?")
        transport = self.transport
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": transport.get_extra_info("sockname"),
            "client": self.connection.client,
            "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
            "root_path": "",
            "method": self.method,
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": {},
        }
