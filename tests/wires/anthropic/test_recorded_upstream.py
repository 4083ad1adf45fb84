"""Every recorded answer of Anthropic's is read as the provider's own SDK reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from everup.shapes.chat import Answer, StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Usage
from everup.shapes.stream import (
    BlockEnded,
    Ended,
    Finished,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from everup.wires.anthropic.reply_in import read_answer
from everup.wires.anthropic.stream_in import Reader
from everup.wires.framing import SseSplitter
from tests.recorded.traffic import MESSAGES, Recording, replayed
from tests.wires.anthropic.upstream import candidate

STOPS = {"end_turn": StopReason.END, "tool_use": StopReason.TOOL}
ALL = replayed(MESSAGES)
WHOLE = [each for each in ALL if each.id == "none" or not each.values[0].is_stream]
STREAMED = [each for each in ALL if each.id == "none" or each.values[0].is_stream]


def message_of(recording: Recording) -> Any:
    """Return a recorded answer as the official SDK reads it."""
    anthropic = pytest.importorskip("anthropic")
    httpx = pytest.importorskip("httpx2")

    def answer(_request: Any) -> Any:
        headers = {"content-type": dict(recording.headers)["content-type"]}
        return httpx.Response(recording.status, headers=headers, content=recording.body)

    client = anthropic.Anthropic(api_key="none", http_client=httpx.Client(transport=httpx.MockTransport(answer)))
    ask: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "?"}]}
    if not recording.is_stream:
        return client.beta.messages.create(**ask)
    with client.beta.messages.stream(**ask) as stream:
        return stream.get_final_message()


def parts_of(message: Any) -> list[Text | Thinking | ToolCall]:
    """Return what a client of another wire can see of the SDK's message, arguments as plain JSON."""
    found: list[Text | Thinking | ToolCall] = []
    for block in message.content:
        match block.type:
            case "text":
                found.append(Text(block.text))
            case "thinking":
                found.append(Thinking(text=block.thinking, signature=block.signature))
            case "redacted_thinking":
                found.append(Thinking(hidden=block.data))
            case "tool_use":
                found.append(ToolCall(id=block.id, name=block.name, arguments=json.dumps(block.input)))
    return found


def usage_of(message: Any) -> Usage:
    """Return the SDK's counts, summed as everup does."""
    told = message.usage
    cached, written = told.cache_read_input_tokens or 0, told.cache_creation_input_tokens or 0
    details = told.output_tokens_details
    return Usage(
        input_tokens=told.input_tokens + cached + written,
        output_tokens=told.output_tokens,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=(details.thinking_tokens if details else 0) or 0,
    )


def plain(part: Text | Thinking | ToolCall) -> Text | Thinking | ToolCall:
    """Return a part whose arguments are plain JSON."""
    if isinstance(part, ToolCall):
        return ToolCall(id=part.id, name=part.name, arguments=json.dumps(json.loads(part.arguments)))
    return part


def same(message: Any, answer: Answer) -> None:
    """Everything that is read is what the SDK reads."""
    assert answer.fault is None
    assert parts_of(message) == [plain(part) for part in answer.parts]
    assert STOPS[message.stop_reason] is answer.stop
    assert usage_of(message) == answer.usage
    assert (message.id, message.model) == (answer.id, answer.model)


@pytest.mark.parametrize("recording", WHOLE)
def test_a_whole_answer(recording: Recording) -> None:
    """Text, thinking, calls, usage and reason of a whole answer are the SDK's."""
    content_type = dict(recording.headers)["content-type"]
    same(message_of(recording), read_answer(content_type, recording.body, None, candidate()))


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000, 1_000_000])
@pytest.mark.parametrize("recording", STREAMED)
def test_a_streamed_answer(recording: Recording, size: int) -> None:
    """The same holds for a stream, cut into pieces of any size."""
    splitter, reader = SseSplitter(8_000_000), Reader(None, candidate())
    events: list[StreamEvent] = []
    for start in range(0, len(recording.body), size):
        for frame in splitter.feed(recording.body[start : start + size]):
            found = reader.read(frame)
            assert found is not None
            events += found
    assert [] == reader.close()
    assert Ended() == events[-1]
    same(message_of(recording), put_together(events))


def put_together(events: list[StreamEvent]) -> Answer:
    """Return a stream's events as a whole answer."""
    parts: list[Text | Thinking | ToolCall] = []
    is_open = False
    fields: dict[str, Any] = {}
    for event in events:
        last = parts[-1] if is_open else None
        match event:
            case Started(id=answer_id, model=model):
                fields |= {"id": answer_id, "model": model}
            case TextDelta(text=text) if text:
                grown: Text | Thinking | ToolCall = Text((last.text if isinstance(last, Text) else "") + text)
                parts[len(parts) - is_open :] = [grown]
                is_open = True
            case ThinkingDelta(text=text, signature=signature, hidden=hidden):
                before = last.text if isinstance(last, Thinking) else ""
                parts[len(parts) - is_open :] = [Thinking(text=before + text, signature=signature, hidden=hidden)]
                is_open = True
            case ToolCallStarted(id=call_id, name=name):
                parts.append(ToolCall(id=call_id, name=name))
                is_open = True
            case ToolCallDelta(arguments=arguments):
                assert isinstance(last, ToolCall)
                parts[-1] = ToolCall(id=last.id, name=last.name, arguments=last.arguments + arguments)
            case BlockEnded():
                assert is_open
                is_open = False
            case UsageSeen(usage=usage):
                fields["usage"] = usage
            case Finished(stop=stop, sequence=sequence):
                fields |= {"stop": stop, "sequence": sequence}
    assert not is_open
    return Answer(parts=tuple(parts), **fields)
