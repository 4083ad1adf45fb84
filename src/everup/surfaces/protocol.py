"""
HTTP/1.1 from clients: one connection, its bounds and its deadlines.

What must not live here: routes, keys, bodies' meaning, the answer's bytes (see `turn`). Deadlines for head and
body, header bounds, strict targets, one Host, honest ends of cut answers. Sources: FAULTS S2, S12, S16; BUILDING 7.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl

from everup.surfaces.connections import NEVER, SWEEP_S, UNKNOWN_ADDRESS, Connections, canonical_address
from everup.surfaces.refusal import BUSY, Refused, encode_refusal
from everup.surfaces.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn.server import ServerState

    from everup.surfaces.turn import Answer

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


class Bounded(asyncio.Protocol):
    """One client connection; `answer` is called with each of its requests."""

    # One is made for each connection: what starts out the same for all stands in the class.
    address = ""
    phase = NEW
    due_mono_s = NEVER
    body_end_mono_s = NEVER
    head_bytes = 0
    """Bytes read since the head began: an upper bound of its size."""
    read_bytes = 0
    barren_bytes = 0
    """Bytes read in a body that brought no body: chunk extensions, trailers."""
    is_fed = False
    url = b""
    running: Turn | None = None
    """The request being answered."""
    incoming: Turn | None = None
    """The request being read, which may be a later one."""
    gone: Callable[[], None] | None = None
    """Called once when the client has left while its request runs."""
    client: tuple[str, int] | None = None
    transport: asyncio.Transport
    flow: FlowControl

    def __init__(
        self, connections: Connections, server_state: ServerState, loop: asyncio.AbstractEventLoop, answer: Answer
    ) -> None:
        self.door = connections
        self.limits = connections.limits
        self.server_state = server_state
        self.loop = loop
        self.answer = answer
        self.headers: list[tuple[bytes, bytes]] = []
        self.waiting: list[Turn] = []
        """Requests sent before the answer to an earlier one, in their order."""
        self.parser = httptools.HttpRequestParser(self)
        # What follows a last request on a connection is not ours to judge while that is answered.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, or refuse it with a 503."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one only by its methods
        self.flow = FlowControl(self.transport)
        self.server_state.connections.add(self)  # type: ignore[arg-type]  # it knows only uvicorn's protocols
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.client = (str(peer[0]), int(peer[1]))
        address = canonical_address(self.client[0]) if self.client else UNKNOWN_ADDRESS
        if not self.door.admit(address):
            self.transport.write(BUSY)
            self.linger()
        else:
            self.address = address
            self.due_mono_s = self.door.now_mono_s + self.limits.head_s + SWEEP_S
        self.door.open.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Uncount the connection and tell its request that the client left."""
        self.door.leave(self, self.address)
        self.server_state.connections.discard(self)
        self.tell_gone()
        self.flow.resume_writing()
        # Parser, turns and connection hold each other: let go, or each would wait for a collection.
        self.running = self.incoming = None
        del self.parser

    def eof_received(self) -> None:
        """Treat a half-closed client as gone; what was written may still leave."""
        self.due_mono_s = self.door.now_mono_s + FLUSH_S
        self.phase = DEAF
        self.tell_gone()

    def tell_gone(self) -> None:
        """Tell the running request once that nobody reads it any more."""
        self.waiting.clear()
        turn = self.running
        if turn is not None and not turn.response_complete:
            turn.leave()
        gone, self.gone = self.gone, None
        if gone is not None:
            gone()

    def shutdown(self) -> None:
        """End an idle connection now, a busy one after its answer."""
        turn = self.running
        if turn is None or turn.response_complete:
            self.transport.close()
        else:
            turn.keep_alive = False
            self.waiting.clear()

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
            if self.incoming is not None:
                self.incoming.keep_alive = False
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
        """Start a request."""
        self.phase = HEAD
        self.url = b""
        self.headers = []
        # A head may begin anywhere in a read: its bytes in this read are at most all of it.
        self.head_bytes = self.read_bytes

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers (the same callback, after the body began) are dropped."""
        if self.phase == HEAD:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Check the head's bounds, framing, Host and target, then start the request."""
        limits, headers, parser = self.limits, self.headers, self.parser
        if len(headers) > limits.headers_max:
            raise Refused(431, "too_many_headers", f"A request may have {limits.headers_max} headers, not more.")
        if self.head_bytes > limits.head_bytes_max:
            size = len(self.url) + sum(len(name) + len(value) for name, value in headers)
            if size > limits.head_bytes_max:
                raise too_large_head(limits.head_bytes_max)
        version = parser.get_http_version()
        target, expects = check_head(headers, self.url, version)
        if len(self.waiting) >= PIPELINED_MAX:
            raise Refused(400, "bad_request", "Too many pipelined requests.")
        self.phase = BODY
        self.barren_bytes = 0
        now = self.door.now_mono_s
        self.body_end_mono_s = now + limits.body_s
        self.due_mono_s = min(self.body_end_mono_s, now + limits.body_quiet_s) + SWEEP_S
        keep_alive = version != "1.0" and parser.should_keep_alive()
        method = parser.get_method().decode("ascii")
        before, self.incoming = (
            self.incoming,
            Turn(self, method, target, headers, keep_alive=keep_alive, expects=expects),
        )
        if before is None or before.response_complete:
            self.begin(self.incoming)
        else:
            self.flow.pause_reading()
            self.waiting.append(self.incoming)

    def on_body(self, body: bytes) -> None:
        """Hand body bytes on; more than a task has room for wait in the socket."""
        self.is_fed = True
        turn = self.incoming
        if turn is not None and not turn.response_complete:
            turn.feed(body)
            if len(turn.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """End the request's body: from here on nothing is due but the answer."""
        is_answered = self.phase == DISCARD
        self.phase = DONE
        self.due_mono_s = NEVER
        if self.incoming is not None and not self.incoming.response_complete:
            self.incoming.end_body()
        if is_answered and not self.waiting:
            self.rest()

    # Answers.

    def begin(self, turn: Turn) -> None:
        """Let the application answer a request."""
        self.running = turn
        task = turn.task = self.loop.create_task(self.answer(turn))
        self.server_state.tasks.add(task)
        task.add_done_callback(turn.over)

    def on_response_complete(self) -> None:
        """Go on to the next pipelined request, or rest until one comes."""
        self.server_state.total_requests += 1
        self.gone = None
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.waiting:
            self.begin(self.waiting.pop(0))
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

    def cut(self, turn: Turn) -> None:
        """End an answer without the terminating chunk, after what was written has left."""
        if turn is not self.running or turn.response_complete:
            return
        turn.leave()
        self.gone = None
        self.linger()

    def refuse(self, why: Refused) -> None:
        """Answer bytes that are no request, unless an answer is under way."""
        self.door.metrics.count("everup_requests_refused_total", (str(why.status),))
        turn = self.running
        if turn is not None and not turn.response_complete:
            is_own = turn is self.incoming and turn.more_body
            if not is_own or turn.response_started:
                # Bytes here would land inside that answer: let it end, read no more.
                turn.keep_alive = False
                self.waiting.clear()
                self.phase = DEAF
                self.due_mono_s = NEVER
                return
            turn.leave()
        self.transport.write(encode_refusal(why.status, why.code, why.message))
        self.linger()

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
        self.flow.pause_writing()
        if self.phase == DONE:
            self.due_mono_s = self.door.now_mono_s + self.limits.send_quiet_s

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self.flow.resume_writing()
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


def check_head(headers: list[tuple[bytes, bytes]], target: bytes, version: str) -> tuple[bytes, bool]:
    """
    Return the target in origin form, and whether the client expects a 100.

    `Refused` unless Host is one, framing plain and the target a path.
    """
    host: bytes | None = None
    expects = False
    for name, value in headers:
        if name == b"host":
            if host is not None:
                raise Refused(400, "bad_request", "The request has more than one Host header.")
            host = value
        elif name == b"transfer-encoding" and (value.strip().lower() != b"chunked" or version != "1.1"):
            raise Refused(400, "bad_request", "The only transfer encoding understood is chunked, in HTTP/1.1.")
        elif name == b"expect":
            expects = value.lower() == b"100-continue"
    if not host:
        raise Refused(400, "bad_request", "The request has no Host header.")
    if TARGET.fullmatch(target) or target == b"*":
        return target, expects
    absolute = ABSOLUTE.fullmatch(target)
    if absolute is None or absolute[1].lower() != host.strip().lower():
        raise Refused(400, "bad_request", "The request target is not a path, or names another host than Host.")
    return absolute[2] or b"/", expects
