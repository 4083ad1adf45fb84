"""
An HTTP/1.1 answer read from bytes.

Head, body, and the verdict on its framing. Sans I/O.
What must not live here: sockets, clocks, what a status means. The parser does grammar; bounds, ends and
cuts are ours (it has none of them). One `Reader` per exchange, fed by `exchange` and `dial`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools
from msgspec import Struct

from everup.errors import TransportKind
from everup.net.decode import CODINGS, Decoder

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

FRAMING = frozenset({b"transfer-encoding", b"content-length", b"content-encoding"})


class Head(Struct, frozen=True):
    """The status and headers of the final answer; names are lower-case."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]

    def get(self, name: bytes) -> bytes:
        """Return the first header of that name, empty when there is none."""
        for known, value in self.headers:
            if known == name:
                return value
        return b""

    def as_text(self) -> dict[str, str]:
        """Return the headers as text, repeated ones joined by a comma."""
        found: dict[str, str] = {}
        for raw_name, raw_value in self.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            found[name] = f"{found[name]}, {value}" if name in found else value
        return found


class Reader:
    """
    One answer in the making.

    Feed it bytes, then look at `head`, `held`, `is_done` and `fault`.
    A fault is remembered, not raised: what came before it may still be taken. One is made for each request, so
    what starts out the same for all stands in the class.
    """

    head: Head | None = None
    decoder: Decoder | None = None
    fault: tuple[TransportKind, str] | None = None
    held_bytes = 0
    quiet_bytes = 0
    """Bytes since the last ones of a body: an endless head, chunk extension or trailer grows this alone."""
    is_done = False
    is_keep_alive = False
    is_until_close = False
    is_poisoned = False
    """Something came after the end: the answer is good, the connection is not."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.headers: list[tuple[bytes, bytes]] = []
        self.held: list[bytes] = []
        self.parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """
        Take bytes; an exception out of here is a fault of this program.

        Not of the peer.
        """
        parser = self.parser
        if parser is None:
            self.is_poisoned = True
            return
        self.quiet_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserUpgrade:
            self.refuse("switched protocols without being asked to")
        except httptools.HttpParserError as error:
            if self.is_done:
                self.is_poisoned = True
            else:
                self.refuse(f"not HTTP/1.1: {error}")
        if self.is_done or self.fault is not None:
            self.drop_parser()
        elif self.quiet_bytes > self.limits.upstream_head_bytes_max:
            self.refuse(f"a head of more than {self.limits.upstream_head_bytes_max} bytes")
        elif len(self.headers) > self.limits.upstream_headers_max:
            self.refuse(f"more than {self.limits.upstream_headers_max} headers")

    def drop_parser(self) -> None:
        """
        Let the parser go: it and we hold each other.

        And a cycle for each request would wait for a collection.
        """
        self.parser = None

    def take(self) -> bytes:
        """Return the body's bytes that have arrived since the last call, in one piece."""
        held = self.held
        data = held[0] if len(held) == 1 else b"".join(held)
        self.held = []
        self.held_bytes = 0
        return data

    def end(self) -> bool:
        """Return whether the end of the connection is a proper end of the answer."""
        if not self.is_done and self.head is not None and self.is_until_close and self.fault is None:
            self.finish()
        return self.is_done

    def refuse(self, why: str, kind: TransportKind = TransportKind.BAD_HTTP) -> None:
        """Remember the first thing that was wrong."""
        if self.fault is None:
            self.fault = kind, why

    def finish(self) -> None:
        """Note the end of the body; a compressed one must have come to its own end."""
        if self.decoder is not None and not self.decoder.is_complete:
            self.refuse("the compressed body ends in the middle", TransportKind.CUT)
        else:
            self.is_done = True

    # What the parser calls, in the order of an answer.

    def on_message_begin(self) -> None:
        """See whether a second answer follows the first; interim ones come before it."""
        if self.is_done:
            self.is_poisoned = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """
        Keep a header until the head is whole.

        Trailers come here too and are never shown.
        """
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """
        Make the head, unless it is an interim one.

        RFC 9110 section 15.2 or a second answer's.
        """
        parser = self.parser
        if self.head is not None or self.fault is not None or parser is None:
            return
        headers, self.headers = self.headers, []
        status = parser.get_status_code()
        if status < 200:
            return
        # Right only in here: after feed_data it says False for a plain good answer.
        self.is_keep_alive = parser.should_keep_alive()
        if self.judge_framing(status, headers):
            headers = [pair for pair in headers if pair[0] != b"content-encoding"]
        self.quiet_bytes = 0
        self.head = Head(status, tuple(headers))

    def judge_framing(self, status: int, headers: list[tuple[bytes, bytes]]) -> bool:
        """
        Return whether the body is compressed.

        Finds its end, and refuses what the parser lets through.
        """
        is_framed = status in (204, 304)
        for name, value in headers:
            if name in FRAMING:
                is_framed |= name != b"content-encoding"
                self.judge_coding(name, value.strip().lower())
        bytes_max = self.limits.upstream_head_bytes_max
        # One read may hold a head within the limit and a body beyond it: only then are the headers added up.
        if self.quiet_bytes > bytes_max and sum(len(name) + len(value) + 4 for name, value in headers) > bytes_max:
            self.refuse(f"headers of more than {bytes_max} bytes")
        if len(headers) > self.limits.upstream_headers_max:
            self.refuse(f"more than {self.limits.upstream_headers_max} headers")
        self.is_until_close = not is_framed
        return self.decoder is not None

    def judge_coding(self, name: bytes, value: bytes) -> None:
        """
        Refuse transfer codings but chunked, and content codings we cannot undo.

        We asked for identity.
        """
        if name == b"transfer-encoding" and value != b"chunked":
            self.refuse("a transfer coding other than chunked")
        if name == b"content-encoding" and value not in (b"", b"identity"):
            if self.decoder is not None or value not in CODINGS:
                self.refuse("a content coding that was not asked for")
            self.decoder = Decoder(value, self.limits.upstream_body_bytes_max)

    def on_body(self, body: bytes) -> None:
        """Hold a piece of the body."""
        self.quiet_bytes = 0
        if self.is_done or self.fault is not None:
            return
        if self.decoder is not None:
            body = self.decoder.feed(body)
            self.fault = self.decoder.fault
            if not body:
                return
        self.held.append(body)
        self.held_bytes += len(body)

    def on_message_complete(self) -> None:
        """Note the end of the body; interim answers end here too and do not count."""
        if self.head is not None and self.fault is None and not self.is_done:
            self.finish()
