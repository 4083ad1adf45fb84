"""
What the tests of this wire's translation share: requests as they are read, and any conversation.

Lives here: builders, hypothesis strategies for what a chat completion can say, the promised order of events. Must not:
tests.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw

from everup.shapes.chat import (
    Audio,
    CacheMark,
    ChatRequest,
    Document,
    Effort,
    Format,
    Image,
    Message,
    Reasoning,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from everup.shapes.fault import Fault
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
from everup.wires.framing import Frame, read_event
from everup.wires.openai_chat.quirks import OPENROUTER_WORDS
from tests.wires.support import WIRE, ask, candidate

OPENROUTER = candidate("anthropic/claude-sonnet-4.5", quirks=frozenset({OPENROUTER_WORDS}))


def chat(**fields: Any) -> ChatRequest:
    """Return a client's request, which must be sayable."""
    read = WIRE.read_chat(ask(**fields))
    assert isinstance(read, ChatRequest), getattr(read, "message", "")
    return read


def refused(**fields: Any) -> Fault:
    """Return the fault of a client's request that cannot be said."""
    fault = WIRE.read_chat(ask(**fields))
    assert isinstance(fault, Fault)
    return fault


def parts(content: Any, role: str = "user", **fields: Any) -> tuple[Any, ...]:
    """Return the parts of one message."""
    return chat(messages=[{"role": role, "content": content, **fields}]).messages[0].parts


def frame(**fields: Any) -> Frame:
    """Return one event as the framer gives it."""
    return read_event(b"data: " + json.dumps(fields).encode() + b"\n\n")


def check_order(events: list[StreamEvent]) -> None:
    """Assert the order that `shapes.stream` promises."""
    kinds = [type(event) for event in events if not isinstance(event, Pinged)]
    if Failed in kinds:
        assert kinds.index(Failed) == len(kinds) - 1
        kinds.pop()
    assert not kinds or kinds.pop(0) is Started
    is_open: object = None
    calls = 0
    for event in events:
        block = block_of(event)
        if isinstance(event, BlockEnded):
            assert is_open is not None
            is_open = None
        elif isinstance(event, ToolCallStarted):
            assert is_open is None
            assert calls == event.place
            calls, is_open = calls + 1, block
        elif block is not None:
            assert is_open in ({block} if isinstance(event, ToolCallDelta) else {None, block})
            is_open = block
        elif isinstance(event, UsageSeen | Finished | Ended):
            assert is_open is None
    assert kinds.count(Finished) <= 1
    if Finished in kinds:
        assert set(kinds[kinds.index(Finished) + 1 :]) <= {Ended}


def block_of(event: StreamEvent) -> object:
    """Return what tells the block of an event from others, None if it has none."""
    if isinstance(event, TextDelta):
        return "refusal" if event.is_refusal else "text"
    if isinstance(event, ThinkingDelta):
        return "thinking"
    return event.place if isinstance(event, ToolCallStarted | ToolCallDelta) else None


texts = st.text(min_size=1, max_size=12)
maybe = st.text(max_size=8)
base64 = st.text("ABCabc123+/", min_size=4, max_size=8)
media_types = st.sampled_from(["image/png", "image/jpeg", "application/pdf", "text/plain"])
marks = st.none() | st.builds(CacheMark, st.sampled_from(["", "5m", "1h"]))
raws = st.dictionaries(
    texts, st.integers() | st.text(max_size=4) | st.lists(st.booleans(), max_size=2), max_size=3
).map(lambda table: Raw(json.dumps(table).encode()))
said = st.builds(Text, texts, marks)
refusals = st.builds(Text, texts, marks, st.just(value=True))
details = st.sampled_from(["", "low", "high"])
images = st.builds(Image, media_type=media_types, data=base64, detail=details, cache=marks) | st.builds(
    Image, url=st.just("https://example.org/a.png"), detail=details, cache=marks
)
files = (
    st.builds(Document, name=maybe, media_type=media_types, data=base64, cache=marks)
    | st.builds(Document, name=maybe, file_id=texts, cache=marks)
    | st.builds(Document, name=maybe, url=st.just("https://example.org/a.pdf"), cache=marks)
)
audio = st.builds(Audio, base64, st.sampled_from(["wav", "mp3"]))
thoughts = st.builds(Thinking, text=maybe, signature=texts) | st.builds(Thinking, hidden=texts)
calls = st.builds(ToolCall, id=texts, name=texts, arguments=maybe, cache=marks)
results = st.builds(ToolResult, id=texts, parts=st.lists(said, max_size=2).map(tuple), name=maybe, cache=marks)


def turns(role: Role, part: st.SearchStrategy[Any]) -> st.SearchStrategy[Message]:
    """Return messages of one role."""
    return st.builds(Message, st.just(role), st.lists(part, max_size=3).map(tuple), maybe)


assistants = st.builds(
    lambda *groups: Message(Role.ASSISTANT, tuple(part for group in groups[:3] for part in group), groups[3]),
    st.lists(thoughts, max_size=2),
    st.lists(said | refusals, max_size=2),
    st.lists(calls, max_size=2),
    maybe,
)
messages = (
    turns(Role.SYSTEM, said)
    | turns(Role.USER, said | images | files | audio)
    | assistants
    | st.builds(Message, st.just(Role.TOOL), st.tuples(results))
)
tools = st.builds(
    Tool,
    name=texts,
    description=maybe,
    parameters=raws,
    is_strict=st.none() | st.booleans(),
    cache=marks,
)
choices = (
    st.builds(ToolChoice, st.sampled_from([ToolMode.AUTO, ToolMode.REQUIRED]), st.lists(texts, max_size=2).map(tuple))
    | st.builds(ToolChoice, st.just(ToolMode.NAMED), st.tuples(texts))
    | st.just(ToolChoice(ToolMode.NONE))
)
numbers = st.none() | st.floats(-2, 2) | st.integers(0, 2)
counts = st.none() | st.integers(1, 100_000)
samplings = st.builds(
    Sampling,
    temperature=numbers,
    top_p=numbers,
    top_k=counts,
    min_p=numbers,
    seed=counts,
    presence_penalty=numbers,
    frequency_penalty=numbers,
    stop=st.lists(texts, max_size=2).map(tuple),
)
reasonings = st.builds(
    Reasoning,
    effort=st.none() | st.sampled_from(Effort),
    budget_tokens=counts,
    is_shown=st.booleans(),
).filter(lambda each: each != Reasoning()) | st.builds(Reasoning, is_adaptive=st.just(value=True))
formats = st.just(Format()) | st.builds(
    Format, schema=raws, name=texts, description=maybe, is_strict=st.none() | st.booleans()
)
requests = st.builds(
    ChatRequest,
    messages=st.lists(messages, min_size=1, max_size=4).map(tuple),
    tools=st.lists(tools, max_size=2).map(tuple),
    tool_choice=st.none() | choices,
    is_parallel=st.none() | st.booleans(),
    sampling=samplings,
    output_tokens_max=counts,
    reasoning=st.none() | reasonings,
    format=st.none() | formats,
    is_stream=st.booleans(),
    user=maybe,
)
