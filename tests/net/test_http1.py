"""What is read from an answer's bytes, however they are cut."""

from __future__ import annotations

import zlib

import pytest

from everup.errors import TransportKind
from everup.net.http1 import Head, Reader
from everup.shapes.limits import Limits

BAD, CUT, LARGE = TransportKind.BAD_HTTP, TransportKind.CUT, TransportKind.TOO_LARGE
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"content-length: %d\r\n\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
SLICES = (1, 7, 1 << 20)


def feed(data: bytes, size: int = 1 << 20, limits: Limits | None = None) -> tuple[Reader, bytes]:
    """Return the reader of an answer and the body taken from it."""
    reader = Reader(limits or Limits())
    body = b""
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        body += reader.take()
        if reader.fault is not None:
            break
    return reader, body


GOOD = {
    "length": (OK + LENGTH % 5 + b"hello", b"hello"),
    "no body": (OK + LENGTH % 0, b""),
    "chunked": (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
    "chunk extension": (CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n", b"hello"),
    "204": (b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n", b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", b""),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: a\r\n\r\n" + OK + LENGTH % 2 + b"hi", b"hi"),
    "no reason": (b"HTTP/1.1 200\r\n" + LENGTH % 2 + b"hi", b"hi"),
    "eight bits": (OK + b"x-name: \xe9\r\n" + LENGTH % 2 + b"hi", b"hi"),
    "status 999": (b"HTTP/1.1 999 Odd\r\n" + LENGTH % 2 + b"hi", b"hi"),
    "unasked upgrade offer": (OK + b"upgrade: h2c\r\nconnection: upgrade\r\n" + LENGTH % 2 + b"hi", b"hi"),
}


@pytest.mark.parametrize("size", SLICES)
@pytest.mark.parametrize("name", GOOD)
def test_a_good_answer_is_read(name: str, size: int) -> None:
    """A well-formed answer gives its body and leaves the connection usable, in slices of any size."""
    data, body = GOOD[name]
    reader, found = feed(data, size)
    assert (body, True, None, False) == (found, reader.is_done, reader.fault, reader.is_poisoned)
    assert reader.is_keep_alive
    assert not reader.is_until_close


BAD_ONES = {
    "both framings": OK + b"transfer-encoding: chunked\r\n" + LENGTH % 2 + b"0\r\n\r\n",
    "two lengths": OK + b"content-length: 2\r\n" + LENGTH % 3 + b"hi!",
    "two equal lengths": OK + b"content-length: 2\r\n" + LENGTH % 2 + b"hi",
    "a list of lengths": OK + b"content-length: 2, 2\r\n\r\nhi",
    "negative length": OK + b"content-length: -1\r\n\r\n",
    "huge length": OK + b"content-length: 99999999999999999999\r\n\r\n",
    "chunk size of letters": CHUNKED + b"zz\r\nhello\r\n",
    "huge chunk": CHUNKED + b"fffffffffffffffff\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi",
    "folded header": OK + b"a: b\r\n c\r\n" + LENGTH % 2,
    "space before colon": OK + b"a : b\r\n" + LENGTH % 2,
    "nul in a header": OK + b"a: \0\r\n" + LENGTH % 2,
    "html": b"<html><body>log in</body></html>",
    "tls alert": b"\x15\x03\x01\x00\x02\x02\x16",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "http/2": b"HTTP/2 200\r\n\r\n",
    "status 42": b"HTTP/1.1 42 Odd\r\n\r\n",
    "switched": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "transfer coding gzip": OK + b"transfer-encoding: gzip\r\n\r\nhi",
    "transfer coding gzip, chunked": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "brotli": OK + b"content-encoding: br\r\n" + LENGTH % 2 + b"hi",
    "twice compressed": OK + b"content-encoding: gzip\r\ncontent-encoding: gzip\r\n" + LENGTH % 2 + b"hi",
    "not gzip": OK + b"content-encoding: gzip\r\n" + LENGTH % 20 + b"x" * 20,
}


@pytest.mark.parametrize("size", SLICES)
@pytest.mark.parametrize("name", BAD_ONES)
def test_a_bad_answer_is_refused(name: str, size: int) -> None:
    """Bytes that could be read in two ways, or in none, are a fault and never an answer."""
    reader, _ = feed(BAD_ONES[name], size)
    assert reader.fault is not None
    assert (BAD, False) == (reader.fault[0], reader.is_done)


LIMITS = Limits(upstream_head_bytes_max=1000, upstream_headers_max=5)
FLOODS = {
    "many headers": OK + b"a: b\r\n" * 6 + LENGTH % 0,
    "one long header": OK + b"a: " + b"b" * 2000 + b"\r\n" + LENGTH % 0,
    "a header without end": OK + b"a: " + b"b" * 2000,
    "a long reason": b"HTTP/1.1 200 " + b"b" * 2000,
    "interim without end": b"HTTP/1.1 103 Early\r\nlink: a\r\n\r\n" * 50,
    "trailers without end": CHUNKED + b"1\r\nx\r\n0\r\n" + b"a: b\r\n" * 300,
    "one long trailer": CHUNKED + b"1\r\nx\r\n0\r\na: " + b"b" * 2000,
    "a chunk extension without end": CHUNKED + b"1;" + b"e" * 2000,
}


@pytest.mark.parametrize("size", [1, 7, 500])
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_refused(name: str, size: int) -> None:
    """What grows without giving any body is cut off at the limit, wherever in the answer it stands."""
    reader, _ = feed(FLOODS[name], size, LIMITS)
    assert reader.fault is not None
    assert BAD == reader.fault[0]


@pytest.mark.parametrize("size", SLICES)
def test_a_head_at_the_limit_passes(size: int) -> None:
    """As many headers as allowed are read."""
    reader, body = feed(OK + b"a: b\r\n" * 4 + LENGTH % 2 + b"hi", size, LIMITS)
    assert (b"hi", None) == (body, reader.fault)


@pytest.mark.parametrize("size", SLICES)
@pytest.mark.parametrize("after", [OK + LENGTH % 0, b"garbage", b"\0"])
def test_what_follows_an_answer_poisons_the_connection(after: bytes, size: int) -> None:
    """An answer stays good whatever comes after it, but its connection is never used again."""
    reader, body = feed(OK + LENGTH % 2 + b"hi" + after, size)
    assert (b"hi", True, None, True) == (body, reader.is_done, reader.fault, reader.is_poisoned)


def test_a_204_with_a_body_poisons_the_connection() -> None:
    """The body of an answer that may have none is not read as the next answer."""
    reader, body = feed(b"HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\nhello")
    assert (b"", True, True) == (body, reader.is_done, reader.is_poisoned)


def test_a_body_without_length_ends_with_the_connection() -> None:
    """Only the end of the connection ends a body that has no length."""
    reader, body = feed(OK + b"\r\nhello")
    assert (b"hello", True, False) == (body, reader.is_until_close, reader.is_done)
    assert reader.end()


@pytest.mark.parametrize("data", [OK + LENGTH % 9 + b"hello", CHUNKED + b"5\r\nhello\r\n", OK, b""])
def test_an_early_end_is_no_end(data: bytes) -> None:
    """The end of the connection does not complete an answer with a length or without a head."""
    assert not feed(data)[0].end()


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", OK + b"connection: close\r\n"])
def test_a_closing_answer_is_not_kept(head: bytes) -> None:
    """HTTP/1.0 and connection: close say that the connection is over."""
    reader, body = feed(head + LENGTH % 2 + b"hi")
    assert (b"hi", False) == (body, reader.is_keep_alive)


def test_headers_are_lower_case_and_joined() -> None:
    """Names come in lower case, the first value of a name is found, and as text repeated ones are joined."""
    head = feed(OK + b"X-A: 1\r\nx-a: 2\r\nx-e:\r\n" + LENGTH % 0)[0].head
    assert head is not None
    assert (b"1", b"", b"") == (head.get(b"x-a"), head.get(b"x-e"), head.get(b"absent"))
    assert {"x-a": "1, 2", "x-e": "", "content-length": "0"} == head.as_text()


def compressed(body: bytes, wbits: int) -> bytes:
    """Return a compressed body."""
    deflate = zlib.compressobj(wbits=wbits)
    return deflate.compress(body) + deflate.flush()


def answer(coding: bytes, body: bytes) -> bytes:
    """Return an answer with a content coding."""
    return OK + b"content-encoding: " + coding + b"\r\n" + LENGTH % len(body) + body


@pytest.mark.parametrize(("coding", "wbits"), [(b"gzip", 31), (b"X-GZIP", 31), (b"deflate", 15), (b"identity", 0)])
@pytest.mark.parametrize("size", SLICES)
def test_unasked_compression_is_undone(coding: bytes, wbits: int, size: int) -> None:
    """A compressed answer that nobody asked for is unfolded, and its head no longer claims a coding."""
    plain = bytes(range(256)) * 20
    reader, body = feed(answer(coding, compressed(plain, wbits) if wbits else plain), size)
    assert (plain, True, None) == (body, reader.is_done, reader.fault)
    assert isinstance(reader.head, Head)
    assert b"gzip" not in reader.head.get(b"content-encoding")


def test_raw_deflate_is_undone() -> None:
    """Servers that mean raw DEFLATE by deflate are understood."""
    assert b"hello" * 100 == feed(answer(b"deflate", compressed(b"hello" * 100, -15)))[1]


@pytest.mark.parametrize(
    ("limits", "zeros"),
    [(Limits(), 30_000_000), (Limits(upstream_body_bytes_max=100_000), 200_000)],
)
def test_a_bomb_is_cut_off(limits: Limits, zeros: int) -> None:
    """A body that unfolds beyond a hundred times its size, or beyond the limit, stops there."""
    bomb = compressed(b"\0" * zeros, 31)
    reader, body = feed(answer(b"gzip", bomb), 1000, limits)
    assert reader.fault is not None
    assert LARGE == reader.fault[0]
    assert len(body) <= min(limits.upstream_body_bytes_max, 65_536 + 100 * len(bomb))


def test_a_compressed_body_that_stops_early_is_cut() -> None:
    """A compressed body must come to its own end, even where its length says that it is complete."""
    reader, _ = feed(answer(b"gzip", compressed(b"hello" * 1000, 31)[:-12]))
    assert reader.fault is not None
    assert (CUT, False) == (reader.fault[0], reader.is_done)


def test_bytes_after_a_compressed_body_are_refused() -> None:
    """Nothing may follow inside the body once its compression has ended."""
    reader, _ = feed(answer(b"gzip", compressed(b"hello", 31) + b"more"))
    assert reader.fault is not None
    assert BAD == reader.fault[0]
