"""
A streamed answer as the lines that a client of `/api/chat` reads.

Lives here: one line per delta, written into a template. Must not: judging a stream. A tool call is written whole,
once it is complete: this wire has no pieces of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.shapes.chat import StopReason, ToolCall
from everup.shapes.stream import (
    BlockEnded,
    Finished,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from everup.wires.ollama.reply_out import call_row, ending, time_of

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.events import Usage

HEAD = b'{"model":%b,"created_at":%b,"message":{"role":"assistant","content":'
THOUGHT = b'"","thinking":'
CALLS = b'"","tool_calls":['
TAIL = b'},"done":false}\n'
CALLS_TAIL = b']},"done":false}\n'
LAST = b'""},%b\n'
encode = msgspec.json.Encoder().encode


class Writer:
    """
    The writer of one answer.

    `call` is the tool call that is open, `pieces` its arguments so far.
    """

    def __init__(self, asked: Asked, *, created_unix_s: int) -> None:
        self.created = encode(time_of(created_unix_s))
        self.head = HEAD % (encode(asked.model), self.created)
        self.call: ToolCallStarted | None = None
        self.pieces: list[str] = []
        self.usage: Usage | None = None
        self.stop = StopReason.END

    def write(self, events: list[StreamEvent]) -> bytes:
        """Return the lines of these events."""
        raw = b""
        for event in events:
            kind = type(event)
            if kind is TextDelta:
                # The check by type is half the price of a match; both deltas have a text.
                raw += self.head + encode(event.text) + TAIL  # type: ignore[union-attr]
            elif kind is ThinkingDelta:
                raw += self.thought(event.text)  # type: ignore[union-attr]  # as above
            else:
                raw += self.write_rare(event)
        return raw

    def thought(self, text: str) -> bytes:
        """
        Return the line of some thinking.

        A signature or hidden thinking cannot be told here.
        """
        return self.head + THOUGHT + encode(text) + TAIL if text else b""

    def write_rare(self, event: StreamEvent) -> bytes:
        """
        Return the line of an event that ends something.

        The others are kept until then.
        """
        match event:
            case Started(model=model) if model:
                self.head = HEAD % (encode(model), self.created)
            case ToolCallStarted():
                self.call, self.pieces = event, []
            case ToolCallDelta(arguments=arguments):
                self.pieces.append(arguments)
            case BlockEnded():
                return self.close_call()
            case UsageSeen(usage=usage):
                self.usage = usage
            case Finished(stop=stop):
                self.stop = stop
        return b""

    def close_call(self) -> bytes:
        """Return the line of the tool call that was open, nothing without one."""
        call = self.call
        if call is None:
            return b""
        self.call = None
        whole = ToolCall(id=call.id, name=call.name, arguments="".join(self.pieces))
        return self.head + CALLS + encode(call_row(whole, call.place)) + CALLS_TAIL

    def end(self) -> bytes:
        """Return the line that ends a complete stream, with what it used."""
        return self.close_call() + self.head + LAST % encode(ending(self.stop, self.usage))[1:]
