"""
HTTP/1.1 to clients: uvicorn's httptools protocol with the bounds it lacks.

What must not live here: routes, keys, bodies' meaning. Deadlines for head and body, header bounds, strict
targets, one Host, honest ends of cut answers. Sources: FAULTS S2, S12, S16; BUILDING 7. The uvicorn internals
it leans on are listed in tests/surfaces/test_uvicorn_internals.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import (
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from everup.surfaces.connections import NEVER, SWEEP_S, UNKNOWN_ADDRESS, Connections, canonical_address
from everup.surfaces.refusal import BUSY, Refused, encode_refusal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

# What the connection's incoming side waits for.
NEW, HEAD, BODY, DONE, IDLE, DISCARD, DEAF = range(7)

LINGER_S = 2.0
"""Time a client has to read a refusal before its connection is aborted (a plain close would reset it)."""
FLUSH_S = 5.0
"""Time the last bytes of an ended answer have to leave."""
DISCARD_S = 5.0
"""Time to read and drop the rest of a body that was answered early."""
LINE_BYTES = 16_384
"""Room for the request line and separators beside the headers themselves."""
PIPELINED_MAX = 16
TARGET = re.compile(rb"/[!-\"$-\[\]-~]*")
"""Origin form: printable ASCII without a fragment or a backslash (S2: nothing may shift the path)."""
ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]+)(/[!-\"$-\[\]-~]*)?")


class Bounded(HttpToolsProtocol):
    """One client connection."""

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self.door = connections
        self.limits = connections.limits
        self.address = ""
        self.phase = NEW
        self.due_mono_s = NEVER
        self.body_end_mono_s = NEVER
        self.head_bytes = 0
        """Bytes read since the head began: an upper bound of its size."""
        self.read_bytes = 0
        self.barren_bytes = 0
        """Bytes read in a body that brought no body: chunk extensions, trailers."""
        self.is_fed = False
        self.running: RequestResponseCycle | None = None
        """The request being answered; `cycle` is the one being read, which may be a later one."""
        self.gone: Callable[[], None] | None = None
        """Called once when the client has left while its request runs."""

    # The connection.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count the connection, or refuse it with a 503."""
        super().connection_made(transport)
        address = canonical_address(self.client[0]) if self.client else UNKNOWN_ADDRESS
        if not self.door.admit(address):
            transport.write(BUSY)
            self.linger()
        else:
            self.address = address
            self.due_mono_s = self.door.now_mono_s + self.limits.head_s + SWEEP_S
        self.door.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Uncount the connection and tell its request that the client left."""
        self.door.leave(self, self.address)
        self.tell_gone()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Treat a half-closed client as gone; what was written may still leave."""
        self.due_mono_s = self.door.now_mono_s + FLUSH_S
        self.phase = DEAF
        self.tell_gone()

    def tell_gone(self) -> None:
        """Tell the running request once that nobody reads it any more."""
        self.pipeline.clear()
        cycle = self.running
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        gone, self.gone = self.gone, None
        if gone is not None:
            gone()

    def shutdown(self) -> None:
        """End an idle connection now, a busy one after its answer."""
        if self.running is None or self.running.response_complete:
            self.transport.close()
        else:
            self.running.keep_alive = False
            self.pipeline.clear()

    # Bytes in.

    def data_received(self, data: bytes) -> None:
        """Read on; what is not HTTP or over a bound ends it with a JSON error."""
        phase = self.phase
        if phase == DEAF:
            return
        if phase in (NEW, IDLE):
            self.phase = HEAD
            self.due_mono_s = self.door.now_mono_s + self.limits.head_s + SWEEP_S
            self.head_bytes = 0
        self.read_bytes = len(data)
        self.head_bytes += self.read_bytes
        self.is_fed = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # We offer no upgrade: the request is answered as it is, and then the connection ends.
            self.cycle.keep_alive = False
            self.phase = DEAF
            self.due_mono_s = NEVER
            return
        except httptools.HttpParserError as error:
            self.refuse(self.blame(error))
            return
        if self.phase == HEAD:
            if self.head_bytes > self.limits.head_bytes_max + LINE_BYTES:
                self.refuse(too_large_head(self.limits.head_bytes_max))
        elif self.phase == BODY:
            self.watch_body(len(data))

    def watch_body(self, size: int) -> None:
        """Renew the body's deadline, or refuse bytes that go on without being body."""
        self.due_mono_s = min(self.body_end_mono_s, self.door.now_mono_s + self.limits.body_quiet_s) + SWEEP_S
        if not self.is_fed:
            self.barren_bytes += size
            if self.barren_bytes > self.limits.head_bytes_max:
                self.refuse(Refused(400, "bad_request", "The body's chunk extensions or trailers are too long."))

    def blame(self, error: Exception) -> Refused:
        """Return the refusal behind a parser's error: a callback's own, or bad HTTP."""
        cause = error.__context__
        if isinstance(cause, Refused):
            return cause
        if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(
            cause, httptools.HttpParserError | ValueError
        ):
            self.loop.call_exception_handler({"message": "HTTP callback failed", "exception": cause or error})
        return Refused(400, "bad_request", "The bytes received are not a valid HTTP/1.1 request.")

    def on_message_begin(self) -> None:
        """Start a request; its scope names this connection."""
        super().on_message_begin()
        self.phase = HEAD
        # A head may begin anywhere in a read: its bytes in this read are at most all of it.
        self.head_bytes = self.read_bytes
        self.scope["everup.connection"] = self  # type: ignore[typeddict-unknown-key]  # ours, not ASGI's

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers (the same callback, after the body began) are dropped."""
        if self.phase == HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head's bounds, framing, Host and target, then start the request."""
        limits = self.limits
        headers = self.headers
        if len(headers) > limits.headers_max:
            raise Refused(431, "too_many_headers", f"A request may have {limits.headers_max} headers, not more.")
        if self.head_bytes > limits.head_bytes_max:
            size = len(self.url) + sum(len(name) + len(value) for name, value in headers)
            if size > limits.head_bytes_max:
                raise too_large_head(limits.head_bytes_max)
        check_head(headers, self.url, self.parser.get_http_version())
        if len(self.pipeline) >= PIPELINED_MAX:
            raise Refused(400, "bad_request", "Too many pipelined requests.")
        self.phase = BODY
        self.barren_bytes = 0
        self.body_end_mono_s = self.door.now_mono_s + limits.body_s
        self.due_mono_s = min(self.body_end_mono_s, self.door.now_mono_s + limits.body_quiet_s) + SWEEP_S
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand body bytes on."""
        self.is_fed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's body: from here on nothing is due but the answer."""
        is_answered = self.phase == DISCARD
        self.phase = DONE
        self.due_mono_s = NEVER
        super().on_message_complete()
        if is_answered and not self.pipeline:
            self.rest()

    # Answers.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Go on to the next pipelined request, or rest until one comes."""
        self.server_state.total_requests += 1
        self.gone = None
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.phase == BODY:
            self.phase = DISCARD
            self.due_mono_s = self.door.now_mono_s + DISCARD_S
        elif self.phase == DONE:
            self.rest()
        elif self.phase == HEAD:
            self.due_mono_s = self.door.now_mono_s + self.limits.head_s + SWEEP_S

    def rest(self) -> None:
        """Wait for the next request."""
        self.phase = IDLE
        self.due_mono_s = self.door.now_mono_s + self.limits.keep_alive_idle_s

    def is_answering(self) -> bool:
        """Return whether a request is being answered."""
        return self.running is not None and not self.running.response_complete

    async def send_whole(
        self, cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """
        Send a complete answer in one write.

        The same as `http.response.start` and one last `http.response.body`, for half the calls and packets.
        """
        if cycle.response_started or cycle.disconnected:
            return
        if self.flow.write_paused:
            await self.flow.drain()
            if cycle.disconnected:
                return
        parts = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            if HEADER_VALUE_RE.search(value):
                message = f"header {name!r} holds a control character"
                raise ValueError(message)
            parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(b"content-length: %d\r\n\r\n" % len(body))
        if self.scope_method(cycle) != "HEAD":
            parts.append(body)
        self.transport.write(b"".join(parts))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    @staticmethod
    def scope_method(cycle: RequestResponseCycle) -> str:
        """Return a request's method."""
        return cycle.scope["method"]

    def cut(self, cycle: RequestResponseCycle | None) -> None:
        """End an answer without the terminating chunk, after what was written has left."""
        if cycle is None or cycle is not self.running or cycle.response_complete:
            return
        cycle.disconnected = True
        cycle.message_event.set()
        self.gone = None
        self.linger()

    def refuse(self, why: Refused) -> None:
        """Answer bytes that are no request, unless an answer is under way."""
        self.door.metrics.count("everup_requests_refused_total", (str(why.status),))
        cycle = self.running
        if cycle is not None and not cycle.response_complete:
            is_own = cycle is self.cycle and cycle.more_body
            if not is_own or cycle.response_started:
                # Bytes here would land inside that answer: let it end, read no more.
                cycle.keep_alive = False
                self.pipeline.clear()
                self.phase = DEAF
                self.due_mono_s = NEVER
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(encode_refusal(why.status, why.code, why.message))
        self.linger()

    def send_400_response(self, msg: str) -> None:
        """Answer 400 in JSON where uvicorn itself would answer in plain text."""
        self.refuse(Refused(400, "bad_request", msg))

    def linger(self) -> None:
        """Send no more and abort soon: a close with unread bytes resets the answer."""
        self.phase = DEAF
        self.due_mono_s = self.door.now_mono_s + LINGER_S + SWEEP_S
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    # Time.

    def pause_writing(self) -> None:
        """Note that the client reads too slowly; it may do so only for so long."""
        super().pause_writing()
        if self.phase == DONE:
            self.due_mono_s = self.door.now_mono_s + self.limits.send_quiet_s

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        super().resume_writing()
        if self.phase == DONE:
            self.due_mono_s = NEVER

    def overdue(self) -> None:
        """Act on the deadline of what is being waited for."""
        self.due_mono_s = NEVER
        if self.phase == DEAF or self.flow.write_paused:
            self.transport.abort()
        elif self.phase in (NEW, IDLE, DISCARD):
            self.due_mono_s = self.door.now_mono_s + FLUSH_S
            self.phase = DEAF
            self.transport.close()
        elif self.phase == HEAD and not self.is_answering():
            self.refuse(Refused(408, "head_timeout", f"The head did not arrive within {self.limits.head_s:g} s."))
        elif self.phase == BODY:
            if self.flow.read_paused:
                self.due_mono_s = self.door.now_mono_s + self.limits.body_quiet_s
            else:
                self.refuse(Refused(408, "body_timeout", "The body did not arrive in time."))


def too_large_head(bytes_max: int) -> Refused:
    """Return the refusal of a head that is too large."""
    return Refused(431, "head_too_large", f"The request's headers are larger than {bytes_max} bytes.")


def check_head(headers: list[tuple[bytes, bytes]], target: bytes, version: str) -> None:
    """Raise `Refused` unless Host is one, framing plain and the target a path."""
    host: bytes | None = None
    for name, value in headers:
        if name == b"host":
            if host is not None:
                raise Refused(400, "bad_request", "The request has more than one Host header.")
            host = value
        elif name == b"transfer-encoding" and (value.strip().lower() != b"chunked" or version != "1.1"):
            raise Refused(400, "bad_request", "The only transfer encoding understood is chunked, in HTTP/1.1.")
    if not host:
        raise Refused(400, "bad_request", "The request has no Host header.")
    if TARGET.fullmatch(target) or target == b"*":
        return
    absolute = ABSOLUTE.fullmatch(target)
    if absolute is None or absolute[1].lower() != host.strip().lower():
        raise Refused(400, "bad_request", "The request target is not a path, or names another host than Host.")
