"""What the head of a GGUF file says about its size."""

from __future__ import annotations

import struct

import pytest

from everup.local.gguf import HeadTooShort, NotGguf, least_bytes
from everup.local.model_file import ModelFile


def text(word: bytes) -> bytes:
    """Return a string as the format has it."""
    return struct.pack("<Q", len(word)) + word


def head(*, pairs: tuple[bytes, ...] = (), tensors: tuple[bytes, ...] = ()) -> bytes:
    """Return a whole head."""
    start = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(pairs))
    return start + b"".join(pairs) + b"".join(tensors)


def tensor(kind: int, offset: int, *sizes: int) -> bytes:
    """Return one tensor's description."""
    return text(b"w") + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (head(), 32),
        (head(tensors=(tensor(0, 0, 10, 2),)), 96 + 80),
        (head(tensors=(tensor(3, 64, 64),)), 64 + 64 + 40),
        (head(tensors=(tensor(999, 640, 64),)), 64 + 640),
        (head(pairs=(text(b"general.alignment") + struct.pack("<II", 4, 256),)), 256),
        (head(pairs=(text(b"a") + struct.pack("<IIQ", 9, 8, 2) + text(b"xy") + text(b"z"),)), 96),
        (head(pairs=(text(b"a") + struct.pack("<IIQ", 9, 5, 3) + bytes(12),)), 64),
        (head(pairs=(text(b"a") + struct.pack("<IB", 7, 1),)), 64),
    ],
)
def test_the_least_size_is_head_plus_last_tensor(given: bytes, expected: int) -> None:
    """The least size is the aligned head and the furthest end of a tensor."""
    assert expected == least_bytes(given)


@pytest.mark.parametrize("count", range(4, 100, 7))
def test_a_cut_head_is_known_for_cut(count: int) -> None:
    """Bytes that end inside the head are told apart from a whole head."""
    pairs = (text(b"a") + struct.pack("<IIQ", 9, 8, 2) + text(b"xy") + text(b"z"),)
    whole = head(pairs=pairs, tensors=(tensor(0, 0, 10, 2),))
    with pytest.raises(HeadTooShort):
        least_bytes(whole[:count])


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"GGML" + bytes(60),
        b"<html>",
        struct.pack("<4sIQQ", b"GGUF", 77, 0, 0),
        struct.pack("<4sIQQ", b"GGUF", 3, 2**60, 0),
        head(pairs=(text(b"a") + struct.pack("<I", 77),)),
    ],
)
def test_what_is_no_gguf_is_refused(given: bytes) -> None:
    """Other bytes, unknown versions, absurd counts and unknown types are no GGUF to us."""
    with pytest.raises(NotGguf):
        least_bytes(given)


def test_endless_nesting_is_refused() -> None:
    """Arrays of arrays of arrays end in an error and not in deep recursion."""
    with pytest.raises(NotGguf):
        least_bytes(head(pairs=(text(b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 10_000,)))


def test_the_real_file_has_exactly_that_size(real_model: ModelFile) -> None:
    """The shipped model's head gives its size to the byte."""
    with real_model.path.open("rb") as file:
        assert real_model.bytes == least_bytes(file.read(8_000_000))
