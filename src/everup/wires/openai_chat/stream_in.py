"""
A streamed answer of this wire, in no wire's words.

Lives here: what one chunk says. Must not: the order of blocks (see `blocks`), framing, and judging whether the answer
is whole (see `wires.passage`). The finish reason and the usage are held back until `[DONE]` or the end: content may
still follow them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.policy.classify import ErrorSeen, classify_error
from everup.policy.faults import make_fault
from everup.shapes.chat import Text
from everup.shapes.fault import FaultKind
from everup.shapes.stream import Ended, Failed, Finished, Pinged, Started, StreamEvent, TextDelta, UsageSeen
from everup.wires.errors_in import error_in
from everup.wires.openai_chat.blocks import HELD_CHARS_MAX, Blocks, Kind
from everup.wires.openai_chat.chunk import Choice, Chunk, Delta, decode_chunk, read_loosely
from everup.wires.openai_chat.relay import is_clean
from everup.wires.openai_chat.reply_in import BROKEN_OFF, NAMELESS, arguments_of, read_content, usage_told
from everup.wires.openai_chat.stops import is_broken, read_stop
from everup.wires.openai_chat.thoughts import dicts, read_blocks, read_details, read_plain, text_of

if TYPE_CHECKING:
    from everup.shapes.chat import ChatRequest, Thinking
    from everup.shapes.route import Candidate
    from everup.wires.framing import Frame
    from everup.wires.openai_chat.usage import UsageSeen as UsageTold

FUNCTION = -1
"""The place of the one call that the older form `function_call` has room for."""


class ChatReader:
    """The reader of one streamed answer; implements `wires.base.StreamReader`."""

    def __init__(self, chat: ChatRequest | None, candidate: Candidate) -> None:
        self.candidate = candidate
        self.blocks = Blocks(len(chat.messages) if chat else 0)
        self.is_started = False
        self.reason: object = None
        self.usage: UsageTold | None = None

    def read(self, frame: Frame) -> list[StreamEvent] | None:
        """Return what one event says, None if it is broken."""
        data = frame.data
        if not frame.is_simple:
            if not is_clean(frame.raw):
                return None
            data = data.strip() if data else None
        if not data:
            return [Pinged()]
        return self.finish([Ended()]) if data == b"[DONE]" else self.read_json(frame, data)

    def read_json(self, frame: Frame, data: bytes) -> list[StreamEvent] | None:
        """
        Return what an event's JSON says.

        What is no plain chunk gets a second, wider look.
        """
        try:
            if not data.isascii():
                data.decode()
            chunk = decode_chunk(data)
        except msgspec.ValidationError:
            return self.read_stranger(frame, data)
        except (ValueError, RecursionError):
            return None
        if chunk.error or chunk.choices is None or frame.name == b"error":
            return self.read_stranger(frame, data)
        return self.read_chunk(chunk)

    def close(self) -> list[StreamEvent]:
        """
        Return what the end of the connection adds.

        Nothing but the usage where no finish reason came.
        """
        return self.usage_event() if self.reason is None else self.finish([])

    def read_stranger(self, frame: Frame, data: bytes) -> list[StreamEvent] | None:
        """
        Return what JSON says that is no plain chunk.

        An error, a chunk of odd form, nothing that matters.
        """
        try:
            found = msgspec.json.decode(data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        seen = error_in(found)
        if seen is None and (frame.name == b"error" or found.get("error")):
            seen = ErrorSeen(message="an error event of unknown form")
        if seen is not None:
            provider = self.candidate.provider
            model = self.candidate.model.ref.model
            return [Failed(classify_error(seen, provider=provider.name, model=model, is_local=provider.is_local))]
        chunk = read_loosely(found)
        return self.read_chunk(chunk) if chunk is not None else [Pinged()]

    def read_chunk(self, chunk: Chunk) -> list[StreamEvent]:
        """
        Return what a chunk says.

        One without choices (usage, Azure's filter results) says nothing yet.
        """
        usage = chunk.usage or (chunk.x_groq.usage if chunk.x_groq else None)
        if usage is not None:
            self.usage = usage
        if not chunk.choices:
            return [Pinged()]
        choice = chunk.choices[0]
        delta = choice.delta or choice.message
        if self.is_started and delta is not None and not choice.finish_reason and self.is_more_text(delta):
            return [TextDelta(delta.content)]  # type: ignore[arg-type]  # `is_more_text` says it is a text
        told: list[StreamEvent] = [] if self.is_started else [Started(text_of(chunk.id), text_of(chunk.model))]
        self.is_started = True
        self.take(choice, delta or Delta())
        told += self.blocks.advance()
        return told + self.fault_in(choice) or [Pinged()]

    def is_more_text(self, delta: Delta) -> bool:
        """Return whether a delta is nothing but more of the text that is open."""
        return (
            type(delta.content) is str
            and bool(delta.content)
            and self.blocks.is_open(Kind.TEXT)
            and not (delta.tool_calls or delta.reasoning_content or delta.reasoning or delta.refusal)
            and not (delta.reasoning_details or delta.thinking_blocks or delta.function_call)
        )

    def take(self, choice: Choice, delta: Delta) -> None:
        """Everything a choice says is added to the blocks."""
        blocks = self.blocks
        blocks.think(read_plain(delta.reasoning_content, delta.reasoning), is_plain=True)
        for thought in read_details(delta.reasoning_details) or read_blocks(delta.thinking_blocks):
            self.take_thought(thought, is_plain=False)
        for part in read_content(delta.content or choice.text):
            if isinstance(part, Text):
                blocks.say(part.text)
            else:
                self.take_thought(part, is_plain=True)
        blocks.say(text_of(delta.refusal), is_refusal=True)
        for row in dicts(delta.tool_calls):
            index = row.get("index")
            self.take_call(index if type(index) is int else None, text_of(row.get("id")), row.get("function"))
        if delta.function_call:
            self.take_call(FUNCTION, "", delta.function_call)
        self.reason = choice.finish_reason or self.reason

    def take_thought(self, thought: Thinking, *, is_plain: bool) -> None:
        """A piece of thinking is added to the blocks."""
        self.blocks.think(thought.text, is_plain=is_plain)
        if thought.signature:
            self.blocks.sign(thought.signature)
        if thought.hidden:
            self.blocks.hide(thought.hidden)

    def take_call(self, index: int | None, call_id: str, function: object) -> None:
        """A piece of a tool call is added to the blocks."""
        called = function if isinstance(function, dict) else {}
        self.blocks.call(index, call_id, text_of(called.get("name")), arguments_of(called.get("arguments")))

    def fault_in(self, choice: Choice) -> list[StreamEvent]:
        """
        Return the fault in a choice, if any.

        Its provider broke the answer off, or it holds back too much.
        """
        if is_broken(choice.finish_reason):
            return [Failed(make_fault(FaultKind.CUT, BROKEN_OFF))]
        if self.blocks.is_overfull():
            held = f"an answer that holds back more than {HELD_CHARS_MAX:,} characters of tool calls"
            return [Failed(make_fault(FaultKind.OVERSIZE, held))]
        return []

    def finish(self, last: list[StreamEvent]) -> list[StreamEvent]:
        """Return the rest of a whole answer: its blocks' ends, its usage, its reason."""
        told: list[StreamEvent] = [] if self.is_started else [Started()]
        self.is_started = True
        told += self.blocks.end()
        if self.blocks.queue:
            return [*told, Failed(make_fault(FaultKind.MALFORMED, NAMELESS))]
        stop = read_stop(self.reason, has_calls=self.blocks.calls_begun > 0)
        return [*told, *self.usage_event(), Finished(stop), *last]

    def usage_event(self) -> list[StreamEvent]:
        """Return the usage that was told, if any."""
        usage = usage_told(self.usage)
        return [UsageSeen(usage)] if usage is not None else []
