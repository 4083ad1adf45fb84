"""Events become the chunks that a client of chat completions reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

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
from everup.wires.openai_chat import stream_out
from tests.wires.support import WIRE, ask

START, END = Started("msg_1", "claude"), BlockEnded()
USED = UsageSeen(Usage(input_tokens=20, output_tokens=10, cached_tokens=5, cache_write_tokens=3, reasoning_tokens=4))
CALL: list[StreamEvent] = [ToolCallStarted(0, "c1", "f"), ToolCallDelta(0, '{"a"'), ToolCallDelta(0, ":1}"), END]
FUNCTIONS = {"functions": [{"name": "f"}]}
HEAD = {"id": "chatcmpl-msg_1", "object": "chat.completion.chunk", "created": 5, "model": "claude"}


def write(*events: StreamEvent, **asked: Any) -> bytes:
    """Return the whole stream of an answer."""
    writer = WIRE.open_writer(ask(stream=True, **asked), created_unix_s=5)
    return writer.write([START, *events]) + writer.end()


def chunks(*events: StreamEvent, **asked: Any) -> list[dict[str, Any]]:
    """Return the stream's chunks; the official SDK must read each."""
    raw = write(*events, **asked)
    assert raw.endswith(b"\n\ndata: [DONE]\n\n")
    rows = raw.removesuffix(b"data: [DONE]\n\n").split(b"\n\n")[:-1]
    for row in rows:
        assert row.startswith(b"data: ")
        ChatCompletionChunk.model_validate_json(row[6:])
    return [json.loads(row[6:]) for row in rows]


def deltas(*events: StreamEvent, **asked: Any) -> list[dict[str, Any]]:
    """Return the deltas behind the first."""
    return [row["choices"][0]["delta"] for row in chunks(*events, **asked)[1:]]


def test_a_whole_chunk() -> None:
    """A chunk's fields stand in OpenAI's order, the first one holding the role."""
    first = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    second = {"index": 0, "delta": {"content": 'a"\n\u2028'}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    expected = [{**HEAD, "choices": [choice]} for choice in (first, second, last)]
    assert json.dumps(expected) == json.dumps(chunks(TextDelta('a"\n\u2028'), END, Finished(StopReason.END)))


def test_ids_and_models() -> None:
    """The provider's id and model are told in OpenAI's shape, or made of the request where there are none."""
    writer = WIRE.open_writer(ask(stream=True), created_unix_s=5)
    row = json.loads(writer.write([Started()])[6:])
    assert "default" == row["model"]
    assert row["id"].startswith("chatcmpl-")
    assert len(row["id"]) == len("chatcmpl-") + 24
    assert b'"id":"chatcmpl-x"' in WIRE.open_writer(ask(), created_unix_s=5).write([Started("chatcmpl-x")])


def test_text_and_refusals() -> None:
    """Text is content, a refusal is told as one, and an empty text is nothing."""
    told = deltas(TextDelta("a"), TextDelta(""), END, TextDelta("no", is_refusal=True), END)
    assert [{"content": "a"}, {"refusal": "no"}] == told


def test_thinking() -> None:
    """Thinking is shown as text and, once signed, told whole so that it can be sent back."""
    told = deltas(
        ThinkingDelta("h"),
        ThinkingDelta("m"),
        ThinkingDelta(signature="s"),
        END,
        ThinkingDelta(hidden="x"),
        END,
        ThinkingDelta("so", signature="t"),
        END,
        ThinkingDelta("unsigned"),
        END,
        ThinkingDelta(signature="u"),
        END,
    )
    claude = {"format": "anthropic-claude-v1"}
    assert told == [
        {"reasoning_content": "h"},
        {"reasoning_content": "m"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s", **claude, "index": 0}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", **claude, "index": 1}]},
        {"reasoning_content": "so"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "so", "signature": "t", **claude, "index": 2}]},
        {"reasoning_content": "unsigned"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "", "signature": "u", **claude, "index": 3}]},
    ]


def test_thinking_too_long_to_keep_is_only_shown() -> None:
    """Thinking beyond the bound has no details, and the next block has them again."""
    long = ThinkingDelta("x" * (stream_out.THOUGHT_CHARS_MAX // 2 + 1))
    told = deltas(long, long, ThinkingDelta(signature="s"), END, ThinkingDelta("a", signature="t"), END)
    assert ["reasoning_content"] * 3 + ["reasoning_details"] == [key for delta in told for key in delta]


@pytest.mark.parametrize("asked", [{"reasoning": {"exclude": True}}, {"include_reasoning": False}])
def test_hidden_thinking_is_left_out(asked: dict[str, Any]) -> None:
    """A client that wants no thinking gets none."""
    assert [{"content": "a"}] == deltas(
        ThinkingDelta("h", "s"), ThinkingDelta(hidden="x"), END, TextDelta("a"), **asked
    )


def test_calls() -> None:
    """A call begins with its id and name, and its arguments follow by its index."""
    told = deltas(*CALL, ToolCallStarted(1, 'c"2', "g"), ToolCallDelta(1, ""), ToolCallDelta(1, "{}"), END)
    assert told == [
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {"tool_calls": [{"index": 1, "id": 'c"2', "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
    ]


@pytest.mark.parametrize("pieces", [[], [""], [" "]])
def test_a_call_without_arguments_gets_an_empty_object(pieces: list[str]) -> None:
    """Arguments can always be parsed by the client, and nothing is added to those that are there."""
    told = deltas(
        ToolCallStarted(0, "c", "f"), *(ToolCallDelta(0, piece) for piece in pieces), END, TextDelta("a"), END
    )
    spoken = [row["tool_calls"][0]["function"]["arguments"] for row in told if "tool_calls" in row]
    assert {} == json.loads("".join(spoken))
    assert {"content": "a"} == told[-1]


def test_an_older_client_gets_its_older_form() -> None:
    """A client that speaks of functions gets the first call as one."""
    second: list[StreamEvent] = [
        ToolCallStarted(1, "c2", "g"),
        ToolCallDelta(1, "{}"),
        END,
        ToolCallStarted(2, "c3", "g"),
        END,
    ]
    rows = chunks(*CALL, *second, Finished(StopReason.TOOL), **FUNCTIONS)
    assert [row["choices"][0]["delta"] for row in rows[1:-1]] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a"'}},
        {"function_call": {"arguments": ":1}"}},
    ]
    assert "function_call" == rows[-1]["choices"][0]["finish_reason"]
    bare = deltas(ToolCallStarted(0, "c", "f"), END, **FUNCTIONS)
    assert {"function_call": {"arguments": "{}"}} == bare[-1]


@pytest.mark.parametrize(
    ("stop", "expected"),
    [(StopReason.TOOL, "tool_calls"), (StopReason.WINDOW, "length"), (StopReason.FILTER, "content_filter")],
)
def test_finish_reasons(stop: StopReason, expected: str) -> None:
    """A reason is told by its word."""
    assert expected == chunks(Finished(stop))[-1]["choices"][0]["finish_reason"]


def test_usage_only_for_who_asked() -> None:
    """The usage is the last chunk, without choices, and only where the client asked for it."""
    rows = chunks(TextDelta("a"), END, USED, Finished(StopReason.END), stream_options={"include_usage": True})
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert {**HEAD, "choices": [], "usage": usage} == rows[-1]
    assert "stop" == rows[-2]["choices"][0]["finish_reason"]
    assert not any("usage" in row for row in chunks(TextDelta("a"), END, USED, Finished(StopReason.END)))
    assert b'"usage"' not in write(TextDelta("a"), stream_options={"include_usage": True})


def test_what_says_nothing() -> None:
    """Ends, pings and faults write nothing here."""
    writer = WIRE.open_writer(ask(stream=True), created_unix_s=5)
    writer.write([START])
    assert b"" == writer.write([])
    for event in (Ended(), Pinged(), Failed(make_fault(FaultKind.CUT)), BlockEnded()):
        assert b"" == writer.write([event])


def test_the_official_sdk_puts_it_together() -> None:
    """The SDK makes of the chunks the answer that was told."""
    state = ChatCompletionStreamState()
    events: list[StreamEvent] = [ThinkingDelta("hm", "s"), END, TextDelta("Hel"), TextDelta("lo"), END, *CALL]
    more: list[StreamEvent] = [ToolCallStarted(1, "c2", "g"), END, USED, Finished(StopReason.TOOL)]
    for row in chunks(*events, *more, stream_options={"include_usage": True}):
        state.handle_chunk(ChatCompletionChunk.model_validate(row))
    answer = state.get_final_completion()
    message = answer.choices[0].message
    assert ("chatcmpl-msg_1", "claude", 5) == (answer.id, answer.model, answer.created)
    assert ("Hello", "tool_calls") == (message.content, answer.choices[0].finish_reason)
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]
    assert [("c1", "f", '{"a":1}'), ("c2", "g", "{}")] == calls
    assert answer.usage is not None
    assert (20, 10, 30) == (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens)
    assert "hm" == message.reasoning_content  # type: ignore[attr-defined]
