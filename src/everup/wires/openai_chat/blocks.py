"""
The blocks of one streamed answer, one after another.

Lives here: which block is open, which wait for it, which call a piece belongs to, in whatever order a provider sends
them. Must not: any field of a chunk (see `stream_in`). A text ends when something else begins. A call ends only when
its arguments are a whole object, or with the answer: until then pieces of later blocks wait.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from everup.shapes.stream import (
    BlockEnded,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from everup.wires.mint import mint_call_id

HELD_CHARS_MAX = 8_000_000
"""Arguments and waiting texts that are kept: an answer that holds back more is broken off."""
CALLS_MAX = 4096


class Kind(IntEnum):
    """What a block holds."""

    TEXT = 0
    REFUSAL = 1
    THINKING = 2
    CALL = 3


class Block:
    """A text, a refusal or a thinking; `waiting` is what was not told yet."""

    __slots__ = ("has_plain", "is_sealed", "kind", "waiting")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.waiting: list[StreamEvent] = []
        self.is_sealed = False
        """Whether nothing may follow in it: its signature was seen."""
        self.has_plain = False
        """Whether a thinking's text came as plain text: details repeat it."""

    def tell(self, _blocks: Blocks) -> list[StreamEvent]:
        """Return what was not told yet."""
        told, self.waiting = self.waiting, []
        return told

    def can_end(self) -> bool:
        """Return whether it may end when something else begins."""
        return True

    def is_whole(self) -> bool:
        """Return whether the answer may end with it."""
        return True


class Call(Block):
    """A tool call; it begins once its name is known."""

    __slots__ = ("arguments", "call_id", "is_closed", "is_object", "name", "place", "told")

    def __init__(self) -> None:
        super().__init__(Kind.CALL)
        self.call_id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.told = 0
        """How many pieces of the arguments were told."""
        self.place = -1
        """Its place among the answer's calls, -1 until it begins."""
        self.is_object: bool | None = None
        self.is_closed = False

    def add(self, call_id: str, name: str, arguments: str) -> None:
        """Add a piece; what comes after a whole object is left out."""
        self.call_id = self.call_id or call_id
        self.name = self.name or name
        if arguments and not self.is_closed:
            self.arguments.append(arguments)
            self.is_object = None

    def tell(self, blocks: Blocks) -> list[StreamEvent]:
        """Return what was not told yet, its begin before the rest."""
        if not self.name:
            return []
        told: list[StreamEvent] = []
        if self.place < 0:
            self.place = blocks.calls_begun
            blocks.calls_begun += 1
            given = self.call_id or mint_call_id(blocks.turn, self.place, self.name, "".join(self.arguments))
            told.append(ToolCallStarted(self.place, given, self.name))
        pieces = self.arguments[self.told :]
        self.told = len(self.arguments)
        if pieces:
            told.append(ToolCallDelta(self.place, "".join(pieces)))
        return told

    def can_end(self) -> bool:
        """Return whether it has begun and its arguments are a whole object."""
        return self.place >= 0 and self.is_complete()

    def is_complete(self) -> bool:
        """Return whether its arguments are a whole object; looked at only after a change."""
        if self.is_object is None:
            self.is_object = is_object("".join(self.arguments))
        return self.is_closed or self.is_object

    def is_whole(self) -> bool:
        """Return whether it has begun: one without a name cannot."""
        return self.place >= 0


class Blocks:
    """The blocks in the order of their begin; the first is the open one."""

    def __init__(self, turn: int) -> None:
        self.turn = turn
        """Messages of the request: part of an id that is made here."""
        self.queue: list[Block] = []
        self.calls: dict[int, Call] = {}
        self.last: Call | None = None
        self.calls_begun = 0
        self.held_chars = 0

    def is_open(self, kind: Kind) -> bool:
        """Return whether a block of this kind is open and nothing waits."""
        return len(self.queue) == 1 and self.queue[0].kind is kind and not self.queue[0].is_sealed

    def is_overfull(self) -> bool:
        """Return whether more is kept than may be."""
        return self.held_chars > HELD_CHARS_MAX or len(self.calls) > CALLS_MAX

    def block(self, kind: Kind) -> Block:
        """Return the block that more of this kind belongs to: the last one, or a new one."""
        last = self.queue[-1] if self.queue else None
        if last is None or last.kind is not kind or last.is_sealed:
            last = Block(kind)
            self.queue.append(last)
        return last

    def say(self, text: str, *, is_refusal: bool = False) -> None:
        """Add text."""
        if text:
            self.hold(text)
            self.block(Kind.REFUSAL if is_refusal else Kind.TEXT).waiting.append(TextDelta(text, is_refusal))

    def think(self, text: str, *, is_plain: bool) -> None:
        """Add thinking; details repeat what came as plain text."""
        if text:
            block = self.block(Kind.THINKING)
            if is_plain or not block.has_plain:
                block.waiting.append(ThinkingDelta(text))
                self.hold(text)
            block.has_plain = block.has_plain or is_plain

    def sign(self, signature: str) -> None:
        """Add the signature of the thinking before it."""
        block = self.block(Kind.THINKING)
        block.waiting.append(ThinkingDelta(signature=signature))
        block.is_sealed = True

    def hide(self, data: str) -> None:
        """Add hidden thinking: a block of its own."""
        block = Block(Kind.THINKING)
        block.waiting.append(ThinkingDelta(hidden=data))
        block.is_sealed = True
        self.queue.append(block)

    def call(self, index: int | None, call_id: str, name: str, arguments: str) -> None:
        """Add a piece of a tool call."""
        self.held_chars += len(arguments)
        found = self.known(index, call_id, name)
        if found is None:
            found = Call()
            self.calls[len(self.calls) if index is None else index] = found
            self.queue.append(found)
        found.add(call_id, name, arguments)
        self.last = found

    def known(self, index: int | None, call_id: str, name: str) -> Call | None:
        """
        Return the call that a piece belongs to, None for a new one.

        Without an index a name begins a call. With one, so does a name beside another id, or after a whole call:
        some servers number all calls 0.
        """
        if index is None:
            same = next((each for each in self.calls.values() if call_id and each.call_id == call_id), None)
            return same or (None if name else self.last)
        found = self.calls.get(index)
        if found is None or not name:
            return found
        is_other = call_id != found.call_id if call_id and found.call_id else found.is_complete()
        return None if is_other else found

    def hold(self, text: str) -> None:
        """Count a text that must wait."""
        if len(self.queue) > 1:
            self.held_chars += len(text)

    def advance(self) -> list[StreamEvent]:
        """
        Return what can be told now.

        Of the open block, and of those behind it once it has ended.
        """
        told: list[StreamEvent] = []
        while self.queue:
            told += self.queue[0].tell(self)
            if len(self.queue) == 1 or not self.queue[0].can_end():
                break
            told.append(self.end_first())
        return told

    def end(self) -> list[StreamEvent]:
        """
        Return the rest, every block ended.

        One that never began stays in the queue, and all behind it.
        """
        told: list[StreamEvent] = []
        while self.queue:
            told += self.queue[0].tell(self)
            if not self.queue[0].is_whole():
                break
            told.append(self.end_first())
        return told

    def end_first(self) -> StreamEvent:
        """Return the end of the open block."""
        first = self.queue.pop(0)
        if isinstance(first, Call):
            first.is_closed = True
            first.arguments.clear()
        return BlockEnded()


def is_object(text: str) -> bool:
    """Return whether a text is a whole JSON object."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (ValueError, RecursionError):
        return False
