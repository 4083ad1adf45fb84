"""Server-sent events are cut exactly, whatever the line ends and wherever the network cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.wires.framing import SseSplitter

MANY = 1_000_000


def cut(data: bytes, size: int = 0, bytes_max: int = MANY) -> tuple[list[tuple[bytes, bytes | None]], bytes]:
    """Return name and data of each event, and all raw bytes, in slices of `size`."""
    splitter = SseSplitter(bytes_max)
    step = size or max(len(data), 1)
    events = [event for start in range(0, len(data), step) for event in splitter.feed(data[start : start + step])]
    rest = splitter.rest()
    events += [rest] if rest else []
    return [(event.name, event.data) for event in events], b"".join(event.raw for event in events)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")]),
        (b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
        (b"data:a\n\ndata:  b\n\n", [(b"", b"a"), (b"", b" b")]),
        (b"data: a\ndata: b\n\n", [(b"", b"a\nb")]),
        (b"data: a\r\ndata: b\r\ndata\r\n\r\n", [(b"", b"a\nb\n")]),
        (b": ping\n\n", [(b"", None)]),
        (b": ping\ndata: a\n\n", [(b"", b"a")]),
        (b"event: error\ndata: a\n\n", [(b"error", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
        (b"data: a", [(b"", b"a")]),
        (b"data: a\n", [(b"", b"a")]),
        (b"id: 7\nretry: 10\nnovelty: x\ngarbage\n\n", [(b"", None)]),
        (b"data: a\n\n\n\ndata: b\n\n", [(b"", b"a"), (b"", None), (b"", b"b")]),
        (b"data: \xc3\xa9\n\n", [(b"", "é".encode())]),
        (b"data\n\n", [(b"", b"")]),
        (b"", []),
        (b"\n\n", [(b"", None)]),
    ],
)
def test_events(data: bytes, expected: list[tuple[bytes, bytes | None]]) -> None:
    """Each form of event is read as the standard says, and no byte is lost."""
    assert (expected, data) == cut(data)


PIECES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b": c",
        b"event: e",
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n",
        b"\r\n\r\n",
        b"\r\r",
        b"x",
        b"\xff\x00",
    ]
)


@given(st.lists(PIECES, max_size=30).map(b"".join), st.integers(1, 9))
def test_slices_change_nothing_that_matters(data: bytes, size: int) -> None:
    """Any mix of line ends gives the same events in slices of any size, and all its bytes come out again."""
    whole, raw = cut(data)
    sliced, raw_sliced = cut(data, size)
    assert [event for event in whole if event[1] is not None] == [event for event in sliced if event[1] is not None]
    assert raw.strip(b"\r\n") == raw_sliced.strip(b"\r\n") == data.strip(b"\r\n")


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_cut(data: bytes, size: int) -> None:
    """Whatever comes, nothing is raised and nothing is invented (S27)."""
    _, raw = cut(data, size)
    assert data.startswith(raw) or raw in data


@pytest.mark.parametrize("size", [0, 1, 7, 64])
def test_an_endless_line_overflows(size: int) -> None:
    """An event beyond the limit is given up: nothing is kept and nothing more is read."""
    splitter = SseSplitter(100)
    data = b"data: " + b"x" * 200 + b"\n"
    step = size or len(data)
    assert [] == [event for at in range(0, len(data), step) for event in splitter.feed(data[at : at + step])]
    assert splitter.is_overflowed
    assert not splitter.buffer
    assert [] == splitter.feed(b"data: a\n\n")


def test_events_before_an_overflow_come_out() -> None:
    """What was complete before the line that is too long is not lost."""
    splitter = SseSplitter(100)
    assert [b"a"] == [event.data for event in splitter.feed(b"data: a\n\ndata: " + b"x" * 200)]
    assert splitter.is_overflowed


def test_one_byte_at_a_time_is_not_slow() -> None:
    """A long event that comes byte by byte is looked at once, not again with every byte."""
    splitter = SseSplitter(MANY)
    data = b"data: " + b"x" * 300_000 + b"\n\n"
    events = [event for byte in data for event in splitter.feed(bytes((byte,)))]
    assert [300_000] == [len(event.data or b"") for event in events]
