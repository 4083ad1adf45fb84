"""Rows in which the bytes, the time or the way there are wrong: FAULTS section 5, 44 to 53."""

from __future__ import annotations

from everup.testing import scripts as s
from tests.faults.dialects import Dialect
from tests.faults.shape import Row, Untested, broken, failed, moved, served

JSON_HEAD = s.head(200, {"content-type": "application/json", "transfer-encoding": "chunked"})
DRIP = s.Send(s.chunk(b" "), times=0, pause_s=0.1)


def pings(d: Dialect) -> s.Send:
    """Return signs of life for ever."""
    return s.Send(s.chunk(d.ping), times=0, pause_s=0.1)


CLOCKS: tuple[Row, ...] = (
    Row(
        id="5.44",
        about="silence, then an answer",
        first=lambda d: d.first.after(s.Pause(3)),
        pair=moved("answer"),
        alone=served(),
        streamed_pair=moved("first_event"),
        clocks={"first_event": 1, "answer": 1},
        billed=True,
    ),
    Row(
        id="5.44b",
        about="a bare head is no event",
        first=lambda d: d.stream(
            s.Pause(3),
            *(*d.start, *d.texts("first"), *d.finish(), *d.end),
            whole=(s.Send(JSON_HEAD), s.Pause(3), s.Send(s.chunk(d.whole("first"))), s.Send(s.LAST_CHUNK)),
        ),
        pair=moved("answer"),
        alone=served(),
        streamed_pair=moved("first_event"),
        clocks={"first_event": 1, "answer": 1},
        billed=True,
    ),
    Row(
        id="5.44c",
        about="pings are no content",
        first=lambda d: d.stream(pings(d), whole=(s.Send(JSON_HEAD), DRIP)),
        pair=moved("answer"),
        alone=failed(504, "deadline"),
        streamed_pair=moved(""),
        clocks={"first_event": 1, "opening": 1.2, "answer": 1, "deadline": 4},
        billed=True,
    ),
    Row(
        id="5.45",
        about="a stall after content",
        first=lambda d: d.stream(
            *(*d.start, *d.texts("shown "), s.Silence()),
            whole=(s.Send(JSON_HEAD), s.Send(s.chunk(b'{"id":')), s.Silence()),
        ),
        pair=moved("answer"),
        alone=failed(504, "deadline"),
        streamed_pair=broken("shown "),
        streamed_alone=broken("shown "),
        clocks={"stall": 1, "answer": 1, "deadline": 4},
        billed=True,
    ),
    Row(
        id="5.46",
        about="a byte now and then for ever",
        first=lambda d: d.stream(*(*d.start, *d.texts("shown "), pings(d)), whole=(s.Send(JSON_HEAD), DRIP)),
        pair=moved("answer"),
        alone=failed(504, "deadline"),
        streamed_pair=broken("shown "),
        streamed_alone=broken("shown "),
        clocks={"stall": 5, "answer": 1, "deadline": 3},
        billed=True,
    ),
)

TOO_MUCH: tuple[Row, ...] = (
    Row(
        id="5.47",
        about="a body without end",
        first=lambda d: d.stream(
            *(*d.start, s.Send(s.chunk(d.endless), times=0)),
            whole=(s.Send(JSON_HEAD), s.Send(s.chunk(b" " * 65_536), times=0)),
        ),
        pair=moved("oversize"),
        alone=failed(503, "oversize", "oversize"),
        # Row 47 says "as 34": a stream may be given up as too large or as malformed.
        streamed_pair=moved(""),
        streamed_alone=failed(503, "", ""),
        billed=True,
    ),
    Row(
        id="5.47b",
        about="a gzip bomb nobody asked for",
        first=s.body(200, s.gzip_bomb(64 << 20), content_encoding="gzip"),
        pair=moved(""),
        alone=failed(503, "", ""),
        billed=True,
    ),
    *(
        Row(
            id=f"5.48{letter}",
            about=about,
            first=s.raw(data, s.Close()),
            pair=moved("bad_http"),
            alone=failed(503, "bad_http", "bad_http"),
            billed=True,
        )
        for letter, about, data in (
            ("a", "headers of 100 KiB", s.head(200, {"content-length": "2", "x-big": "x" * 100_000}) + b"{}"),
            (
                "b",
                "10,000 headers",
                s.head(200, {"content-length": "2", **{f"x-{n}": "" for n in range(10_000)}}) + b"{}",
            ),
            ("c", "a NUL in a header", b"HTTP/1.1 200 OK\r\nx-a: \x00\r\ncontent-length: 2\r\n\r\n{}"),
            ("d", "two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
            (
                "e",
                "a length and a transfer coding",
                s.head(200, {"content-length": "2", "transfer-encoding": "chunked"}),
            ),
            ("f", "no HTTP at all", b"SSH-2.0-OpenSSH_9.6\r\n"),
            ("g", "a chunk of no size", s.SSE_HEAD + b"zz\r\nhello\r\n"),
        )
    ),
)

WAY: tuple[Row, ...] = (
    Row(
        id="5.50",
        about="connection refused",
        address="closed",
        pair=moved("connect", calls=0),
        alone=failed(503, "connect", calls=0),
    ),
    Row(
        id="5.50b",
        about="a connection that is never accepted",
        address="deaf",
        pair=moved("connect", calls=0),
        alone=failed(503, "connect", calls=0),
    ),
    Row(
        id="5.51",
        about="reset before the status line",
        first=s.play(s.Reset()),
        pair=moved("reset"),
        alone=failed(503, "reset", "reset"),
        billed=True,
    ),
    Row(
        id="5.51b",
        about="closed before the status line",
        first=s.play(s.Close()),
        pair=moved("reset"),
        alone=failed(503, "reset", "reset"),
        billed=True,
    ),
    Row(
        id="5.51c",
        about="closed inside the head",
        first=s.raw(b"HTTP/1.1 200 OK\r\ncontent-ty", s.Close()),
        pair=moved(""),
        alone=failed(503, "", ""),
        billed=True,
    ),
    *(
        Row(
            id=f"5.52{letter}",
            about=about,
            address=address,
            pair=moved("tls", calls=0),
            alone=failed(503, "tls", calls=0),
        )
        for letter, about, address in (
            ("", "an unknown authority", "tls-unknown"),
            ("b", "an expired certificate", "tls-expired"),
            ("c", "a certificate of another host", "tls-other"),
            ("d", "no TLS there at all", "tls-plain"),
        )
    ),
    Row(
        id="5.53",
        about="a name that does not exist",
        address="nowhere",
        pair=moved("dns", calls=0),
        alone=failed(503, "dns", calls=0),
    ),
)

ROWS = (*CLOCKS, *TOO_MUCH, *WAY)

UNTESTED = (Untested("5.49", "HTTP/2 frames: everup speaks HTTP/1.1 upstream (ruling 8), so no socket can carry them"),)
