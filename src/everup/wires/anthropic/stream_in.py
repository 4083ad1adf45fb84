"""
A streamed answer of this wire, event by event, in no wire's words.

Lives here: one block at a time, opened, grown and ended whatever order the provider keeps (WIRES, Streaming). Must
not: framing and judging (see `wires.passage`). What only a client of this wire can see (server tools, citations) is a
sign of life to any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.policy.classify import classify_error
from everup.policy.faults import make_fault
from everup.shapes.fault import FaultKind
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
from everup.wires.anthropic.models import traits_of
from everup.wires.anthropic.reply_in import NAMELESS, Block, input_of, text_of
from everup.wires.anthropic.stops import read_stop
from everup.wires.anthropic.tools_out import answer_tool
from everup.wires.anthropic.usage import Told, UsageTold, grown, read_usage
from everup.wires.errors_in import read_error
from everup.wires.mint import mint_call_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.shapes.chat import ChatRequest
    from everup.shapes.route import Candidate
    from everup.wires.framing import Frame

NOTHING, TEXT, THINKING, CALL, ANSWER, OTHER = "", "text", "thinking", "call", "answer", "other"
"""What is open: a call of a client's tool, or of the one that stands for a structured answer; or what nobody sees."""
NO_ERROR = Raw(b"")
PINGED = Pinged()
BLOCK_ENDED = BlockEnded()


class Delta(Struct, gc=False):
    """What a block or the message grows by."""

    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    stop_reason: object = None
    stop_sequence: object = None


class Begun(Struct, gc=False):
    """The message that begins."""

    id: object = None
    model: object = None
    usage: Told = None


class Event(Struct, gc=False):
    """One event of a stream, whatever its type."""

    type: str = ""
    index: int | None = None
    delta: Delta | None = None
    content_block: Block | None = None
    message: Begun | None = None
    usage: Told = None
    error: Raw = NO_ERROR


class Kind(Struct, gc=False):
    """Any object."""

    type: object = None


decode_event = msgspec.json.Decoder(Event).decode
decode_kind = msgspec.json.Decoder(Kind).decode


class Reader:
    """The reader of one streamed answer; implements `wires.base.StreamReader`."""

    def __init__(self, chat: ChatRequest | None, candidate: Candidate) -> None:
        self.candidate = candidate
        self.is_relayed = chat is None
        self.turn = len(chat.messages) if chat is not None else 0
        self.answer_name = answer_tool(chat, traits_of(candidate.model.ref.model)) if chat is not None else ""
        self.is_started = False
        self.is_finished = False
        self.has_answer = False
        self.usage: UsageTold | None = None
        self.calls = 0
        self.open = NOTHING
        self.index: int | None = None
        self.has_grown = False
        self.signature = ""
        self.whole = ""

    def read(self, frame: Frame) -> list[StreamEvent] | None:
        """Return what one frame says; None where it is broken (ruling 9)."""
        data = frame.data
        if data is None:
            return [PINGED]
        try:
            event = decode_event(data)
        except msgspec.ValidationError:
            return read_odd(data)
        except (ValueError, RecursionError):
            return None
        delta = event.delta
        if delta is not None and delta.text and self.open is TEXT and event.index == self.index:
            self.has_grown = True
            return [TextDelta(delta.text)]
        read = READERS.get(event.type or frame.name.decode(errors="replace"))
        if read is not None:
            return read(self, event)
        return self.read_error(event) if event.error is not NO_ERROR else [PINGED]

    def close(self) -> list[StreamEvent]:
        """Return the end of an open block; nothing is made up for it."""
        return [BLOCK_ENDED] if self.has_grown or self.open is CALL else []

    def read_start(self, event: Event) -> list[StreamEvent]:
        """Return the begin of the answer; a second one adds nothing but its counts."""
        begun = event.message or Begun()
        if self.is_started:
            return self.count(begun.usage, is_estimated=True) or [PINGED]
        self.is_started = True
        found: list[StreamEvent] = [Started(text_of(begun.id), text_of(begun.model))]
        # The output counted so far is next to nothing: it stands only if the stream is cut.
        return found + self.count(begun.usage, is_estimated=True)

    def count(self, told: Told, *, is_estimated: bool = False) -> list[StreamEvent]:
        """Return the usage so far, if the event tells any."""
        if not isinstance(told, UsageTold):
            return []
        self.usage = grown(self.usage, told)
        usage = read_usage(self.usage, is_estimated=is_estimated)
        return [UsageSeen(usage)] if usage is not None else []

    def read_block_start(self, event: Event) -> list[StreamEvent] | None:
        """Return the begin of a block, after the end of one that was left open."""
        block = event.content_block
        if block is None:
            return None
        found = self.begin(event.index)
        match block.type:
            case "text":
                self.open = TEXT
                found += self.grow_text(block.text)
            case "thinking":
                self.open = THINKING
                found += self.grow_thinking(block.thinking, block.signature)
            case "redacted_thinking":
                self.open = THINKING
                found += [ThinkingDelta(hidden=block.data)] if block.data else []
                self.has_grown = bool(block.data)
            case "tool_use":
                found += self.begin_call(block)
            case _:
                self.open = OTHER
                # Whose bytes are relayed sees it: it is content.
                found += [TextDelta("")] if self.is_relayed else []
        return found or [PINGED]

    def begin(self, index: int | None) -> list[StreamEvent]:
        """Return what comes before a new block: the answer's begin, a block's end."""
        found: list[StreamEvent] = [] if self.is_started else [Started()]
        self.is_started = True
        found += self.end_block()
        self.index = index
        return found

    def begin_call(self, block: Block) -> list[StreamEvent]:
        """Return the begin of a call; its input is kept in case no deltas come."""
        self.whole = input_of(block)
        if block.name == self.answer_name != "":
            self.open = ANSWER
            self.has_answer = True
            return []
        if not block.name:
            return [Failed(make_fault(FaultKind.MALFORMED, NAMELESS))]
        self.open = CALL
        place, self.calls = self.calls, self.calls + 1
        return [ToolCallStarted(place, block.id or mint_call_id(self.turn, place, block.name, ""), block.name)]

    def read_delta(self, event: Event) -> list[StreamEvent] | None:
        """Return what a block grows by; text and thinking are opened if nobody did."""
        delta = event.delta
        if delta is None:
            return None
        is_here = event.index == self.index
        if self.open is OTHER and is_here:
            return [PINGED]
        match delta.type:
            case "text_delta":
                found = [] if is_here and self.open is TEXT else self.reopen(event.index, TEXT)
                return found + self.grow_text(delta.text) or [PINGED]
            case "thinking_delta" | "signature_delta":
                found = [] if is_here and self.open is THINKING else self.reopen(event.index, THINKING)
                return found + self.grow_thinking(delta.thinking, delta.signature) or [PINGED]
            case "input_json_delta":
                return self.grow_call(delta.partial_json) if is_here and self.open in {CALL, ANSWER} else None
            case _:
                return [PINGED]

    def reopen(self, index: int | None, kind: str) -> list[StreamEvent]:
        """Return what opens a block that was not announced."""
        found = self.begin(index)
        self.open = kind
        return found

    def grow_text(self, text: str | None) -> list[StreamEvent]:
        """Return more text, nothing for none."""
        if not text:
            return []
        self.has_grown = True
        return [TextDelta(text)]

    def grow_thinking(self, text: str | None, signature: str | None) -> list[StreamEvent]:
        """Return more thinking; its signature is told whole, when the block ends."""
        self.signature += signature or ""
        if not text:
            return []
        self.has_grown = True
        return [ThinkingDelta(text)]

    def grow_call(self, fragment: str | None) -> list[StreamEvent]:
        """Return more arguments, or more of a structured answer; often empty first."""
        if not fragment:
            return [PINGED]
        self.has_grown = True
        return [ToolCallDelta(self.calls - 1, fragment)] if self.open is CALL else [TextDelta(fragment)]

    def read_block_end(self, event: Event) -> list[StreamEvent]:
        """Return the end of the open block."""
        return self.end_block() if event.index == self.index and self.open else [PINGED]

    def end_block(self) -> list[StreamEvent]:
        """
        Return the end of the open block.

        Before it what was held back: input that came whole, or a signature.
        """
        found: list[StreamEvent] = []
        if self.open is CALL and not self.has_grown:
            found.append(ToolCallDelta(self.calls - 1, self.whole))
        elif self.open is ANSWER and not self.has_grown:
            found.append(TextDelta(self.whole))
        elif self.signature:
            found.append(ThinkingDelta(signature=self.signature))
        if found or self.has_grown:
            found.append(BLOCK_ENDED)
        self.open, self.has_grown, self.signature, self.whole = NOTHING, False, "", ""
        return found

    def read_end(self, event: Event) -> list[StreamEvent]:
        """Return the usage and, once, why the answer ended."""
        found = self.begin(None) + self.count(event.usage)
        delta = event.delta
        if delta is not None and delta.stop_reason is not None:
            found += self.finish(delta.stop_reason, text_of(delta.stop_sequence))
        return found or [PINGED]

    def finish(self, word: object, sequence: str = "") -> list[StreamEvent]:
        """Return why the answer ended, nothing if that was told."""
        if self.is_finished:
            return []
        self.is_finished = True
        return [Finished(read_stop(word, has_calls=self.calls > 0, has_answer=self.has_answer), sequence)]

    def read_last(self, _event: Event) -> list[StreamEvent]:
        """Return the end of the stream; one without a reason is a plain end."""
        found = self.begin(None) + self.finish(None)
        return [*found, Ended()]

    def read_error(self, event: Event) -> list[StreamEvent]:
        """Return what broke the answer."""
        provider = self.candidate.provider
        seen = read_error(b'{"error":%b}' % bytes(event.error))
        if seen is None:
            return [Failed(make_fault(FaultKind.SERVER_ERROR, "an error event without words", row="5.38"))]
        model = self.candidate.model.ref.model
        return [Failed(classify_error(seen, provider=provider.name, model=model, is_local=provider.is_local))]


READERS: dict[str, Callable[[Reader, Event], list[StreamEvent] | None]] = {
    "content_block_delta": Reader.read_delta,
    "content_block_start": Reader.read_block_start,
    "content_block_stop": Reader.read_block_end,
    "message_start": Reader.read_start,
    "message_delta": Reader.read_end,
    "message_stop": Reader.read_last,
    "error": Reader.read_error,
}


def read_odd(data: bytes) -> list[StreamEvent] | None:
    """Return a sign of life for an object of unknown type, None for anything broken."""
    try:
        kind = decode_kind(data).type
    except (ValueError, RecursionError):
        return None
    return None if isinstance(kind, str) and kind in READERS else [PINGED]
