"""What a chat completion can say comes back as it went: requests, and the events of a stream."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from everup.shapes.chat import ChatRequest, Message, StopReason
from everup.shapes.events import Usage
from everup.shapes.stream import (
    BlockEnded,
    Ended,
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
from everup.wires.framing import SseSplitter
from tests.wires.openai_chat.chats import OPENROUTER, check_order, maybe, messages, requests, texts
from tests.wires.support import LIMITS, STREAMED, WIRE, candidate

PIECES = st.sampled_from([["{}"], ['{"a', '":1}'], [" ", '{"a": "}"', "}"], ['{"a":{}', "}", " "]])
USAGES = st.builds(
    lambda counts, output, reasoning: Usage(
        input_tokens=sum(counts),
        cached_tokens=counts[0],
        cache_write_tokens=counts[1],
        output_tokens=output + reasoning,
        reasoning_tokens=reasoning,
    ),
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    st.integers(0, 9),
    st.integers(0, 9),
)


@given(requests)
def test_a_request_comes_back_as_it_was(request: ChatRequest) -> None:
    """A request of every field this wire has is the same after it was written and read."""
    written = WIRE.write_chat(request, OPENROUTER, foreign=None)
    assert ((), None) == (written.dropped, written.fault)
    asked = WIRE.read_request(written.body, LIMITS)
    assert request == WIRE.read_chat(asked)


@given(requests, st.lists(messages, min_size=1, max_size=2), st.booleans())
def test_a_longer_conversation_begins_with_the_shorter(
    request: ChatRequest,
    more: list[Message],
    is_openrouter: bool,  # noqa: FBT001  # hypothesis gives it
) -> None:
    """The bytes of a conversation up to its last turn are also the first bytes of every longer one."""
    to = OPENROUTER if is_openrouter else candidate()
    bare = ChatRequest(messages=request.messages)
    short = WIRE.write_chat(bare, to, foreign=None).body
    longer = structs.replace(request, messages=(*request.messages, *more))
    assert short.endswith(b"]}")
    assert WIRE.write_chat(longer, to, foreign=None).body.startswith(short[:-2])
    assert WIRE.write_chat(longer, to, foreign=None) == WIRE.write_chat(longer, to, foreign=None)


def said(kind: str, pieces: list[str], signature: str) -> list[StreamEvent]:
    """Return one block of events."""
    match kind:
        case "thinking":
            told: list[StreamEvent] = [ThinkingDelta(piece) for piece in pieces]
            return [*told, ThinkingDelta(signature=signature or "s"), BlockEnded()]
        case "hidden":
            return [ThinkingDelta(hidden=signature or "h"), BlockEnded()]
        case _:
            return [*(TextDelta(piece, kind == "refusal") for piece in pieces), BlockEnded()]


@st.composite
def streams(draw: st.DrawFn) -> list[StreamEvent]:
    """Return the events of one answer that this wire can say."""
    events: list[StreamEvent] = [Started("chatcmpl-" + draw(texts), draw(texts))]
    last, place = "", 0
    for kind in draw(st.lists(st.sampled_from(["text", "refusal", "thinking", "hidden", "call"]), max_size=6)):
        if kind == "call":
            events.append(ToolCallStarted(place, draw(texts), draw(texts)))
            events += [ToolCallDelta(place, piece) for piece in draw(PIECES)]
            events.append(BlockEnded())
            place += 1
        elif kind != last or kind in {"thinking", "hidden"}:
            events += said(kind, draw(st.lists(texts, min_size=1, max_size=3)), draw(maybe))
        last = kind
    if draw(st.booleans()):
        events.append(UsageSeen(draw(USAGES)))
    end = StopReason.TOOL if place else StopReason.END
    stop = draw(st.sampled_from([end, StopReason.LENGTH, StopReason.FILTER]))
    return [*events, Finished(stop), Ended()]


def written(events: list[StreamEvent], **asked: Any) -> bytes:
    """Return the stream of some events."""
    writer = WIRE.open_writer(structs.replace(STREAMED, **asked), created_unix_s=1)
    return writer.write(events) + writer.end()


def read(stream: bytes) -> list[StreamEvent]:
    """Return the events of a stream, without mere signs of life."""
    reader = WIRE.open_reader(None, candidate())
    told: list[StreamEvent] = []
    for frame in SseSplitter(LIMITS.sse_line_bytes_max).feed(stream):
        told += reader.read(frame) or []
    return [event for event in told if not isinstance(event, Pinged)]


@given(streams())
def test_a_stream_comes_back_as_it_was(events: list[StreamEvent]) -> None:
    """The events of an answer are the same after they were written as chunks and read again."""
    check_order(events)
    assert events == read(written(events))


@settings(max_examples=50)
@given(streams())
def test_events_one_by_one_are_the_same_bytes(events: list[StreamEvent]) -> None:
    """How many events are written at once changes nothing."""
    writer = WIRE.open_writer(STREAMED, created_unix_s=1)
    assert written(events) == b"".join([writer.write([event]) for event in events]) + writer.end()
