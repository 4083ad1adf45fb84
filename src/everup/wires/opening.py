"""
The first bytes of an answer to a request for a stream.

Until they say what it is (FAULTS row 33).
Lives here: a stream, a whole JSON answer instead, a web page, or nothing of these; and the whole answer while it
comes. Must not: frames (see `framing`) and any wire's fields. Called by every relay of a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.policy.faults import make_fault
from everup.shapes.fault import Fault, FaultKind
from everup.wires.bodies import fault_of_bytes
from everup.wires.framing import BOM

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

FIELD_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
FIELD_BYTES_MAX = 6
BLANKS_MAX = 4096
"""Blanks before the first frame that are kept: some servers send them to show that they live."""


class Opening:
    """
    The opening of one stream.

    `is_lines`: the wire's streams are lines of JSON, so that a brace begins one. `whole` is the JSON answer that
    came instead of events, as far as it has come.
    """

    def __init__(self, content_type: str, limits: Limits, *, is_lines: bool = False) -> None:
        self.content_type = content_type.lower()
        self.bytes_max = limits.upstream_body_bytes_max
        self.is_lines = is_lines
        self.head = b""
        self.whole: bytearray | None = None

    def take(self, data: bytes) -> bytes | Fault | None:
        """
        Return the bytes a stream begins with, once it is known to be one.

        None while that is open, or while a whole answer grows; the fault of what is neither or too large.
        """
        if self.whole is not None:
            return self.grow(data)
        self.head += data
        start = self.head.removeprefix(BOM).lstrip()
        if self.content_type.startswith("text/html") or start[:1] == b"<":
            return make_fault(FaultKind.HTML_PAGE, "status 200 with an HTML page, not an answer")
        if not start or (len(self.head) < len(BOM) and BOM.startswith(self.head)):
            self.head = b"" if len(self.head) > BLANKS_MAX else self.head
            return None
        if start[:1] != b"{":
            return self.take_unbraced(start)
        if self.is_lines:
            return self.head.removeprefix(BOM)
        self.whole = bytearray()
        head, self.head = self.head, b""
        return self.grow(head)

    def take_unbraced(self, start: bytes) -> bytes | Fault | None:
        """
        Return the same of bytes that begin with no brace.

        By the type, or by the first field.
        """
        if self.is_lines:
            is_stream = self.content_type.startswith("application/x-ndjson")
        else:
            is_stream = self.content_type.startswith("text/event-stream") or start.startswith(FIELD_STARTS)
        if is_stream:
            return self.head
        is_open = len(start) < FIELD_BYTES_MAX and any(field.startswith(start) for field in FIELD_STARTS)
        return None if is_open else self.neither()

    def grow(self, data: bytes) -> Fault | None:
        """Return the fault of a whole answer that grows too large."""
        whole = self.whole if self.whole is not None else bytearray()
        whole += data
        if len(whole) > self.bytes_max:
            return make_fault(FaultKind.OVERSIZE, f"an answer of more than {self.bytes_max:,} bytes")
        return None

    def fault_at_end(self) -> Fault:
        """Return what an answer is that ended before it began."""
        return fault_of_bytes(self.content_type, self.head) or self.neither()

    def neither(self) -> Fault:
        """Return the fault of bytes that are no answer of any kind."""
        kind = "a stream" if self.is_lines else "an event stream"
        return make_fault(FaultKind.MALFORMED, f"neither {kind} nor JSON")

    def clear(self) -> None:
        """Let go of what was kept: the answer is over."""
        self.head = b""
        self.whole = None
