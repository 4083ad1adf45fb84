"""A streamed answer of an Ollama server is read line by line, in the order that the events promise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.shapes.chat import Reasoning, StopReason
from everup.shapes.events import Batch, Seen, Usage
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
from everup.wires.mint import mint_call_id
from everup.wires.ollama.stream_in import Reader
from everup.wires.passage import Passage
from tests.wires.ollama.make import LIMITS, NDJSON, WIRE, ask, call, candidate, chat, frame, line, read, say

STARTED = Started("", "qwen3:8b")
COUNTS = {"prompt_eval_count": 26, "eval_count": 7}
USAGE = UsageSeen(Usage(input_tokens=26, output_tokens=7))
END = [Finished(StopReason.END), Ended()]


def test_text() -> None:
    """Pieces of text are one block, the last line tells why it ended and what it took."""
    lines = (line(content="Hel"), line(content="lo"), line("stop", content="", counts=COUNTS))
    assert [STARTED, TextDelta("Hel"), TextDelta("lo"), BlockEnded(), USAGE, *END] == read(*lines)


def test_text_in_the_last_line() -> None:
    """A whole answer in one line is the same events."""
    assert [STARTED, TextDelta("4"), BlockEnded(), USAGE, *END] == read(line("stop", content="4", counts=COUNTS))


def test_thinking_is_a_block_before_the_text() -> None:
    """Thinking is a block of its own that ends where text begins, even inside one line."""
    lines = (line(thinking="h", content=""), line(thinking="m", content="4"), line("stop", content=""))
    assert [STARTED, ThinkingDelta("h"), ThinkingDelta("m"), BlockEnded(), TextDelta("4"), BlockEnded(), *END] == read(
        *lines
    )


def test_thinking_can_be_left_out() -> None:
    """Thinking that a client asked not to see is a sign of life only."""
    request = chat(reasoning=Reasoning(is_shown=False))
    lines = (line(thinking="h"), line(thinking="m"), line("stop", content="4"))
    assert [STARTED, Pinged(), TextDelta("4"), BlockEnded(), *END] == read(*lines, request=request)


def test_calls_come_whole_in_any_line() -> None:
    """Tool calls are counted over all lines, each a block, and make the end a wish for their results."""
    request = chat(say("a"), say("b"), say("c"))
    lines = (
        line(content="wait"),
        line(content="", tool_calls=[call("f", {"a": 1}, id="call_a"), call("g")]),
        line("stop", content="", tool_calls=[call("h", '{"b":2}')]),
    )
    assert [
        STARTED,
        TextDelta("wait"),
        BlockEnded(),
        ToolCallStarted(0, "call_a", "f"),
        ToolCallDelta(0, '{"a": 1}'),
        BlockEnded(),
        ToolCallStarted(1, mint_call_id(3, 1, "g", "{}"), "g"),
        ToolCallDelta(1, "{}"),
        BlockEnded(),
        ToolCallStarted(2, mint_call_id(3, 2, "h", '{"b":2}'), "h"),
        ToolCallDelta(2, '{"b":2}'),
        BlockEnded(),
        Finished(StopReason.TOOL),
        Ended(),
    ] == read(*lines, request=request)


def test_text_after_a_call_is_a_new_block() -> None:
    """A block that a call ended is not continued behind it."""
    kinds = [type(event) for event in read(line(content="a"), line(tool_calls=[call()]), line("stop", content="b"))]
    assert [TextDelta, BlockEnded, ToolCallStarted, ToolCallDelta, BlockEnded, TextDelta, BlockEnded] == kinds[1:-2]


@pytest.mark.parametrize(
    ("word", "stop"), [("stop", StopReason.END), ("length", StopReason.LENGTH), ("load", StopReason.END)]
)
def test_reason(word: str, stop: StopReason) -> None:
    """Each reason of a last line is read."""
    assert Finished(stop) == read(line(word, content="4"))[-2]


def test_a_prompt_in_the_cache_is_estimated() -> None:
    """A last line without the prompt's tokens tells an estimate of them."""
    events = read(line("stop", content="4", counts={"eval_count": 1}), request=chat(say("12345678")))
    assert UsageSeen(Usage(input_tokens=2, output_tokens=1, is_estimated=True)) in events


def test_a_cut_stream_has_no_reason() -> None:
    """The end of the connection ends what was open and invents no reason."""
    assert [STARTED, TextDelta("a"), BlockEnded()] == read(line(content="a"))
    assert [] == Reader(None, candidate()).close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("llama runner process has terminated: signal: killed", FaultKind.OUT_OF_MEMORY),
        ("an error was encountered while running the model: unexpected EOF", FaultKind.SERVER_ERROR),
        ('{"error":{"code":400,"message":"no","type":"exceed_context_size_error"}}', FaultKind.CONTEXT_OVERFLOW),
        ({"message": "server busy, please try again.  maximum pending requests exceeded"}, FaultKind.OVERLOADED),
        (["odd"], FaultKind.SERVER_ERROR),
    ],
)
def test_an_error_in_the_stream(error: object, kind: FaultKind) -> None:
    """An error line breaks the answer by what it says."""
    for raw in (json.dumps({"error": error}), json.dumps({"error": error, "message": 7})):
        events = read(line(content="a"), raw.encode() + b"\n")
        assert isinstance(events[2], Failed)
        assert kind is events[2].fault.kind


def test_a_proxys_error_in_the_stream() -> None:
    """An error in the envelope of a proxy before the server breaks the answer too."""
    events = read(line(content="a"), b'{"detail":"overloaded"}\n')
    assert isinstance(events[2], Failed)
    assert FaultKind.OVERLOADED is events[2].fault.kind


@pytest.mark.parametrize("raw", [b"{", b"7", b"[]", b'"a"', b"null", b'{"message":{"content":"\xff"}}', b"[" * 5000])
def test_a_broken_line(raw: bytes) -> None:
    """A line that is no JSON object is broken."""
    assert None is Reader(None, candidate()).read(frame(raw))


@pytest.mark.parametrize("raw", [b'{"message":"a"}', b'{"done":"yes"}', b'{"message":{"content":[1]}}'])
def test_an_odd_line_is_a_sign_of_life(raw: bytes) -> None:
    """A line of unknown form says nothing."""
    assert [Pinged()] == Reader(None, candidate()).read(frame(raw))


def test_an_empty_line_of_a_begun_stream_is_a_sign_of_life() -> None:
    """A line without anything in it starts the answer once and then says nothing."""
    assert [STARTED, Pinged()] == read(line(content=""), line(content=""))


MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "content": st.text(max_size=5),
        "thinking": st.text(max_size=5),
        "tool_calls": st.lists(st.builds(lambda name: call(name, {"k": name}), st.text(max_size=3)), max_size=2),
    },
)


def promised(events: list[StreamEvent]) -> list[str]:
    """Return what breaks the order that `shapes.stream` promises."""
    broken, block = [], None
    for place, event in enumerate(events):
        opens = {TextDelta: "text", ThinkingDelta: "thinking", ToolCallStarted: "call", ToolCallDelta: "call"}
        kind = opens.get(type(event))
        if (type(event) is Started) != (place == 0):
            broken.append(f"{place}: {event} is not the start")
        if kind and block not in {None, kind}:
            broken.append(f"{place}: {event} in a block of {block}")
        if isinstance(event, BlockEnded) and block is None:
            broken.append(f"{place}: no block to end")
        if isinstance(event, UsageSeen | Finished | Ended) and block is not None:
            broken.append(f"{place}: {event} in an open block")
        block = None if isinstance(event, BlockEnded) else kind or block
    return broken


@given(messages=st.lists(MESSAGES, max_size=6), last=MESSAGES)
def test_order_is_kept(messages: list[dict[str, Any]], last: dict[str, Any]) -> None:
    """Whatever a server sends, the events keep the promised order, and reading it again gives the same."""
    lines = [*(line(**each) for each in messages), line("stop", **last)]
    events = read(*lines)
    assert [] == promised(events)
    assert events == read(*lines)
    texts = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert "".join(each.get("content", "") for each in (*messages, last)) == texts


STREAM = b"".join(
    [
        line(thinking="hm\n"),
        line(content="é€😀"),
        line(content="\r\n"),
        line(tool_calls=[call("f", {"a": "\n"})]),
        line("stop", content="", counts=COUNTS),
    ]
)


def pass_on(data: bytes, sizes: list[int]) -> tuple[Batch, bytes, int]:
    """Return the last batch, the bytes for a client of this wire, and what was seen, cut into such pieces."""
    passage = Passage(WIRE, WIRE, ask(), None, candidate(), NDJSON, LIMITS)
    raw, seen, start = b"", Seen.NOTHING, 0
    batch = Batch()
    for size in [*sizes, len(data)]:
        batch = passage.feed(data[start : start + size])
        raw, seen, start = raw + batch.raw, seen | batch.seen, start + size
        if batch.fault:
            return batch, raw, int(seen)
    last = passage.close()
    return last if last.fault else batch, raw + last.raw, int(seen | last.seen)


@given(sizes=st.lists(st.integers(1, 60), max_size=40))
def test_any_cut_gives_the_same(sizes: list[int]) -> None:
    """Wherever the network cuts a stream, a client of the same wire gets its very bytes."""
    batch, raw, seen = pass_on(STREAM, sizes)
    assert (None, STREAM) == (batch.fault, raw)
    assert seen & Seen.TOOL
    assert seen & Seen.END


@given(cut=st.integers(0, len(STREAM) - 2))
def test_a_cut_stream_is_a_fault(cut: int) -> None:
    """A stream that ends before its last line is cut, empty at its very begin, never complete."""
    batch, _, _ = pass_on(STREAM[:cut], [])
    assert batch.fault is not None
    assert batch.fault.kind in {FaultKind.CUT, FaultKind.EMPTY_BODY, FaultKind.EMPTY_ANSWER, FaultKind.MALFORMED}
