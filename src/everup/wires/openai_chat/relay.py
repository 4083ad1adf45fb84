"""
One upstream stream on its way to a client, and what was seen in it.

Lives here: the pass over events (FAULTS rows 31-43, ruling 9). Must not: deciding what is shown (see
`policy.commit`). Made by `wire.open_stream`, fed by the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.policy.classify import ErrorSeen, classify_error
from everup.policy.faults import make_fault, with_billing
from everup.shapes.events import Batch, Seen, Usage
from everup.shapes.fault import FaultKind
from everup.wires.errors_in import error_in
from everup.wires.framing import Frame, SseSplitter
from everup.wires.openai_chat.chunk import (
    CONTENT,
    END,
    FINISH,
    PING,
    SEEN,
    SPEAKS_WITHOUT_TEXT,
    START,
    TOOL,
    USAGE,
    Choice,
    Chunk,
    Delta,
    decode_chunk,
    look_at,
    read_loosely,
)
from everup.wires.openai_chat.reasoning import collect_signatures
from everup.wires.openai_chat.usage import UsageSeen, read_usage
from everup.wires.openai_chat.whole import DONE, as_stream, read_reply
from everup.wires.opening import Opening
from everup.wires.tokens import estimate_usage

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.fault import Fault
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate

EMPTY = Batch()
CHUNK_START = b"data: {"


class ChatRelay:
    """The relay of one answer; implements `wires.base.StreamRelay`."""

    def __init__(self, asked: Asked, candidate: Candidate, content_type: str, limits: Limits) -> None:
        self.asked = asked
        self.candidate = candidate
        self.limits = limits
        self.usage: Usage | None = None
        self.model = ""
        self.dropped_events = 0
        self.minted: list[str] = []
        self.splitter = SseSplitter(limits.sse_line_bytes_max)
        self.opening = Opening(content_type, limits)
        self.is_sse = False
        self.is_over = False
        self.total = 0
        self.finish: object = None
        self.chars = 0
        self.fault: Fault | None = None
        self.usage_seen: UsageSeen | None = None

    def feed(self, data: bytes) -> Batch:
        """
        Return what these bytes add.

        Raw bytes to relay, what was in them, a fault if the stream broke. Nearly every read of a stream is one plain
        chunk, which needs no frames: the long way gives the same for twice the time.
        """
        last = len(data) - 2
        if not self.is_sse or self.is_over or not data.startswith(CHUNK_START) or data.find(b"\n") != last:
            return self.feed_any(data)
        if not data.endswith(b"\n") or b"\r" in data or self.splitter.is_amid():
            return self.feed_any(data)
        try:
            if not data.isascii():
                data.decode()
            chunk = decode_chunk(data[6:last])
        except (ValueError, RecursionError):
            return self.feed_any(data)
        choices = chunk.choices
        if not choices or chunk.error:
            return self.feed_any(data)
        delta = choices[0].delta
        if self.model and len(choices) == 1 and delta is not None and is_text(chunk, choices[0], delta):
            self.chars += len(delta.content)  # type: ignore[arg-type]  # is_text says so
            self.total |= CONTENT
            return Batch(data, Seen.CONTENT)
        bits = self.look_at_chunk(chunk)
        self.total |= bits
        return Batch(data, SEEN[bits])

    def feed_any(self, data: bytes) -> Batch:
        """Return what bytes add that are not one plain chunk."""
        if self.is_over or not data:
            return EMPTY
        if self.is_sse:
            return self.relay(self.splitter.feed(data))
        begun = self.opening.take(data)
        if begun is None:
            return Batch(b"", Seen.PING)
        if not isinstance(begun, bytes):
            return self.end(b"", 0, begun)
        self.is_sse = True
        return self.relay(self.splitter.feed(begun))

    def close(self) -> Batch:
        """
        Return what the end of the stream adds.

        Nothing after a complete one, else the fault it is.
        """
        if self.is_over:
            return EMPTY
        if self.opening.whole is not None:
            return self.close_whole(bytes(self.opening.whole))
        if not self.is_sse:
            return self.end(b"", 0, self.opening.fault_at_end())
        rest = self.splitter.rest()
        raw, bits = b"", 0
        if rest is not None and (bits := self.look(rest, is_rest=True)) > 0:
            raw = rest.raw + (b"\n" if rest.raw.endswith((b"\n", b"\r")) else b"\n\n")
        bits = abs(bits)
        self.total |= bits
        if self.fault is None:
            self.fault = self.fault_if_empty() if self.total & END else self.fault_at_end()
            raw += DONE if self.fault is None and not self.total & END else b""
        return self.end(raw, bits, self.fault)

    def close_whole(self, body: bytes) -> Batch:
        """Return a whole JSON answer as the stream that was asked for."""
        reply = read_reply(self.opening.content_type, body, self.asked, self.candidate)
        if reply.fault:
            return self.end(b"", 0, reply.fault)
        try:
            raw = as_stream(reply.raw, wants_usage=self.asked.wants_usage)
        except (ValueError, KeyError):
            return self.end(b"", 0, make_fault(FaultKind.MALFORMED, "the answer is JSON but not a chat completion"))
        self.model = reply.model
        self.minted = list(reply.minted)
        bits = START | CONTENT | FINISH | USAGE | END | (TOOL if b'"tool_calls"' in raw else 0)
        self.total |= bits
        batch = self.end(raw, bits, None)
        self.usage = reply.usage
        return batch

    def relay(self, events: list[Frame]) -> Batch:
        """Return the batch of some events; the pass ends at a fault or at `[DONE]`."""
        seen = 0
        kept = []
        for event in events:
            bits = self.look(event)
            if bits > 0:
                kept.append(event.raw)
                seen |= bits
                self.total |= bits
                if bits & END:
                    break
            elif self.fault is not None:
                break
            else:
                seen |= -bits
        self.total |= seen
        if self.splitter.is_overflowed and self.fault is None and not seen & END:
            most = self.limits.sse_line_bytes_max
            self.fault = make_fault(FaultKind.CUT, f"an event of more than {most:,} bytes", row="5.42")
        if seen & END and self.fault is None:
            self.fault = self.fault_if_empty()
        raw = kept[0] if len(kept) == 1 else b"".join(kept)
        if self.fault is not None or seen & END:
            return self.end(raw, seen, self.fault)
        return Batch(raw, SEEN[seen])

    def look(self, event: Frame, *, is_rest: bool = False) -> int:
        """
        Return an event's bits of `Seen`.

        Negative if it is not for the client, 0 with `fault` set.
        """
        data = event.data or b""
        if not event.is_simple:
            if not is_clean(event.raw):
                return self.drop(is_rest=is_rest)
            data = data.strip()
            if event.data is None:
                return PING
        if data == b"[DONE]":
            return END
        return self.look_at_json(event, data, is_rest=is_rest) if data else -PING

    def look_at_json(self, event: Frame, data: bytes, *, is_rest: bool) -> int:
        """
        Return the bits of an event's JSON.

        What is no plain chunk gets a second, wider look.
        """
        try:
            if not data.isascii():
                data.decode()
            chunk = decode_chunk(data)
        except msgspec.ValidationError:
            return self.look_at_stranger(event, data, is_rest=is_rest)
        except (ValueError, RecursionError):
            return self.drop(is_rest=is_rest)
        if chunk.error or chunk.choices is None or event.name == b"error":
            return self.look_at_stranger(event, data, chunk, is_rest=is_rest)
        return self.look_at_chunk(chunk)

    def look_at_chunk(self, chunk: Chunk) -> int:
        """
        Return the bits of a well-formed chunk.

        The usage chunk nobody asked for is not for the client.
        """
        bits = 0
        for choice in chunk.choices or ():
            delta = choice.delta or choice.message
            if delta is not None:
                found = look_at(delta)
                if found:
                    bits |= found
                    self.note(delta, found)
            if choice.text:
                bits |= CONTENT
            if choice.finish_reason:
                self.finish = choice.finish_reason
                bits |= FINISH
        if not self.model and isinstance(chunk.model, str):
            self.model = chunk.model
        usage = chunk.usage or (chunk.x_groq.usage if chunk.x_groq else None)
        if usage is not None:
            self.usage_seen = usage
            if not chunk.choices and not self.asked.wants_usage:
                return -USAGE
            bits |= USAGE
        return bits or START

    def note(self, delta: Delta, found: int) -> None:
        """Text is counted (row 55) and signatures are kept, bounded."""
        content = delta.content
        if type(content) is str:
            self.chars += len(content)
        elif content:
            collect_signatures(content, self.minted)
        if delta.reasoning_details or delta.thinking_blocks or found & TOOL:
            collect_signatures([delta.reasoning_details, delta.thinking_blocks, delta.tool_calls], self.minted)

    def look_at_stranger(self, event: Frame, data: bytes, chunk: Chunk | None = None, *, is_rest: bool = False) -> int:
        """
        Return the bits of JSON that is no plain chunk.

        An error becomes a fault, an unknown object passes.
        """
        try:
            found = msgspec.json.decode(data)
        except (ValueError, RecursionError):
            return self.drop(is_rest=is_rest)
        if not isinstance(found, dict):
            return self.drop(is_rest=is_rest)
        seen = error_in(found)
        if seen is None and (event.name == b"error" or found.get("error")):
            seen = ErrorSeen(message="an error event of unknown form")
        if seen is None:
            chunk = chunk or read_loosely(found)
            if chunk is not None and (chunk.choices is not None or chunk.usage is not None):
                return self.look_at_chunk(chunk)
            return PING
        provider = self.candidate.provider
        fault = classify_error(
            seen, provider=provider.name, model=self.candidate.model.ref.model, is_local=provider.is_local
        )
        self.fault = with_billing(fault) if self.total & CONTENT else fault
        return 0

    def drop(self, *, is_rest: bool = False) -> int:
        """
        Return a sign of life for a broken event.

        Where content would be lost it is a cut (ruling 9).
        """
        self.dropped_events += 1
        if not is_rest and (self.asked.needs.structured or self.total & TOOL):
            self.fault = make_fault(FaultKind.CUT, "a broken event inside a tool call or structured output", row="R9")
            return 0
        return -PING

    def fault_at_end(self) -> Fault | None:
        """
        Return what a stream without `[DONE]` is.

        Complete after a finish reason (row 40), else cut.
        """
        if self.total & FINISH:
            return self.fault_if_empty()
        if self.total & ~PING:
            return make_fault(FaultKind.CUT, "the stream ended without a finish reason", row="5.41")
        return make_fault(FaultKind.EMPTY_BODY, "status 200 and a stream without any event")

    def fault_if_empty(self) -> Fault | None:
        """
        Return the fault of a complete stream that said nothing (row 35).

        Some finishes explain that.
        """
        if self.total & CONTENT or self.finish in SPEAKS_WITHOUT_TEXT:
            return None
        return make_fault(FaultKind.EMPTY_ANSWER, "a whole stream without any content")

    def end(self, raw: bytes, bits: int, fault: Fault | None) -> Batch:
        """Return the last batch; the usage is settled: what was told, else an estimate."""
        self.is_over = True
        self.opening.clear()
        prompt_tokens = self.asked.needs.prompt_tokens
        if self.usage_seen is not None:
            self.usage = read_usage(self.usage_seen, prompt_tokens=prompt_tokens, answer_chars=self.chars)
        elif self.total & CONTENT:
            self.usage = estimate_usage(prompt_tokens=prompt_tokens, answer_chars=self.chars)
        return Batch(raw, SEEN[bits], fault)


def is_text(chunk: Chunk, choice: Choice, delta: Delta) -> bool:
    """Return whether a chunk is text and nothing else that matters here."""
    return (
        type(delta.content) is str
        and delta.content != ""
        and chunk.usage is None
        and chunk.x_groq is None
        and not choice.finish_reason
        and not delta.tool_calls
        and not delta.function_call
        and not delta.reasoning_details
        and not delta.thinking_blocks
    )


def is_clean(raw: bytes) -> bool:
    """Return whether an event's bytes are UTF-8 text without NUL."""
    if b"\0" in raw:
        return False
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
