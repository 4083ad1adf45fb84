"""
What the tests of this wire's upstream side share: candidates, requests in no wire's words, frames and their events.

Lives here: builders. Must not: tests.
"""

from __future__ import annotations

import json
from typing import Any

from everup.shapes.chat import ChatRequest, Encoded, Message, Part, Role, StopReason, Text, Tool, ToolCall, ToolResult
from everup.shapes.events import Usage
from everup.shapes.fault import Fault, FaultKind
from everup.shapes.route import CacheMode, Candidate, Model, ModelRef, Profile, Provider
from everup.shapes.stream import BlockEnded, Ended, Finished, Pinged, Started, StreamEvent, UsageSeen
from everup.wires.anthropic.request_out import write_chat
from everup.wires.anthropic.stream_in import Reader
from everup.wires.framing import SseSplitter

OLD = "claude-3-haiku-20240307"
BUDGET = "claude-sonnet-4-5"
MIDDLE = "claude-opus-4-6"
ADAPTIVE = "claude-opus-4-8"
DEFAULT_ON = "claude-opus-5"
NEWEST = "claude-opus-5-5"
PLAIN = "some-local-model"
"""One model of each kind that the table of families tells apart."""


def candidate(
    model: str = BUDGET,
    *,
    quirks: frozenset[str] = frozenset(),
    cache: CacheMode = CacheMode.CLIENT,
    **fields: Any,
) -> Candidate:
    """Return a candidate of a provider called `anthropic`; everup marks nothing for its cache unless told to."""
    return Candidate(
        index=0,
        provider=Provider(
            name="anthropic", wire="anthropic", base_url="https://provider.example/v1", quirks=quirks, cache=cache
        ),
        model=Model(ref=ModelRef("anthropic", model), **fields),
        profile=Profile(id="a", provider="anthropic"),
    )


def system(text: str = "Be brief.") -> Message:
    """Return instructions."""
    return Message(Role.SYSTEM, (Text(text),))


def user(*parts: Part | str) -> Message:
    """Return a user's turn."""
    return Message(Role.USER, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def model(*parts: Part | str) -> Message:
    """Return a model's turn."""
    return Message(Role.ASSISTANT, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def call(call_id: str = "toolu_1", name: str = "f", arguments: str = '{"a": 1}') -> ToolCall:
    """Return a tool call."""
    return ToolCall(id=call_id, name=name, arguments=arguments)


def result(*parts: Any, call_id: str = "toolu_1", **fields: Any) -> Message:
    """Return a tool's result."""
    said = tuple(Text(part) if isinstance(part, str) else part for part in parts)
    return Message(Role.TOOL, (ToolResult(id=call_id, parts=said, **fields),))


TOOL = Tool(name="f", description="Does it.")
HI = user("hi")


def encoded(*messages: Message, to: Candidate | str = BUDGET, foreign: Any = None, **fields: Any) -> Encoded:
    """Return what an upstream is sent for a conversation (`hi` if none is given)."""
    target = candidate(to) if isinstance(to, str) else to
    return write_chat(ChatRequest(messages=messages or (HI,), **fields), target, foreign=foreign)


def body(*messages: Message, **fields: Any) -> dict[str, Any]:
    """Return the body an upstream is sent."""
    sent = encoded(*messages, **fields)
    assert sent.fault is None, sent.fault.message
    found = json.loads(sent.body)
    assert isinstance(found, dict)
    return found


def blocks(*messages: Message, **fields: Any) -> list[Any]:
    """Return the blocks of the only turn of a conversation."""
    (turn,) = body(*messages, **fields)["messages"]
    return list(turn["content"])


def dropped(*messages: Message, **fields: Any) -> tuple[str, ...]:
    """Return the names of what a body could not hold."""
    sent = encoded(*messages, **fields)
    assert sent.fault is None, sent.fault.message
    return sent.dropped


def refused(*messages: Message, **fields: Any) -> Fault:
    """Return the fault of what this wire cannot hold."""
    fault = encoded(*messages, **fields).fault
    assert fault is not None
    assert fault.kind is FaultKind.UNSUPPORTED
    return fault


# Streams.


def event(kind: str, **fields: Any) -> bytes:
    """Return one event's bytes."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def begun(**usage: int) -> bytes:
    """Return the begin of a message."""
    counts = {"input_tokens": 9, "output_tokens": 1, **usage}
    return event("message_start", message={"id": "msg_1", "model": "claude-x", "content": [], "usage": counts})


def opened(index: int = 0, kind: str = "text", **fields: Any) -> bytes:
    """Return the begin of a block."""
    return event("content_block_start", index=index, content_block={"type": kind, **fields})


def delta(index: int = 0, kind: str = "text_delta", **fields: Any) -> bytes:
    """Return more of a block."""
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def closed(index: int = 0) -> bytes:
    """Return the end of a block."""
    return event("content_block_stop", index=index)


def ended(reason: str | None = "end_turn", sequence: str | None = None, **usage: int) -> bytes:
    """Return the end of a message."""
    counts = {"output_tokens": 5, **usage}
    return event("message_delta", delta={"stop_reason": reason, "stop_sequence": sequence}, usage=counts)


LAST = event("message_stop")
PING = event("ping")


def hear(*parts: bytes, chat: ChatRequest | None = None, to: str = BUDGET) -> list[StreamEvent | None]:
    """Return the events of a stream and of its end; None stands for a broken frame."""
    reader = Reader(chat or ChatRequest(messages=(HI,)), candidate(to))
    return heard(reader, *parts)


def heard(reader: Reader, *parts: bytes) -> list[StreamEvent | None]:
    """Return the events that a reader makes of a stream and of its end."""
    found: list[StreamEvent | None] = []
    for frame in SseSplitter(1_000_000).feed(b"".join(parts)):
        events = reader.read(frame)
        found += [None] if events is None else events
    return found + reader.close()


START = Started("msg_1", "claude-x")
FIRST = UsageSeen(Usage(input_tokens=9, output_tokens=1, is_estimated=True))
USED = UsageSeen(Usage(input_tokens=9, output_tokens=5))
END = BlockEnded()
FINISH = Finished(StopReason.END)


def told(*parts: bytes, **fields: Any) -> list[StreamEvent | None]:
    """Return the events that say something."""
    return [each for each in hear(*parts, **fields) if each != Pinged()]


def within(*parts: bytes, **fields: Any) -> list[StreamEvent | None]:
    """Return the events of blocks, between the begin of a message and its end."""
    found = told(begun(), *parts, ended(), LAST, **fields)
    assert [START, FIRST] == found[:2]
    assert USED == found[-3]
    assert isinstance(found[-2], Finished)
    assert Ended() == found[-1]
    return found[2:-3]
