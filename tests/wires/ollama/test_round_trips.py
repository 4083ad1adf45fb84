"""What is written in this wire is read as what it was, and a longer conversation begins with a shorter one's bytes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from ollama._types import ChatRequest as SdkRequest

from everup.shapes.chat import (
    Answer,
    ChatRequest,
    Effort,
    Format,
    Image,
    Message,
    Reasoning,
    Role,
    Sampling,
    StopReason,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from everup.shapes.events import Usage
from everup.shapes.stream import (
    BlockEnded,
    Finished,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from everup.wires.ollama.stream_in import Reader
from tests.wires.ollama.make import CREATED_UNIX_S, JSON, LIMITS, PNG, WIRE, ask, candidate, write

WORDS = st.text(min_size=1, max_size=8)
NAMES = st.sampled_from(["look", "see", "a-b_9"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2)
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=3).map(json.dumps)
IMAGES = st.sampled_from([Image(media_type="image/png", data=PNG), Image(media_type="image/jpeg", data="/9j/AA==")])
NUMBERS = st.none() | st.floats(-2, 2)
COUNTS = st.none() | st.integers(1, 99)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Return turns of every kind that this wire can say."""
    turns: list[Message] = []
    for number in range(draw(st.integers(1, 5))):
        role = draw(st.sampled_from([Role.SYSTEM, Role.USER, Role.ASSISTANT]))
        text = (Text(draw(WORDS)),)
        if role is Role.USER:
            turns.append(Message(role, (*text, *draw(st.lists(IMAGES, max_size=2)))))
        elif role is Role.SYSTEM:
            turns.append(Message(role, text))
        else:
            thought = draw(st.sampled_from([(), (Thinking(text="hm"),)]))
            calls = [
                ToolCall(id=f"call_{number}_{each}", name=draw(NAMES), arguments=draw(OBJECTS))
                for each in range(draw(st.integers(0, 2)))
            ]
            turns.append(Message(role, (*thought, *text, *calls)))
            turns += [
                Message(Role.TOOL, (ToolResult(id=made.id, name=made.name, parts=(Text(draw(WORDS)),)),))
                for made in calls
            ]
    return tuple(turns)


TOOLS = st.lists(
    st.builds(
        Tool, name=NAMES, description=st.text(max_size=4), parameters=OBJECTS.map(lambda text: Raw(text.encode()))
    ),
    max_size=2,
).map(tuple)
SAMPLINGS = st.builds(
    Sampling,
    temperature=NUMBERS,
    top_p=NUMBERS,
    top_k=COUNTS,
    min_p=NUMBERS,
    seed=COUNTS,
    presence_penalty=NUMBERS,
    frequency_penalty=NUMBERS,
    stop=st.lists(WORDS, max_size=2).map(tuple),
)
REQUESTS = st.builds(
    ChatRequest,
    messages=conversations(),
    tools=TOOLS,
    sampling=SAMPLINGS,
    output_tokens_max=COUNTS,
    reasoning=st.none()
    | st.sampled_from([Effort.LOW, Effort.MEDIUM, Effort.HIGH]).map(lambda each: Reasoning(effort=each)),
    format=st.sampled_from([None, Format(), Format(schema=Raw(b'{"type":  "object"}'))]),
    is_stream=st.booleans(),
    keep_alive=st.sampled_from(["", '"5m"', "0", "-1"]),
)


@given(request=REQUESTS)
def test_a_request_is_read_as_what_it_was(request: ChatRequest) -> None:
    """A request that this wire can say is read back the same, and the official SDK takes it."""
    encoded = write(request, "gpt-oss:20b")
    assert (None, ()) == (encoded.fault, encoded.dropped)
    assert request == WIRE.read_chat(WIRE.read_request(encoded.body, LIMITS))
    sent = json.loads(encoded.body)
    assert len(request.messages) == len(SdkRequest(**{**sent, "tools": None}).messages or ())


@given(request=REQUESTS, model=st.sampled_from(["qwen3:8b", "gpt-oss:20b"]))
def test_the_same_request_has_the_same_bytes(request: ChatRequest, model: str) -> None:
    """Writing twice gives the same bytes."""
    assert write(request, model) == write(request, model)


@given(request=REQUESTS, data=st.data())
def test_a_grown_conversation_begins_with_the_shorter_ones_bytes(request: ChatRequest, data: st.DataObject) -> None:
    """Whatever comes later, a conversation's bytes up to a turn stay the same, so that prompt caches hold."""
    whole = write(request).body
    cut = data.draw(st.integers(1, len(request.messages)))
    shorter = write(ChatRequest(**{**fields_of(request), "messages": request.messages[:cut]})).body  # type: ignore[arg-type]
    assert b"]}" == shorter[-2:]
    assert whole.startswith(shorter[:-2])


def fields_of(request: ChatRequest) -> dict[str, object]:
    """Return a request's fields."""
    return {name: getattr(request, name) for name in request.__struct_fields__}


PARTS = st.tuples(
    st.lists(st.builds(Thinking, text=WORDS), max_size=1),
    st.lists(st.builds(Text, WORDS), max_size=1),
    st.lists(st.builds(ToolCall, id=st.sampled_from(["call_1", "call_2"]), name=NAMES, arguments=OBJECTS), max_size=2),
).map(lambda groups: tuple(part for group in groups for part in group))
STOPS = st.sampled_from([StopReason.END, StopReason.LENGTH])
USAGES = st.none() | st.builds(Usage, input_tokens=st.integers(0, 999), output_tokens=st.integers(0, 999))


@given(parts=PARTS.filter(bool), stop=STOPS, usage=USAGES, model=st.sampled_from(["m", "a/b:c"]))
def test_an_answer_is_read_as_what_it_was(
    parts: tuple[Text | Thinking | ToolCall, ...], stop: StopReason, usage: Usage | None, model: str
) -> None:
    """An answer that this wire can say is read back the same."""
    if stop is StopReason.END and isinstance(parts[-1], ToolCall):
        stop = StopReason.TOOL
    answer = Answer(parts=parts, stop=stop, usage=usage, model=model)
    body = WIRE.write_answer(answer, ask(), created_unix_s=CREATED_UNIX_S)
    assert answer == WIRE.read_answer(JSON, body, None, candidate())


@st.composite
def streams(draw: st.DrawFn) -> list[StreamEvent]:
    """Return the events of a whole answer, in the order that they promise."""
    events: list[StreamEvent] = [Started("", draw(st.sampled_from(["m", "a/b:c"])))]
    calls = 0
    before = ""
    for kind in draw(st.lists(st.sampled_from(["text", "thinking", "call"]), max_size=5)):
        if kind == before != "call":
            continue  # two blocks of one kind in a row are one in this wire
        before = kind
        if kind == "call":
            events += [ToolCallStarted(calls, f"call_{calls}", draw(NAMES)), ToolCallDelta(calls, draw(OBJECTS))]
            calls += 1
        else:
            delta = TextDelta if kind == "text" else ThinkingDelta
            events += [delta(text) for text in draw(st.lists(WORDS, min_size=1, max_size=3))]
        events.append(BlockEnded())
    usage = draw(USAGES)
    events += [] if usage is None else [UsageSeen(usage)]
    stop = draw(STOPS)
    return [*events, Finished(StopReason.TOOL if calls and stop is StopReason.END else stop)]


@given(events=streams(), sizes=st.lists(st.integers(1, 50), max_size=30))
def test_a_stream_is_read_as_what_it_was(events: list[StreamEvent], sizes: list[int]) -> None:
    """Events that this wire can say are read back the same, wherever the network cuts their bytes."""
    writer = WIRE.open_writer(ask(), created_unix_s=CREATED_UNIX_S)
    raw = writer.write(events) + writer.end()
    framer, reader = WIRE.open_framer(LIMITS), Reader(None, candidate())
    found: list[StreamEvent] = []
    start = 0
    for size in [*sizes, len(raw)]:
        for frame in framer.feed(raw[start : start + size]):
            found += reader.read(frame) or []
        start += size
    assert None is framer.rest()
    assert events == found[:-1]
