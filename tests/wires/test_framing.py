"""Server-sent events and lines of JSON are cut exactly, whatever the line ends and wherever the network cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.wires.framing import LineSplitter, SseSplitter

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


def cut_lines(data: bytes, size: int = 0, bytes_max: int = MANY) -> tuple[list[bytes | None], bytes]:
    """Return the data of each line, and all raw bytes, in slices of `size`."""
    splitter = LineSplitter(bytes_max)
    step = size or max(len(data), 1)
    lines = [line for start in range(0, len(data), step) for line in splitter.feed(data[start : start + step])]
    rest = splitter.rest()
    lines += [rest] if rest else []
    return [line.data for line in lines], b"".join(line.raw for line in lines)


@pytest.mark.parametrize(
    ("data", "expected", "raw"),
    [
        (b"", [], b""),
        (b"{}\n", [b"{}"], b"{}\n"),
        (b"{}\n[]\n", [b"{}", b"[]"], b"{}\n[]\n"),
        (b"{}\r\n[]\r\n", [b"{}", b"[]"], b"{}\r\n[]\r\n"),
        (b" {}\t\n", [b"{}"], b" {}\t\n"),
        (b"\n\r\n \n{}\n\n", [b"{}"], b"{}\n"),
        (b"{}\n{", [b"{}", b"{"], b"{}\n{"),
        (b"{}", [b"{}"], b"{}"),
        (b"{}\n \r\n", [b"{}"], b"{}\n"),
        (b"{}\n  ", [b"{}"], b"{}\n"),
        ('{"é":"€😀"}\n'.encode(), ['{"é":"€😀"}'.encode()], '{"é":"€😀"}\n'.encode()),
    ],
)
def test_lines(data: bytes, expected: list[bytes], raw: bytes) -> None:
    """Each line is a frame of its text with its raw bytes; blank lines are none."""
    assert (expected, raw) == cut_lines(data)


@given(
    parts=st.lists(st.sampled_from([b'{"a":1}', b"\n", b"\r\n", b" ", "é😀".encode(), b"x" * 40]), max_size=30),
    size=st.integers(1, 50),
)
def test_lines_are_the_same_wherever_the_network_cuts(parts: list[bytes], size: int) -> None:
    """Whatever the size of the reads, the same lines come out."""
    data = b"".join(parts)
    assert cut_lines(data) == cut_lines(data, size)


def test_an_endless_line_is_an_overflow() -> None:
    """A line that grows past its bound stops the splitter, which then holds nothing."""
    splitter = LineSplitter(100)
    assert [b"{}"] == [line.data for line in splitter.feed(b"{}\n" + b"x" * 100)]
    assert not splitter.is_overflowed
    assert [] == splitter.feed(b"x")
    assert splitter.is_overflowed
    assert [] == splitter.feed(b"\n{}\n")
    assert None is splitter.rest()


def test_the_rest_of_lines_is_given_once() -> None:
    """A last line without its end is given once."""
    splitter = LineSplitter(MANY)
    splitter.feed(b"{}\n[")
    rest = splitter.rest()
    assert rest is not None
    assert (b"[", b"[") == (rest.raw, rest.data)
    assert None is splitter.rest()
