"""
Frames cut out of a byte stream, each with its exact bytes.

Server-sent events, and lines of JSON.
Lives here: framing only (WHATWG HTML, "Server-sent events"; NDJSON), sans-I/O. Must not: JSON or any wire's
meaning. Called by every wire's relay and by `passage`.
"""

from __future__ import annotations

import re
from typing import Protocol

from msgspec import Struct

BOM = b"\xef\xbb\xbf"
LINE_END = re.compile(rb"\r\n|\n|\r")
BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
"""An end of line and another: CRLF is one end, never two."""
SIMPLE, NAMED = b"data: ", b"event: "
IS_SIMPLE = True


class Frame(Struct, frozen=True, gc=False):
    """
    One event, or one line: `data` is None for a comment or an event without data.

    `raw` includes the line ends that close it.
    """

    raw: bytes
    data: bytes | None
    name: bytes = b""
    is_simple: bool = False
    """Whether it is one `data: ` line with LF ends: then `raw` holds nothing but the data."""


class Framer(Protocol):
    """
    What cuts one stream.

    A frame that grows past its bound sets `is_overflowed` (row 42).
    """

    is_overflowed: bool

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that these bytes complete, in order."""
        ...

    def rest(self) -> Frame | None:
        """
        Return the last frame of a stream that ended without closing it.

        If there is one.
        """
        ...


class LineSplitter:
    """
    The cutter of a stream of lines (NDJSON).

    A line that grows past `bytes_max` sets `is_overflowed`: nothing is read from then on (row 42). Blank lines
    are no frames.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.is_overflowed = False
        self.buffer = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the lines that these bytes complete, in order."""
        if self.is_overflowed:
            return []
        last = data.rfind(b"\n") + 1
        whole, rest = (self.buffer + data[:last], data[last:]) if last else (b"", self.buffer + data)
        self.buffer = rest
        if len(rest) > self.bytes_max:
            self.is_overflowed = True
            self.buffer = b""
        lines = whole.split(b"\n")[:-1]
        return [Frame(line + b"\n", line.strip()) for line in lines if not line.isspace() and line]

    def rest(self) -> Frame | None:
        """
        Return the last line of a stream that ended without closing it.

        If there is one.
        """
        raw, self.buffer = self.buffer, b""
        return Frame(raw, raw.strip()) if raw.strip() else None


class SseSplitter:
    """
    The cutter of one stream.

    An event that grows past `bytes_max` sets `is_overflowed`: nothing is read from then on (row 42).
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.is_overflowed = False
        self.has_returns = False
        self.buffer = bytearray()
        self.scanned = 0

    def is_amid(self) -> bool:
        """Return whether the next bytes do not begin an event, or are not read."""
        return bool(self.buffer) or self.is_overflowed

    def feed(self, data: bytes) -> list[Frame]:
        """Return the events that these bytes complete, in order."""
        if self.is_overflowed:
            return []
        if data.find(b"\n") == len(data) - 2 and data.startswith(SIMPLE) and b"\r" not in data and not self.buffer:
            return [Frame(data, data[6:-2], b"", IS_SIMPLE)] if data.endswith(b"\n") else self.cut(data)
        if not self.buffer and (named := read_named(data)) is not None:
            return [named]
        return self.cut(data)

    def cut(self, data: bytes) -> list[Frame]:
        """Return the events that these bytes complete, whatever their form."""
        if not self.has_returns and b"\r" in data:
            self.has_returns = True
        whole = self.take_whole(data)
        if len(self.buffer) > self.bytes_max:
            self.is_overflowed = True
            self.buffer.clear()
        if not whole:
            return []
        if self.has_returns:
            return [read_event(raw) for raw in cut_anywhere(whole)]
        return [read_event(part + b"\n\n") for part in whole[:-2].split(b"\n\n")]

    def take_whole(self, data: bytes) -> bytes:
        """
        Return everything up to the last blank line.

        The rest stays in the buffer, looked at only once.
        """
        buffer = self.buffer
        if not buffer and not self.has_returns:
            last = data.rfind(b"\n\n")
            if last >= 0:
                buffer += data[last + 2 :]
                return data[: last + 2]
        buffer += data
        end = self.last_blank_line(max(0, self.scanned - 3))
        if not end:
            self.scanned = len(buffer)
            return b""
        whole = bytes(buffer[:end])
        del buffer[:end]
        self.scanned = 0
        return whole

    def last_blank_line(self, start: int) -> int:
        """Return where the last complete event ends in the buffer, 0 for nowhere."""
        if not self.has_returns:
            last = self.buffer.rfind(b"\n\n", start)
            return last + 2 if last >= 0 else 0
        end = 0
        for found in BLANK_LINE.finditer(self.buffer, start):
            end = found.end()
        return end

    def rest(self) -> Frame | None:
        """Return the last event of a stream without its blank line, if there is one."""
        raw = bytes(self.buffer)
        self.buffer.clear()
        self.scanned = 0
        return read_event(raw) if raw.strip() else None


def cut_anywhere(whole: bytes) -> list[bytes]:
    """Return the events of a text that may hold any mix of line ends."""
    events = []
    start = 0
    for found in BLANK_LINE.finditer(whole):
        events.append(whole[start : found.end()])
        start = found.end()
    return events


def read_event(raw: bytes) -> Frame:
    """
    Return an event's data and name.

    The usual one-line form is read without looking at lines.
    """
    if raw.startswith(SIMPLE) and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return Frame(raw, raw[6:-2], b"", IS_SIMPLE)
    return read_named(raw) or read_lines(raw)


def read_named(raw: bytes) -> Frame | None:
    """
    Return an event that is one `event: ` line and one `data: ` line with LF ends.

    The usual form of those with a name, read without looking at lines; None for any other.
    """
    if not raw.startswith(NAMED):
        return None
    first = raw.find(b"\n") + 1
    if not raw.startswith(SIMPLE, first) or raw.find(b"\n", first) != len(raw) - 2 or b"\r" in raw:
        return None
    return Frame(raw, raw[first + 6 : -2], raw[7 : first - 1]) if raw.endswith(b"\n") else None


def read_lines(raw: bytes) -> Frame:
    """
    Return an event read line by line, as the standard says.

    Unknown fields and comments are left out.
    """
    data: list[bytes] = []
    name = b""
    for line in LINE_END.split(raw.removeprefix(BOM)):
        field, colon, value = line.partition(b":")
        if not field and colon:
            continue
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Frame(raw, b"\n".join(data) if data else None, name)
