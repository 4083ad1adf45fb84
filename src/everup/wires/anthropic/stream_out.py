"""
A streamed answer as the events that a client of the Messages API reads.

Lives here: byte templates, filled per event. Must not: judging a stream. Order: `message_start`, blocks with
contiguous indices, `message_delta`, `message_stop`; whatever the events left out is closed first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.shapes.chat import StopReason
from everup.shapes.events import Usage
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
from everup.wires.anthropic.reply_out import NO_ARGUMENTS, message_id, stop_word, usage_fields

if TYPE_CHECKING:
    from everup.shapes.asked import Asked

MESSAGE_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":%b,"type":"message","role":"assistant",'
    b'"model":%b,"content":[],"stop_reason":null,"stop_sequence":null,"usage":%b}}\n\n'
)
BLOCK_START = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":{"type":%b}}\n\n'
)
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
BLOCK_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
MESSAGE_DELTA = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":%b,"stop_sequence":%b},"usage":%b}\n\n'
)
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
TEXT, THINKING = b'"text","text":""', b'"thinking","thinking":"","signature":""'
HIDDEN, CALL = b'"redacted_thinking","data":%b', b'"tool_use","id":%b,"name":%b,"input":{}'

encode = msgspec.json.Encoder().encode


class Writer:
    """
    The writer of one answer.

    `open` is the kind of block that is open, b"" for none.
    """

    def __init__(self, asked: Asked, *, created_unix_s: int) -> None:
        self.asked = asked
        self.created_unix_s = created_unix_s
        self.begun: Started | None = None
        self.is_headed = False
        self.open = b""
        self.index = -1
        self.usage = Usage()
        self.finished = Finished(StopReason.END)
        self.has_calls = False
        self.is_refusal = False
        self.has_arguments = False

    def write(self, events: list[StreamEvent]) -> bytes:
        """Return the bytes of these events."""
        raw = b"".join([self.write_one(event) for event in events])
        # After the whole batch: an upstream that tells its input tokens does so beside the start.
        return raw if self.is_headed or self.begun is None else raw + self.head()

    def write_one(self, event: StreamEvent) -> bytes:
        """Return the bytes of one event; what is only known for later says nothing."""
        match event:
            case TextDelta():
                self.is_refusal |= event.is_refusal
                return self.text(TEXT, b"text_delta", b"text", event.text)
            case ToolCallDelta():
                return self.arguments(event.arguments)
            case ThinkingDelta():
                return self.thinking(event)
            case ToolCallStarted():
                self.has_calls = True
                self.has_arguments = False
                return self.begin(CALL, CALL % (encode(event.id), encode(event.name)))
            case BlockEnded():
                return self.close_block()
            case Started():
                self.begun = event
            case UsageSeen():
                self.usage = event.usage
            case Finished():
                self.finished = event
        return b""

    def text(self, kind: bytes, delta: bytes, field: bytes, text: str) -> bytes:
        """Return more text of a kind, in a block of its own if none of that kind is open."""
        if not text:
            return b""
        start = b"" if self.open is kind else self.begin(kind, kind)
        return start + DELTA % (self.index, delta, field, encode(text))

    def thinking(self, event: ThinkingDelta) -> bytes:
        """
        Return more thinking: its text, then its signature.

        Hidden thinking is a block by itself.
        """
        if event.hidden:
            return self.begin(HIDDEN, HIDDEN % encode(event.hidden)) + self.close_block()
        text = self.text(THINKING, b"thinking_delta", b"thinking", event.text)
        return text + self.text(THINKING, b"signature_delta", b"signature", event.signature)

    def arguments(self, arguments: str) -> bytes:
        """
        Return more of a call's arguments.

        A call without any says nothing more: its start has `{}`.
        """
        if self.open is not CALL or (not self.has_arguments and arguments.strip() in NO_ARGUMENTS):
            return b""
        self.has_arguments = True
        return DELTA % (self.index, b"input_json_delta", b"partial_json", encode(arguments))

    def begin(self, kind: bytes, block: bytes) -> bytes:
        """Return the start of a block, after what must come before it."""
        before = self.head() + self.close_block()
        self.open = kind
        self.index += 1
        return before + BLOCK_START % (self.index, block)

    def close_block(self) -> bytes:
        """Return the end of the open block, nothing without one."""
        if not self.open:
            return b""
        self.open = b""
        return BLOCK_STOP % self.index

    def head(self) -> bytes:
        """Return the start of the message, once; its usage is what is known so far."""
        if self.is_headed:
            return b""
        self.is_headed = True
        begun = self.begun or Started()
        name = message_id(begun.id, self.asked, self.created_unix_s)
        return MESSAGE_START % (
            encode(name),
            encode(begun.model or self.asked.model),
            encode(usage_fields(self.usage)),
        )

    def end(self) -> bytes:
        """Return the end of a complete stream: why it ended and what it used, all of it."""
        before = self.head() + self.close_block()
        word = stop_word(self.finished.stop, has_calls=self.has_calls, is_refusal=self.is_refusal)
        sequence = self.finished.sequence or None
        return (
            before + MESSAGE_DELTA % (encode(word), encode(sequence), encode(usage_fields(self.usage))) + MESSAGE_STOP
        )
