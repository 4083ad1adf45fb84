"""
An answer of another wire, as a stream for a client of chat completions.

Lives here: one chunk per event, made of byte templates: no table is encoded per delta. Must not: whole answers (see
`reply_out`). What an event says in no chunk (`BlockEnded`, `Pinged`, ...) writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from everup.shapes.chat import Thinking
from everup.shapes.stream import (
    BlockEnded,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from everup.wires.openai_chat.chat_in import is_legacy
from everup.wires.openai_chat.effort_in import shows_thinking
from everup.wires.openai_chat.reply_out import NO_ARGUMENTS, answer_id, usage_fields
from everup.wires.openai_chat.stops import write_stop
from everup.wires.openai_chat.thoughts import write_details
from everup.wires.openai_chat.whole import DONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.shapes.asked import Asked
    from everup.shapes.events import Usage
    from everup.shapes.stream import StreamEvent

encode = msgspec.json.Encoder().encode
OPENED = b'"choices":[{"index":0,"delta":{'
CLOSED = b'},"finish_reason":null}]}\n\n'
ROLE = b'"role":"assistant","content":""'
THOUGHT_CHARS_MAX = 2_000_000
"""Longer thinking is shown but cannot be sent back: its text would have to be kept until its signature comes."""


class ChatWriter:
    """The writer of one streamed answer; implements `wires.base.StreamWriter`."""

    def __init__(self, asked: Asked, *, created_unix_s: int) -> None:
        self.asked = asked
        self.created_unix_s = created_unix_s
        self.has_thinking = shows_thinking(asked.fields)
        self.legacy = is_legacy(asked.fields)
        self.head = b""
        self.text_head = b""
        self.thought: list[str] = []
        self.thought_chars = 0
        self.details = 0
        self.place = 0
        self.is_call_bare = False
        """Whether the open call has no arguments yet."""
        self.usage: Usage | None = None

    def write(self, events: list[StreamEvent]) -> bytes:
        """Return the chunks of these events."""
        if len(events) == 1:
            return self.write_one(events[0])
        return b"".join([self.write_one(event) for event in events])

    def end(self) -> bytes:
        """
        Return the bytes that end a complete stream.

        The usage if it was asked for, and `[DONE]`.
        """
        if self.usage is None or not self.asked.wants_usage:
            return DONE
        return self.head + b'"choices":[],"usage":' + encode(usage_fields(self.usage)) + b"}\n\n" + DONE

    def write_one(self, event: StreamEvent) -> bytes:
        """Return the chunk of one event, often none."""
        write = WRITERS.get(type(event))
        return write(self, event) if write is not None else b""

    def write_text(self, event: TextDelta) -> bytes:
        """Return more text."""
        if event.is_refusal:
            return self.chunk(b'"refusal":' + encode(event.text))
        return self.text_head + encode(event.text) + CLOSED if event.text else b""

    def write_finish(self, event: Finished) -> bytes:
        """Return the chunk with the finish reason."""
        reason = encode(write_stop(event.stop, is_legacy=self.legacy))
        return self.head + OPENED + b'},"finish_reason":' + reason + b"}]}\n\n"

    def keep_usage(self, event: UsageSeen) -> bytes:
        """Return nothing: the usage stands behind the finish reason."""
        self.usage = event.usage
        return b""

    def chunk(self, delta: bytes) -> bytes:
        """Return a chunk of one delta, given without its braces."""
        return self.head + OPENED + delta + CLOSED

    def write_start(self, event: Started) -> bytes:
        """Return the first chunk: who answers, and the role."""
        given = answer_id(event.id, self.asked, created_unix_s=self.created_unix_s)
        fields = {
            "id": given,
            "object": "chat.completion.chunk",
            "created": self.created_unix_s,
            "model": event.model or self.asked.model,
        }
        self.head = b"data: " + encode(fields)[:-1] + b","
        self.text_head = self.head + OPENED + b'"content":'
        return self.chunk(ROLE)

    def write_thought(self, event: ThinkingDelta) -> bytes:
        """
        Return thinking.

        A text to show; once it is whole, also details that a client can send back.
        """
        if not self.has_thinking:
            return b""
        raw = b""
        if event.text:
            self.thought_chars += len(event.text)
            if self.thought_chars <= THOUGHT_CHARS_MAX:
                self.thought.append(event.text)
            raw = self.chunk(b'"reasoning_content":' + encode(event.text))
        if event.hidden or (event.signature and self.thought_chars <= THOUGHT_CHARS_MAX):
            whole = Thinking(text="".join(self.thought), signature=event.signature, hidden=event.hidden)
            raw += self.chunk(b'"reasoning_details":' + encode(write_details((whole,), self.details)))
            self.details += 1
        return raw

    def write_call(self, event: ToolCallStarted) -> bytes:
        """Return the begin of a tool call; an older client's form has room for one."""
        self.is_call_bare = True
        self.place = event.place
        if not self.legacy:
            return self.chunk(
                b'"tool_calls":[{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}}]'
                % (event.place, encode(event.id), encode(event.name))
            )
        return b"" if self.place else self.chunk(b'"function_call":{"name":' + encode(event.name) + b',"arguments":""}')

    def write_more(self, event: ToolCallDelta) -> bytes:
        """Return more of the open call."""
        return self.write_arguments(event.arguments)

    def write_arguments(self, arguments: str) -> bytes:
        """Return more of a tool call's arguments."""
        if not arguments:
            return b""
        self.is_call_bare = self.is_call_bare and arguments.isspace()
        piece = encode(arguments)
        if not self.legacy:
            return self.chunk(b'"tool_calls":[{"index":%d,"function":{"arguments":%b}}]' % (self.place, piece))
        return b"" if self.place else self.chunk(b'"function_call":{"arguments":' + piece + b"}")

    def write_block_end(self, _event: BlockEnded) -> bytes:
        """
        Return what a block lacks that ended.

        A call's arguments, which clients parse as JSON.
        """
        self.thought.clear()
        self.thought_chars = 0
        return self.write_arguments(NO_ARGUMENTS) if self.is_call_bare else b""


WRITERS: dict[type, Callable[[ChatWriter, Any], bytes]] = {
    Started: ChatWriter.write_start,
    TextDelta: ChatWriter.write_text,
    ThinkingDelta: ChatWriter.write_thought,
    ToolCallStarted: ChatWriter.write_call,
    ToolCallDelta: ChatWriter.write_more,
    BlockEnded: ChatWriter.write_block_end,
    UsageSeen: ChatWriter.keep_usage,
    Finished: ChatWriter.write_finish,
}
"""What each event says in chunks; `Ended`, `Pinged` and `Failed` say nothing."""
