"""
One upstream stream on its way to a client, whatever the two wires.

Implements `wires.base.StreamRelay`.
Lives here: what every stream has (FAULTS rows 31-43, ruling 9): what its first bytes are, broken and oversize frames,
whether it was cut, empty or whole, what it used. Must not: any wire's fields, and what is shown when (`policy.commit`).
Made by `road`; the same wire of chat completions has a faster one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from everup.policy.faults import make_fault, with_billing
from everup.shapes.chat import StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Batch, Reply, Seen
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
from everup.wires.framing import Frame, LineSplitter
from everup.wires.opening import Opening
from everup.wires.tokens import estimate_usage, tokens_in

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.chat import Answer, ChatRequest
    from everup.shapes.events import Usage
    from everup.shapes.fault import Fault
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate
    from everup.wires.base import Wire

START, CONTENT, TOOL = int(Seen.START), int(Seen.CONTENT), int(Seen.TOOL)
USAGE, FINISH, END, PING = int(Seen.USAGE), int(Seen.FINISH), int(Seen.END), int(Seen.PING)
SHOWN = CONTENT | TOOL
SEEN = tuple(Seen(bits) for bits in range(128))
"""Each combination made once: combining IntFlags costs more than reading an event."""
BITS: dict[type, int] = {
    Started: START,
    TextDelta: CONTENT,
    ThinkingDelta: CONTENT,
    ToolCallStarted: TOOL,
    ToolCallDelta: TOOL,
    BlockEnded: START,
    UsageSeen: USAGE,
    Finished: FINISH,
    Ended: END,
    Pinged: PING,
    Failed: 0,
}
SPEAKS_WITHOUT_TEXT = frozenset(StopReason) - {StopReason.END}
"""Reasons that make an answer without text a whole one (rows 35, 36)."""
MINTED_MAX = 256
EMPTY = Batch()


class Passage:
    """
    The passage of one answer.

    `is_raw` relays the upstream's own bytes, else the client's wire writes.
    """

    def __init__(
        self,
        upstream: Wire,
        client: Wire,
        asked: Asked,
        chat: ChatRequest | None,
        candidate: Candidate,
        content_type: str,
        limits: Limits,
        *,
        created_unix_s: int = 0,
    ) -> None:
        self.upstream = upstream
        self.asked = asked
        self.chat = chat
        self.candidate = candidate
        self.limits = limits
        self.usage: Usage | None = None
        self.model = ""
        self.dropped_events = 0
        self.minted: list[str] = []
        self.is_raw = upstream is client
        self.life = b"" if self.is_raw else client.keep_alive
        self.framer = upstream.open_framer(limits)
        self.reader = upstream.open_reader(chat, candidate)
        self.writer = client.open_writer(asked, created_unix_s=created_unix_s)
        self.opening = Opening(content_type, limits, is_lines=isinstance(self.framer, LineSplitter))
        self.is_begun = False
        self.is_over = False
        self.total = 0
        self.fed_bytes = 0
        self.stop: StopReason | None = None
        self.chars = 0
        self.fault: Fault | None = None

    def feed(self, data: bytes) -> Batch:
        """
        Return what these bytes add.

        Bytes for the client, what was in them, a fault if the stream broke.
        """
        if self.is_over or not data:
            return EMPTY
        self.fed_bytes += len(data)
        if self.is_begun:
            return self.pass_on(self.framer.feed(data))
        begun = self.opening.take(data)
        if begun is None:
            return Batch(b"", Seen.PING)
        if not isinstance(begun, bytes):
            return self.end(b"", 0, begun)
        self.is_begun = True
        return self.pass_on(self.framer.feed(begun))

    def close(self) -> Batch:
        """
        Return what the end of the stream adds.

        Nothing after a complete one, else the fault it is.
        """
        if self.is_over:
            return EMPTY
        if self.opening.whole is not None:
            return self.close_whole(bytes(self.opening.whole))
        if not self.is_begun:
            return self.end(b"", 0, self.opening.fault_at_end())
        rest = self.framer.rest()
        raw, bits = self.look(rest, is_rest=True) if rest is not None else (b"", 0)
        if self.fault is None and not bits & END:
            last = self.reader.close()
            bits |= self.note(last)
            raw += b"" if self.is_raw else self.writer.write(last)
        return self.finish(raw, bits)

    def close_whole(self, body: bytes) -> Batch:
        """Return a whole JSON answer as the stream that was asked for."""
        answer = self.upstream.read_answer(self.opening.content_type, body, self.chat, self.candidate)
        if answer.fault is not None:
            return self.end(b"", 0, answer.fault)
        events = events_of(answer)
        bits = self.note(events)
        return self.finish(self.writer.write(events), bits | END, is_written=True)

    def pass_on(self, frames: list[Frame]) -> Batch:
        """
        Return the batch of some frames.

        The pass ends at a fault or at the wire's own end.
        """
        seen = 0
        kept = []
        for frame in frames:
            raw, bits = self.look(frame)
            seen |= bits
            if raw:
                kept.append(raw)
            if bits & END or self.fault is not None:
                break
        raw = kept[0] if len(kept) == 1 else b"".join(kept)
        if self.framer.is_overflowed and self.fault is None and not seen & END:
            most = self.limits.sse_line_bytes_max
            self.fault = make_fault(FaultKind.CUT, f"an event of more than {most:,} bytes", row="5.42")
        if self.fed_bytes > self.limits.upstream_body_bytes_max and self.fault is None and not self.total & SHOWN:
            most = self.limits.upstream_body_bytes_max
            self.fault = make_fault(FaultKind.OVERSIZE, f"more than {most:,} bytes without any content")
        if self.fault is not None or seen & END:
            return self.finish(raw, seen)
        return Batch(raw, SEEN[seen])

    def look(self, frame: Frame, *, is_rest: bool = False) -> tuple[bytes, int]:
        """
        Return what a frame gives the client, and its bits of `Seen`.

        `fault` is set if it broke the answer.
        """
        events = self.reader.read(frame)
        if events is None:
            return b"", self.drop(is_rest=is_rest)
        bits = self.note(events)
        if self.is_raw:
            return (b"", bits) if self.fault is not None else (frame.raw, bits)
        if bits == PING:
            return (self.life if self.total & SHOWN else b""), PING
        return self.writer.write(events), bits

    def drop(self, *, is_rest: bool) -> int:
        """
        Return a sign of life for a broken frame.

        Where content would be lost it is a cut (ruling 9).
        """
        self.dropped_events += 1
        if not is_rest and (self.asked.needs.structured or self.total & TOOL):
            self.fault = make_fault(FaultKind.CUT, "a broken event inside a tool call or structured output", row="R9")
            return 0
        return PING

    def note(self, events: list[StreamEvent]) -> int:
        """Return the bits of events, having noted what they say."""
        bits = 0
        for event in events:
            kind = type(event)
            bits |= BITS[kind]
            if kind is TextDelta:
                self.chars += len(event.text)  # type: ignore[union-attr]  # `kind` says so, at half the price
            elif kind is not ToolCallDelta:
                self.note_rare(event)
        self.total |= bits
        return bits

    def note_rare(self, event: StreamEvent) -> None:
        """Note what an event says that comes once or twice in a stream."""
        match event:
            case Started(model=model) if model and not self.model:
                self.model = model
            case UsageSeen(usage=usage):
                self.usage = usage
            case Finished(stop=stop):
                self.stop = stop
            case ThinkingDelta(signature=signature, hidden=hidden):
                self.minted += [each for each in (signature, hidden) if each and len(self.minted) < MINTED_MAX]
            case Failed(fault=fault):
                self.fault = with_billing(fault) if self.total & SHOWN else fault
            case _:
                return

    def finish(self, raw: bytes, bits: int, *, is_written: bool = False) -> Batch:
        """
        Return the last batch of a stream that ended.

        Whole, or with the fault it ended in.
        """
        self.total |= bits
        if self.fault is None:
            self.fault = self.fault_at_end()
        if self.fault is None and not (self.is_raw and self.total & END and not is_written):
            raw += self.writer.end()
        return self.end(raw, bits, self.fault)

    def fault_at_end(self) -> Fault | None:
        """
        Return what a stream is that ended.

        Whole after a reason (row 40), else cut or empty (rows 35, 41).
        """
        if self.stop is None:
            if self.total & ~PING:
                return make_fault(FaultKind.CUT, "the stream ended without a stop reason", row="5.41")
            if self.dropped_events:
                return make_fault(FaultKind.MALFORMED, "a stream without any event that could be read")
            return make_fault(FaultKind.EMPTY_BODY, "status 200 and a stream without any event")
        if self.total & SHOWN or self.stop in SPEAKS_WITHOUT_TEXT:
            return None
        return make_fault(FaultKind.EMPTY_ANSWER, "a whole stream without any content")

    def end(self, raw: bytes, bits: int, fault: Fault | None) -> Batch:
        """Return the last batch; the usage is settled: what was told, else an estimate."""
        self.is_over = True
        self.opening.clear()
        if self.usage is None and self.total & SHOWN:
            self.usage = estimate_usage(prompt_tokens=self.asked.needs.prompt_tokens, answer_chars=self.chars)
        elif self.usage is not None and self.usage.is_estimated:
            # Cut before the provider counted its answer: what was seen of it is more than the count at its begin.
            seen_tokens = max(self.usage.output_tokens, tokens_in(self.chars))
            self.usage = replace(self.usage, output_tokens=seen_tokens)
        return Batch(raw, SEEN[bits], fault)


def events_of(answer: Answer) -> list[StreamEvent]:
    """Return a whole answer as the events of a stream."""
    events: list[StreamEvent] = [Started(answer.id, answer.model)]
    calls = 0
    for part in answer.parts:
        match part:
            case Text(text=text, is_refusal=is_refusal):
                events.append(TextDelta(text, is_refusal))
            case Thinking(text=text, signature=signature, hidden=hidden):
                events.append(ThinkingDelta(text, signature, hidden))
            case ToolCall(id=name_of_call, name=name, arguments=arguments):
                events += [ToolCallStarted(calls, name_of_call, name), ToolCallDelta(calls, arguments)]
                calls += 1
        events.append(BlockEnded())
    if answer.usage is not None:
        events.append(UsageSeen(answer.usage))
    events.append(Finished(answer.stop, answer.sequence))
    return events


def relay_reply(wire: Wire, content_type: str, body: bytes, asked: Asked, candidate: Candidate) -> Reply:
    """
    Return a whole answer for a client of the same wire, its bytes unchanged.

    Or the fault that it is.
    """
    answer = wire.read_answer(content_type, body, None, candidate)
    if answer.fault is not None:
        return Reply(fault=answer.fault)
    return Reply(raw=body, usage=usage_of(answer, asked), model=answer.model, minted=minted_in(answer))


def usage_of(answer: Answer, asked: Asked) -> Usage:
    """Return an answer's usage, or an estimate marked so."""
    chars = sum(len(part.text) for part in answer.parts if isinstance(part, Text))
    return answer.usage or estimate_usage(prompt_tokens=asked.needs.prompt_tokens, answer_chars=chars)


def minted_in(answer: Answer) -> tuple[str, ...]:
    """Return the reasoning signatures of a whole answer, bounded."""
    thoughts = [part for part in answer.parts if isinstance(part, Thinking)]
    return tuple(each for part in thoughts for each in (part.signature, part.hidden) if each)[:MINTED_MAX]
