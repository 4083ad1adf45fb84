"""
What the head of a GGUF file says about the file's size.

Lives here: a reader of the format's fixed layout (ggml's docs, gguf.md, versions 2 and 3), bytes in, numbers out.
Must not: opening files. Called by `causes`, because llama.cpp refuses missing, broken and cut files with one and
the same sentence.
"""

from __future__ import annotations

import struct

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
COUNT_MAX = 1_000_000
NESTING_MAX = 4
STRING, ARRAY = 8, 9
# Value type -> bytes, for those of fixed size.
VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
# Tensor type -> (weights in a block, bytes of a block); an unknown type counts as no bytes: a lower bound.
BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 36),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
}


class HeadTooShort(ValueError):
    """The bytes end inside the head."""


class NotGguf(ValueError):
    """The bytes are no head of a version known here."""


class Reader:
    """A place in the bytes of a head; every read moves it on or raises HeadTooShort."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def skip(self, count: int) -> None:
        """The place is `count` bytes further on."""
        if count > len(self.data) - self.at:
            raise HeadTooShort
        self.at += count

    def number(self, kind: str) -> int:
        """Return the next unsigned number, "I" of 4 bytes or "Q" of 8."""
        start = self.at
        self.skip(struct.calcsize("<" + kind))
        value: int = struct.unpack_from("<" + kind, self.data, start)[0]
        return value

    def text(self) -> bytes:
        """Return the next string."""
        length = self.number("Q")
        start = self.at
        self.skip(length)
        return self.data[start : self.at]

    def value(self, kind: int, nesting: int = 0) -> int:
        """Return the next value if it is a 4-byte number, else 0; the place moves on."""
        if kind == STRING:
            self.skip(self.number("Q"))
        elif kind == ARRAY and nesting < NESTING_MAX:
            self.items(self.number("I"), self.number("Q"), nesting + 1)
        elif kind == 4:
            return self.number("I")
        elif kind in VALUE_BYTES:
            self.skip(VALUE_BYTES[kind])
        else:
            raise NotGguf
        return 0

    def items(self, kind: int, count: int, nesting: int) -> None:
        """The place is behind an array's items."""
        if kind in VALUE_BYTES:
            self.skip(VALUE_BYTES[kind] * count)
            return
        for _ in range(count):  # ends with the bytes: each item takes at least eight
            self.value(kind, nesting)


def least_bytes(head: bytes) -> int:
    """Return the least size of the whole file; HeadTooShort or NotGguf otherwise."""
    reader = Reader(head)
    if head[:4] != MAGIC:
        raise NotGguf
    reader.skip(4)
    if reader.number("I") not in VERSIONS:
        raise NotGguf
    tensors, pairs = reader.number("Q"), reader.number("Q")
    if max(tensors, pairs) > COUNT_MAX:
        raise NotGguf
    alignment = ALIGNMENT
    for _ in range(pairs):
        name = reader.text()
        value = reader.value(reader.number("I"))
        alignment = value or alignment if name == b"general.alignment" else alignment
    end = max((tensor_end(reader) for _ in range(tensors)), default=0)
    return -(-reader.at // alignment) * alignment + end


def tensor_end(reader: Reader) -> int:
    """Return where the next tensor's data ends, counted from the start of all data."""
    reader.skip(reader.number("Q"))
    weights = 1
    for _ in range(min(reader.number("I"), 8)):
        weights *= reader.number("Q")
    per_block, block_bytes = BLOCKS.get(reader.number("I"), (1, 0))
    return reader.number("Q") + weights // per_block * block_bytes
