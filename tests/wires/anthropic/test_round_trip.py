"""What this wire can say survives the way through its own words, from either side."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from everup.shapes.chat import (
    Answer,
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
    StopReason,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
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
from everup.wires.anthropic.chat_in import read_chat
from everup.wires.anthropic.reply_in import read_answer
from everup.wires.anthropic.reply_out import write_answer
from everup.wires.anthropic.request_in import read_request
from everup.wires.anthropic.request_out import write_chat
from everup.wires.anthropic.stream_in import Reader
from everup.wires.anthropic.stream_out import Writer
from everup.wires.framing import SseSplitter
from tests.wires.anthropic.client import LIMITS, ask, candidate

ADAPTIVE, BUDGET = candidate("claude-opus-4-8"), candidate("claude-sonnet-4-5")
ASKED = ask(stream=True)
few = settings(max_examples=50)
"""A conversation takes a while to draw."""
FIRST = Message(Role.USER, (Text("hi"),))

said = st.text(min_size=1, max_size=12).filter(str.strip)
names = st.text("abc_-9", min_size=1, max_size=8)
objects = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4) | st.none(), max_size=3).map(
    json.dumps
)
schemas = st.builds(
    lambda inner: Raw(b'{"type" : "object","properties":%b}' % json.dumps(inner).encode()),
    st.dictionaries(names, st.just({"type": "string"}), max_size=2),
)
texts = st.builds(Text, said)
images = st.builds(Image, media_type=st.sampled_from(["image/png", "image/jpeg"]), data=st.just("AAAA")) | st.builds(
    Image, url=st.just("https://pictures.example/a.png")
)
documents = (
    st.builds(Document, name=names, media_type=st.just("application/pdf"), data=st.just("JVBERi0="))
    | st.builds(Document, name=names, media_type=st.just("text/plain"), text=said)
    | st.builds(Document, name=names, url=st.just("https://papers.example/a.pdf"))
)
thoughts = st.builds(Thinking, text=st.text(max_size=8), signature=names) | st.builds(Thinking, hidden=names)
calls = st.builds(ToolCall, id=names, name=names, arguments=objects)
media = st.lists(texts | images | documents, min_size=1, max_size=3).map(tuple)
stops = st.lists(said, max_size=2).map(tuple)
sampled = st.builds(Sampling, temperature=st.floats(0, 1), top_k=st.integers(1, 9), stop=stops) | st.builds(
    Sampling, top_p=st.floats(0, 1)
)
tools = st.builds(
    Tool, name=names, description=st.text(max_size=5), parameters=schemas, is_strict=st.sampled_from([None, True])
)
formats = st.none() | st.builds(Format, schema=schemas)
free_choices = st.sampled_from([None, ToolChoice(ToolMode.AUTO), ToolChoice(ToolMode.NONE)])
choices = free_choices | st.just(ToolChoice(ToolMode.REQUIRED)) | names.map(lambda n: ToolChoice(ToolMode.NAMED, (n,)))
efforts = st.sampled_from([None, Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH, Effort.MAX])


@st.composite
def rounds(draw: st.DrawFn, *, may_instruct: bool, may_call: bool) -> list[Message]:
    """Return one turn of the user, maybe instructions, one of the model, and results of what it called."""
    found = [Message(Role.USER, draw(media))]
    if may_instruct and draw(st.booleans()):
        found.append(Message(Role.SYSTEM, (draw(texts),)))
    called = draw(st.lists(calls, max_size=2)) if may_call else []
    words = draw(st.lists(texts, min_size=0 if called else 1, max_size=2))
    found.append(Message(Role.ASSISTANT, (*draw(st.lists(thoughts, max_size=2)), *words, *called)))
    if called:
        results = [
            ToolResult(id=call.id, parts=draw(media | st.just(())), is_error=draw(st.booleans())) for call in called
        ]
        found.append(Message(Role.TOOL, tuple(results)))
        if draw(st.booleans()):
            # Without words of the user between, the model goes on where its results are.
            found.append(Message(Role.ASSISTANT, (draw(texts),)))
    return found


@st.composite
def requests(draw: st.DrawFn, *, is_adaptive: bool) -> ChatRequest:
    """Return a request that this wire has words for, in the form in which it is read."""
    is_thinking = draw(st.booleans())
    may_call = is_adaptive or not is_thinking
    talk = draw(st.lists(rounds(may_instruct=is_adaptive, may_call=may_call), max_size=3))
    messages = [message for each in talk for message in each]
    if draw(st.booleans()):
        messages.insert(0, Message(Role.SYSTEM, tuple(draw(st.lists(texts, min_size=1, max_size=2)))))
    if not messages or messages[-1].role is not Role.TOOL or draw(st.booleans()):
        messages.append(Message(Role.USER, draw(media)))
    offered = tuple(draw(st.lists(tools, max_size=2)))
    choice = draw(free_choices if is_thinking else choices) if offered else None
    can_say = choice is not None and choice.mode is not ToolMode.NONE
    adaptive = st.builds(Reasoning, effort=efforts, is_adaptive=st.just(True))  # noqa: FBT003  # a strategy's value
    budget = st.builds(Reasoning, budget_tokens=st.integers(1024, 4095))
    return ChatRequest(
        messages=tuple(messages),
        tools=offered,
        tool_choice=choice,
        is_parallel=draw(st.sampled_from([None, False])) if can_say else None,
        sampling=Sampling() if is_thinking or is_adaptive else draw(sampled),
        output_tokens_max=draw(st.integers(4096, 64_000)),
        reasoning=draw(adaptive if is_adaptive else budget) if is_thinking else None,
        format=draw(formats),
        is_stream=draw(st.booleans()),
        user=draw(st.sampled_from(["", "u_1"])),
    )


def there_and_back(chat: ChatRequest, model: Any) -> ChatRequest:
    """Return a request written for an upstream and read again."""
    encoded = write_chat(chat, model, foreign=None)
    assert encoded.fault is None, encoded.fault.message if encoded.fault else ""
    assert () == encoded.dropped
    found = read_chat(read_request(encoded.body, LIMITS))
    assert isinstance(found, ChatRequest), found.message
    return found


def same(one: object, other: object) -> bool:
    """Return whether two values are alike, raw JSON byte for byte."""
    return msgspec.json.encode(one) == msgspec.json.encode(other)


@few
@given(requests(is_adaptive=True))
def test_requests_to_a_model_that_thinks_by_itself(chat: ChatRequest) -> None:
    """What this wire can say to a model of adaptive thinking comes back the same."""
    assert same(chat, there_and_back(chat, ADAPTIVE))


@few
@given(requests(is_adaptive=False))
def test_requests_to_a_model_that_thinks_in_a_budget(chat: ChatRequest) -> None:
    """What this wire can say to a model that thinks within a budget comes back the same."""
    assert same(chat, there_and_back(chat, BUDGET))


def test_no_thinking() -> None:
    """That a model shall not think comes back from one that thinks unless told not to."""
    chat = ChatRequest(messages=(FIRST,), output_tokens_max=64, reasoning=Reasoning(effort=Effort.NONE))
    assert same(chat, there_and_back(chat, candidate("claude-opus-5")))


def test_cache_marks() -> None:
    """The client's own marks come back in each place that can have one."""
    hour = CacheMark("1h")
    chats = (
        ChatRequest(messages=(Message(Role.SYSTEM, (Text("a", hour),)), FIRST), output_tokens_max=9),
        ChatRequest(messages=(Message(Role.USER, (Text("a", CacheMark()),)),), output_tokens_max=9),
        ChatRequest(messages=(Message(Role.USER, (Image(url="https://a.example", cache=hour),)),), output_tokens_max=9),
        ChatRequest(
            messages=(Message(Role.USER, (Document(url="https://a.example", cache=hour),)),), output_tokens_max=9
        ),
        ChatRequest(
            messages=(
                FIRST,
                Message(Role.ASSISTANT, (ToolCall(id="t", name="f", arguments="{}", cache=hour),)),
                Message(Role.TOOL, (ToolResult(id="t", parts=(Text("1"),), cache=hour),)),
            ),
            output_tokens_max=9,
        ),
        ChatRequest(
            messages=(FIRST,),
            tools=(Tool(name="f", parameters=Raw(b'{"type":"object"}'), cache=hour),),
            output_tokens_max=9,
        ),
    )
    for chat in chats:
        assert same(chat, there_and_back(chat, ADAPTIVE))


said_parts = st.lists(texts | thoughts | calls, max_size=4)
counts = st.integers(0, 50)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Return a usage whose parts do not exceed their wholes."""
    cached, written, output = draw(counts), draw(counts), draw(counts)
    return Usage(
        input_tokens=cached + written + draw(counts),
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=draw(st.integers(0, output)),
    )


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Return an answer that says why it ended as this wire would."""
    parts = (draw(texts), *draw(said_parts))
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    stops = [stop for stop in StopReason if not (has_calls and stop is StopReason.END)]
    return Answer(
        parts=parts,
        stop=draw(st.sampled_from(stops)),
        sequence=draw(st.text(max_size=4)),
        usage=draw(usages()),
        id=f"msg_{draw(names)}",
        model=draw(names),
    )


@given(answers())
def test_answers(answer: Answer) -> None:
    """A whole answer comes back the same."""
    body = write_answer(answer, ASKED, created_unix_s=1)
    assert answer == read_answer("application/json", body, None, BUDGET)


def events_of(answer: Answer) -> list[StreamEvent]:
    """Return an answer as events, each piece by itself."""
    events: list[StreamEvent] = [Started(answer.id, answer.model)]
    place = 0
    for part in answer.parts:
        match part:
            case Text(text=text):
                events += [TextDelta(each) for each in text]
            case Thinking(text=text, signature=signature, hidden=hidden):
                events += [ThinkingDelta(each) for each in text]
                events.append(ThinkingDelta(signature=signature, hidden=hidden))
            case ToolCall(id=call_id, name=name, arguments=arguments):
                events.append(ToolCallStarted(place, call_id, name))
                events += [ToolCallDelta(place, each) for each in arguments]
                place += 1
        events.append(BlockEnded())
    assert answer.usage is not None
    return [*events, UsageSeen(answer.usage), Finished(answer.stop, answer.sequence), Ended()]


@given(answer=answers(), is_one_batch=st.booleans())
def test_streams(answer: Answer, *, is_one_batch: bool) -> None:
    """A streamed answer comes back event by event, however its events were batched."""
    events = events_of(answer)
    writer, splitter = Writer(ASKED, created_unix_s=1), SseSplitter(LIMITS.sse_line_bytes_max)
    batches = [events] if is_one_batch else [[event] for event in events]
    raw = b"".join(writer.write(batch) for batch in batches) + writer.end()
    reader = Reader(None, BUDGET)
    read = [event for frame in splitter.feed(raw) for event in reader.read(frame) or pytest.fail("a broken frame")]
    signs = (UsageSeen, Pinged)
    assert [each for each in events if not isinstance(each, signs)] == [
        each for each in read if not isinstance(each, signs)
    ]
    assert answer.usage == [event.usage for event in read if isinstance(event, UsageSeen)][-1]
    assert [] == reader.close()
