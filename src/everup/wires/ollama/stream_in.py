"""
A streamed answer of an Ollama server as events.

Lines of JSON, each with what is new.
Lives here: one line at a time. Must not: cutting lines (see `wires.framing`), judging a stream (see `wires.passage`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.shapes.stream import (
    BlockEnded,
    Ended,
    Failed,
    Finished,
    Pinged,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from everup.wires.ollama.errors_in import error_of
from everup.wires.ollama.quirks import stop_of
from everup.wires.ollama.reply_in import FAILURES, Call, Line, call_of, decode_any, is_shown, read_line, usage_of

if TYPE_CHECKING:
    from everup.shapes.chat import ChatRequest
    from everup.shapes.route import Candidate
    from everup.wires.framing import Frame

ENDED = BlockEnded()
PINGED = Pinged()


class Reader:
    """
    The reader of one answer.

    `block` is the kind of delta whose block is open, None for none.
    """

    def __init__(self, chat: ChatRequest | None, candidate: Candidate) -> None:
        self.chat = chat
        self.candidate = candidate
        self.is_shown = is_shown(chat)
        self.is_begun = False
        self.block: type[TextDelta | ThinkingDelta] | None = None
        self.calls = 0

    def read(self, frame: Frame) -> list[StreamEvent] | None:
        """Return what one line says; None for a broken one."""
        data = frame.data or b""
        try:
            line = read_line(data)
        except msgspec.ValidationError:
            return self.read_odd(data)
        except FAILURES:
            return None
        message = line.message
        if line.error or (message is None and not line.done):
            return self.read_odd(data)
        events: list[StreamEvent] = []
        if not self.is_begun:
            self.is_begun = True
            events.append(Started("", line.model or ""))
        if message is not None:
            if message.thinking and self.is_shown:
                self.open(ThinkingDelta, events)
                events.append(ThinkingDelta(message.thinking))
            if message.content:
                self.open(TextDelta, events)
                events.append(TextDelta(message.content))
            if message.tool_calls:
                self.call(message.tool_calls, events)
        if line.done:
            self.finish(line, events)
        return events or [PINGED]

    def read_odd(self, data: bytes) -> list[StreamEvent] | None:
        """Return what JSON of another form says: an error, or nothing that is known."""
        try:
            found = decode_any(data)
        except FAILURES:
            return None
        if not isinstance(found, dict):
            return None
        fault = error_of(found, self.candidate)
        return [PINGED] if fault is None else [Failed(fault)]

    def open(self, kind: type[TextDelta | ThinkingDelta], events: list[StreamEvent]) -> None:
        """Whatever else was open ends before a delta of this kind."""
        if self.block is not kind:
            if self.block is not None:
                events.append(ENDED)
            self.block = kind

    def close_block(self, events: list[StreamEvent]) -> None:
        """What was open ends."""
        if self.block is not None:
            self.block = None
            events.append(ENDED)

    def call(self, calls: list[Call], events: list[StreamEvent]) -> None:
        """Tool calls come whole, in any line and any number of lines."""
        self.close_block(events)
        for each in calls:
            call = call_of(each, self.calls, self.chat)
            events.append(ToolCallStarted(self.calls, call.id, call.name))
            events.append(ToolCallDelta(self.calls, call.arguments))
            events.append(ENDED)
            self.calls += 1

    def finish(self, line: Line, events: list[StreamEvent]) -> None:
        """The last line tells why the answer ended and what it took."""
        self.close_block(events)
        usage = usage_of(line, self.chat)
        if usage is not None:
            events.append(UsageSeen(usage))
        events.append(Finished(stop_of(line.done_reason, has_calls=self.calls > 0)))
        events.append(Ended())

    def close(self) -> list[StreamEvent]:
        """Return what the end of the connection adds: an open block's end."""
        events: list[StreamEvent] = []
        self.close_block(events)
        return events
