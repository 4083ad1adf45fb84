"""
Compressed bodies, undone within bounds.

Nobody asked for them, some servers send them all the same.
What must not live here: which header asked for it (see `http1`, the only caller).
"""

from __future__ import annotations

import zlib

from everup.errors import TransportKind

CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})
RATIO_MAX = 100
"""FAULTS row 47; DEFLATE itself ends at 1032."""
RATIO_FREE_BYTES = 65_536
"""Bytes that may come out whatever went in, so that a short run of spaces is no attack."""
ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
RAW = -zlib.MAX_WBITS


class Decoder:
    """
    One body on its way out of its compression.

    `fault` says why there will be no more.
    """

    __slots__ = ("bytes_max", "coding", "fault", "given_bytes", "inflate", "taken_bytes")

    def __init__(self, coding: bytes, bytes_max: int) -> None:
        self.coding = coding
        self.bytes_max = bytes_max
        self.inflate = zlib.decompressobj(ZLIB_OR_GZIP)
        self.taken_bytes = 0
        self.given_bytes = 0
        self.fault: tuple[TransportKind, str] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the compressed stream has come to its own end; an empty body has none."""
        return self.inflate.eof or not self.taken_bytes

    def feed(self, data: bytes) -> bytes:
        """Return what comes out of these bytes, never more than the bounds leave."""
        is_first = not self.taken_bytes
        self.taken_bytes += len(data)
        room = min(self.bytes_max, RATIO_FREE_BYTES + RATIO_MAX * self.taken_bytes) - self.given_bytes
        try:
            out = self.inflate.decompress(data, room + 1)
        except zlib.error as error:
            if not (is_first and self.coding == b"deflate"):
                return self.refuse(TransportKind.BAD_HTTP, f"the compressed body is damaged ({error})")
            # Some servers mean raw DEFLATE by it, against RFC 9110 section 8.4.1.2.
            self.inflate = zlib.decompressobj(RAW)
            self.taken_bytes = 0
            self.coding = b""
            return self.feed(data)
        if len(out) > room:
            return self.refuse(TransportKind.TOO_LARGE, f"the compressed body unfolds beyond {self.bytes_max} bytes")
        if self.inflate.unused_data:
            return self.refuse(TransportKind.BAD_HTTP, "bytes follow the end of the compressed body")
        self.given_bytes += len(out)
        return out

    def refuse(self, kind: TransportKind, why: str) -> bytes:
        """Return nothing; remembers what was wrong."""
        self.fault = kind, why
        return b""
