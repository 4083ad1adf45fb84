"""A streamed answer is the sequence of events that this wire promises, and that the official SDK reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.policy.faults import make_fault
from everup.shapes.chat import StopReason
from everup.shapes.events import Usage
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
from everup.wires.anthropic.stream_out import Writer
from everup.wires.framing import SseSplitter
from tests.wires.anthropic.client import LIMITS, ask

ASKED = ask(model="asked-for", stream=True)
START = Started("msg_1", "claude-x")
USAGE = Usage(input_tokens=100, output_tokens=20, cached_tokens=30, cache_write_tokens=10, reasoning_tokens=5)
COUNTS = {
    "input_tokens": 60,
    "cache_creation_input_tokens": 10,
    "cache_read_input_tokens": 30,
    "output_tokens": 20,
    "output_tokens_details": {"thinking_tokens": 5},
}
ZEROS = {
    "input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 0,
}
FULL: list[StreamEvent] = [
    START,
    ThinkingDelta("hm"),
    ThinkingDelta(" so", "s=="),
    BlockEnded(),
    ThinkingDelta(hidden="d=="),
    BlockEnded(),
    TextDelta("It "),
    TextDelta("is."),
    BlockEnded(),
    ToolCallStarted(0, "toolu_1", "f"),
    ToolCallDelta(0, '{"a"'),
    ToolCallDelta(0, ": 1}"),
    BlockEnded(),
    UsageSeen(USAGE),
    Finished(StopReason.TOOL),
]


def read(raw: bytes) -> list[Any]:
    """Return the JSON of each event; every one is named after its type."""
    splitter = SseSplitter(LIMITS.sse_line_bytes_max)
    frames = splitter.feed(raw)
    assert splitter.rest() is None
    found = [json.loads(frame.data or b"") for frame in frames]
    assert [frame.name.decode() for frame in frames] == [event["type"] for event in found]
    return found


def written(*events: StreamEvent) -> list[Any]:
    """Return the events of a stream, each written by itself, and its end."""
    writer = Writer(ASKED, created_unix_s=1)
    return read(b"".join(writer.write([event]) for event in events) + writer.end())


def block(*events: StreamEvent) -> list[Any]:
    """Return what stands between the start of a stream and its end, for the events of one block."""
    return written(START, *events, BlockEnded())[1:-2]


def ending(*events: StreamEvent) -> Any:
    """Return the `message_delta` of a stream."""
    found = written(START, *events)
    assert {"type": "message_stop"} == found[-1]
    assert "message_delta" == found[-2]["type"]
    return found[-2]


def test_start() -> None:
    """A stream starts with the message: its id and model, nothing in it yet."""
    expected = {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": ZEROS,
        },
    }
    assert expected == written(START)[0]


def test_start_is_sent_at_once() -> None:
    """A client sees the start with the batch that brings it."""
    writer = Writer(ASKED, created_unix_s=1)
    assert b"" == writer.write([Pinged()])
    assert ["message_start"] == [event["type"] for event in read(writer.write([START]))]
    assert b"" == writer.write([Pinged()])


def test_start_tells_the_usage_known_by_then() -> None:
    """Input tokens that come beside the start are told in it."""
    writer = Writer(ASKED, created_unix_s=1)
    (start,) = read(writer.write([START, UsageSeen(USAGE)]))
    assert COUNTS == start["message"]["usage"]


def test_start_comes_whatever_happens() -> None:
    """A stream whose reader never said that it began, still begins and ends."""
    assert ["message_start", "message_delta", "message_stop"] == [event["type"] for event in written()]
    kinds = [event["type"] for event in written(TextDelta("a"))]
    assert ["message_start", "content_block_start", "content_block_delta", "content_block_stop"] == kinds[:4]


def test_text() -> None:
    """Text is one block, opened by its first words."""
    expected = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a\n\u00e9"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '"b"'}},
        {"type": "content_block_stop", "index": 0},
    ]
    assert expected == block(TextDelta("a\n\u00e9"), TextDelta(""), TextDelta('"b"'))


def test_thinking() -> None:
    """Thinking is one block: its words, then its signature."""
    expected = [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s=="}},
        {"type": "content_block_stop", "index": 0},
    ]
    assert expected == block(ThinkingDelta("hm"), ThinkingDelta(signature="s=="))
    assert expected == block(ThinkingDelta("hm", "s=="))


def test_thinking_that_is_not_shown() -> None:
    """Thinking may be a signature alone."""
    kinds = [event.get("delta", {}).get("type") for event in block(ThinkingDelta(signature="s"))]
    assert [None, "signature_delta", None] == kinds


def test_hidden_thinking() -> None:
    """Hidden thinking is a block that comes whole."""
    expected = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "d=="}},
        {"type": "content_block_stop", "index": 0},
    ]
    assert expected == block(ThinkingDelta(hidden="d=="))


def test_tool_call() -> None:
    """A call is one block: its id and name, then its arguments as they come."""
    expected = [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "call_1", "name": "f", "input": {}},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": " "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "null"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "}"}},
        {"type": "content_block_stop", "index": 0},
    ]
    pieces = [ToolCallDelta(0, piece) for piece in ("", '{"a":', " ", "null", "}")]
    assert expected == block(ToolCallStarted(0, "call_1", "f"), *pieces)


@pytest.mark.parametrize("arguments", ["", " ", "null"])
def test_tool_call_without_arguments(arguments: str) -> None:
    """A call without arguments has none in its stream: its start says `{}`."""
    found = block(ToolCallStarted(0, "c", "f"), ToolCallDelta(0, arguments))
    assert ["content_block_start", "content_block_stop"] == [event["type"] for event in found]


def test_the_second_call_without_arguments() -> None:
    """What one call said does not count for the next."""
    found = block(
        ToolCallStarted(0, "c", "f"),
        ToolCallDelta(0, "{}"),
        BlockEnded(),
        ToolCallStarted(1, "d", "g"),
        ToolCallDelta(1, "null"),
    )
    assert ["content_block_start", "content_block_stop"] == [event["type"] for event in found[3:]]


def test_blocks_are_counted_without_gaps() -> None:
    """Each block has the next index, whatever its kind, and is closed before another begins."""
    found = written(*FULL)[1:-2]
    kinds = [(event["type"].removeprefix("content_block_"), event["index"]) for event in found]
    starts = [index for kind, index in kinds if kind == "start"]
    assert [0, 1, 2, 3] == starts
    assert kinds == sorted(kinds, key=lambda pair: pair[1])
    assert [("stop", 0), ("start", 1)] == kinds[4:6]


def test_neighbours_of_one_kind_stay_apart() -> None:
    """A block that has ended is closed at once, and the next is another even if it is of the same kind."""
    writer = Writer(ASKED, created_unix_s=1)
    writer.write([START, TextDelta("a")])
    assert [{"type": "content_block_stop", "index": 0}] == read(writer.write([BlockEnded()]))
    assert [1, 1] == [event["index"] for event in read(writer.write([TextDelta("b")]))]


@pytest.mark.parametrize("second", [TextDelta("b"), ThinkingDelta("b"), ToolCallStarted(0, "c", "f")])
@pytest.mark.parametrize("first", [TextDelta("a"), ThinkingDelta("a"), ToolCallStarted(0, "c", "f")])
def test_an_open_block_is_closed(first: StreamEvent, second: StreamEvent) -> None:
    """A block that nobody ended is closed by the next of another kind, and by the end."""
    found = written(START, first, second)[1:-2]
    opened = [event["index"] for event in found if event["type"] == "content_block_start"]
    closed = [event["index"] for event in found if event["type"] == "content_block_stop"]
    assert opened == closed == list(range(len(opened)))
    same = type(first) is type(second) and not isinstance(first, ToolCallStarted)
    assert len(opened) == (1 if same else 2)


def test_end_tells_reason_and_usage() -> None:
    """The end tells why, by which sequence, and all that was used, the input repeated."""
    expected = {
        "type": "message_delta",
        "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
        "usage": COUNTS,
    }
    assert expected == ending(TextDelta("a"), Finished(StopReason.SEQUENCE, "END"), UsageSeen(USAGE))


def test_end_without_usage() -> None:
    """Where nobody told the usage, zeros are told."""
    found = ending(TextDelta("a"), Finished(StopReason.END))
    assert ({"stop_reason": "end_turn", "stop_sequence": None}, ZEROS) == (found["delta"], found["usage"])


def test_the_last_usage_counts() -> None:
    """A later usage replaces an earlier one."""
    found = ending(UsageSeen(Usage(output_tokens=1)), TextDelta("a"), UsageSeen(USAGE))
    assert COUNTS == found["usage"]


def test_calls_and_refusals_are_the_reason() -> None:
    """A stream with calls or a refusal that says it just ended, is told by them."""
    end = Finished(StopReason.END)
    assert "tool_use" == ending(ToolCallStarted(0, "c", "f"), BlockEnded(), end)["delta"]["stop_reason"]
    assert "refusal" == ending(TextDelta("No.", is_refusal=True), BlockEnded(), end)["delta"]["stop_reason"]


def test_nothing_ends_before_its_end() -> None:
    """No end of a message is written before the stream is known to be complete."""
    writer = Writer(ASKED, created_unix_s=1)
    raw = writer.write([*FULL, Ended()])
    assert b"message_delta" not in raw
    assert b"message_stop" not in raw


@pytest.mark.parametrize("event", [Ended(), Pinged(), Failed(make_fault(FaultKind.CUT))])
def test_signs_say_nothing(event: StreamEvent) -> None:
    """The provider's end, signs of life and faults have no bytes here."""
    writer = Writer(ASKED, created_unix_s=1)
    writer.write([START])
    assert b"" == writer.write([event])


def test_batches_are_written_alike() -> None:
    """Events give the same bytes one by one and all at once."""
    once, single = Writer(ASKED, created_unix_s=1), Writer(ASKED, created_unix_s=1)
    assert once.write(FULL) == b"".join(single.write([event]) for event in FULL)


def test_id_and_model_of_another_wire() -> None:
    """An id of another wire gets this wire's shape, a missing model is the one asked for."""
    message = written(Started("chatcmpl-1", ""))[0]["message"]
    assert message["id"].startswith("msg_")
    assert "asked-for" == message["model"]


ANY = st.one_of(
    st.builds(TextDelta, st.text(max_size=5), st.booleans()),
    st.builds(ThinkingDelta, st.text(max_size=5), st.text(max_size=5), st.text(max_size=2)),
    st.builds(ToolCallStarted, st.integers(0, 3), st.text(max_size=5), st.text(max_size=5)),
    st.builds(ToolCallDelta, st.integers(0, 3), st.text(max_size=5)),
    st.builds(Finished, st.sampled_from(StopReason), st.text(max_size=3)),
    st.sampled_from([START, BlockEnded(), UsageSeen(USAGE), Pinged()]),
)


@given(st.lists(ANY, max_size=25))
def test_any_events_give_a_lawful_stream(events: list[StreamEvent]) -> None:
    """Whatever comes in whatever order, blocks are opened, filled and closed one after another."""
    found = written(*events)
    assert "message_start" == found[0]["type"]
    assert ["message_delta", "message_stop"] == [event["type"] for event in found[-2:]]
    open_index, following = None, 0
    for event in found[1:-2]:
        kind = event["type"].removeprefix("content_block_")
        if kind == "start":
            assert (None, following) == (open_index, event["index"])
            open_index, following = event["index"], following + 1
        else:
            assert event["index"] == open_index
            open_index = None if kind == "stop" else open_index
    assert open_index is None


def test_the_official_types_accept_it() -> None:
    """The official SDK's own types read every event of a full stream, nothing missing and nothing coerced."""
    types = pytest.importorskip("anthropic.types", reason="the anthropic SDK is not installed")
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(types.RawMessageStreamEvent)
    for event in written(*FULL):
        adapter.validate_json(json.dumps(event), strict=True)
