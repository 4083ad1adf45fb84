"""A streamed answer is written as the lines that a client of `/api/chat` reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ollama import ChatResponse

from everup.shapes.chat import StopReason
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
from everup.wires.base import StreamWriter
from tests.wires.ollama.make import CREATED, CREATED_UNIX_S, WIRE, ask

STARTED = Started("x", "m-1")
LAST = {"done": True, "done_reason": "stop"}


def open_writer() -> StreamWriter:
    """Return a writer."""
    return WIRE.open_writer(ask(model="mine"), created_unix_s=CREATED_UNIX_S)


def lines(*events: StreamEvent) -> list[dict[str, Any]]:
    """Return the lines of some events and the end, each read by the official SDK too."""
    writer = open_writer()
    raw = b"".join(writer.write([event]) for event in events) + writer.end()
    assert raw.endswith(b"\n")
    together = open_writer()
    assert raw == together.write(list(events)) + together.end()
    found = [json.loads(each) for each in raw.splitlines()]
    for each in found:
        assert each.items() >= ChatResponse(**each).model_dump(exclude_none=True, exclude={"message"}).items()
        assert CREATED == each["created_at"]
    return found


def messages(*events: StreamEvent) -> list[dict[str, Any]]:
    """Return the messages of all lines but the last."""
    found = lines(*events)
    assert [False] * (len(found) - 1) + [True] == [each["done"] for each in found]
    assert {"role": "assistant", "content": ""} == found[-1]["message"]
    return [each["message"] for each in found[:-1]]


def test_text() -> None:
    """Each piece of text is a line; the last one tells the reason and the tokens."""
    usage = UsageSeen(Usage(input_tokens=9, output_tokens=2))
    events = (STARTED, TextDelta("é\n"), TextDelta('"'), BlockEnded(), usage, Finished(StopReason.LENGTH), Ended())
    found = lines(*events)
    assert {
        "model": "m-1",
        "created_at": CREATED,
        "message": {"role": "assistant", "content": "é\n"},
        "done": False,
    } == found[0]
    assert '"' == found[1]["message"]["content"]
    last = {"done": True, "done_reason": "length", "prompt_eval_count": 9, "eval_count": 2}
    assert {"model": "m-1", "created_at": CREATED, "message": {"role": "assistant", "content": ""}, **last} == found[2]


def test_what_is_not_known() -> None:
    """Without a model's name the client's is told, without tokens or a reason an end is."""
    created = {"model": "mine", "created_at": CREATED, "message": {"role": "assistant", "content": ""}}
    assert [{**created, **LAST}] == lines(Started())
    assert [{**created, **LAST}] == lines()


def test_thinking() -> None:
    """Each piece of thinking is a line; a signature or hidden thinking cannot be told."""
    events = (ThinkingDelta("hm"), ThinkingDelta(signature="s"), ThinkingDelta(hidden="x"), BlockEnded())
    assert [{"role": "assistant", "content": "", "thinking": "hm"}] == messages(*events)


def test_calls_are_whole() -> None:
    """A tool call is one line once it is complete, its arguments an object without line ends."""
    events = (
        TextDelta("wait"),
        BlockEnded(),
        ToolCallStarted(0, "call_1", "f"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(0, "\n1}"),
        BlockEnded(),
        ToolCallStarted(1, "call_2", "g"),
        BlockEnded(),
        Finished(StopReason.TOOL),
    )
    first = {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}
    second = {"id": "call_2", "function": {"index": 1, "name": "g", "arguments": {}}}
    assert [
        {"role": "assistant", "content": "wait"},
        {"role": "assistant", "content": "", "tool_calls": [first]},
        {"role": "assistant", "content": "", "tool_calls": [second]},
    ] == messages(*events)


def test_a_call_left_open_is_written_at_the_end() -> None:
    """A call whose end was not told is written before the last line."""
    found = messages(ToolCallStarted(0, "call_1", "f"), ToolCallDelta(0, "{}"))
    assert ["f"] == [each["function"]["name"] for each in found[0]["tool_calls"]]


@pytest.mark.parametrize("event", [Pinged(), Ended(), BlockEnded(), STARTED, Finished(StopReason.END)])
def test_what_says_nothing(event: StreamEvent) -> None:
    """Events without content of their own are no line."""
    assert b"" == open_writer().write([event])


def test_a_sign_of_life_breaks_no_line() -> None:
    """What keeps a waiting client alive may stand before any line."""
    writer = open_writer()
    raw = WIRE.keep_alive + writer.write([TextDelta("4")]) + WIRE.keep_alive * 3 + writer.end()
    assert ["4", ""] == [json.loads(each)["message"]["content"] for each in raw.splitlines()]
