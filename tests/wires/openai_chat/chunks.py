"""
A provider's chunks as the tests of the reader write them, and the events that are read from them.

Lives here: builders and one run through a reader. Must not: tests.
"""

from __future__ import annotations

from typing import Any

from everup.shapes.chat import ChatRequest, Message, Role, StopReason, Text
from everup.shapes.stream import BlockEnded, Ended, Finished, Pinged, Started, StreamEvent
from everup.wires.base import StreamReader
from everup.wires.framing import read_event
from tests.wires.openai_chat.chats import check_order, frame
from tests.wires.support import WIRE, candidate

CHAT = ChatRequest(messages=(Message(Role.USER, (Text("hi"),)),) * 2)
DONE = read_event(b"data: [DONE]\n\n")
START, END = Started("c", "m-1"), BlockEnded()
REASONED = [Finished(StopReason.END), Ended()]
CALLED = [END, Finished(StopReason.TOOL), Ended()]


def reader() -> StreamReader:
    """Return a reader."""
    return WIRE.open_reader(CHAT, candidate())


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """Return a chunk of one choice."""
    return {"id": "c", "model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def piece(index: int | None = 0, call_id: str = "", name: str = "", arguments: object = "") -> dict[str, Any]:
    """Return a chunk with a piece of a tool call; what is empty is absent."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value != ""}
    row: dict[str, Any] = {"function": function}
    if index is not None:
        row["index"] = index
    if call_id:
        row["id"] = call_id
    return chunk(tool_calls=[row])


def read(*chunks: dict[str, Any], finish: str | None = "stop", is_done: bool = True) -> list[StreamEvent]:
    """Return the events of a stream, in order; with `is_done` its finish and its end are added."""
    stream = reader()
    told: list[StreamEvent] = []
    for each in (*chunks, *([chunk(finish)] if is_done and finish else [])):
        told += stream.read(frame(**each)) or []
    told += (stream.read(DONE) or []) if is_done else stream.close()
    check_order(told)
    return [event for event in told if not isinstance(event, Pinged)]
