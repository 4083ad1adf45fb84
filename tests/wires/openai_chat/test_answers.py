"""Whole answers: of this wire read into parts, and parts written for a client of this wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from everup.shapes.chat import Answer, ChatRequest, Message, Role, StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Usage
from everup.shapes.fault import FaultKind
from everup.wires.mint import mint_call_id
from tests.wires.support import JSON, WIRE, ask, candidate

ASKED = ask()
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CHAT = ChatRequest(messages=(Message(Role.USER, (Text("hi"),)),) * 3)


def reply(finish: str | None = "stop", usage: Any = None, **message: Any) -> bytes:
    """Return a completion's body."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return json.dumps({"id": "chatcmpl-1", "model": "m-1", "choices": [choice], "usage": usage}).encode()


def read(body: bytes, chat: ChatRequest | None = CHAT) -> Answer:
    """Return an answer read."""
    return WIRE.read_answer(JSON, body, chat, candidate())


def thinking(*rows: dict[str, Any], **fields: Any) -> tuple[Any, ...]:
    """Return the parts of an answer with these details."""
    return read(reply(content="a", reasoning_details=list(rows), **fields)).parts


def test_a_text() -> None:
    """A text, its id, its model and its end are read; a missing usage stays missing."""
    expected = Answer(parts=(Text("hello"),), stop=StopReason.END, id="chatcmpl-1", model="m-1")
    assert expected == read(reply(content="hello", refusal=None))
    assert expected == read(b"\xef\xbb\xbf" + reply(content="hello"))
    assert expected == read(reply(content="hello").replace(b'"message"', b'"delta"'))
    assert expected == read(reply().replace(b'"message": {"role": "assistant"}', b'"text": "hello"'))


def test_usage() -> None:
    """Counts are read with what they include; absurd ones are as good as none."""
    told = {
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    expected = Usage(input_tokens=20, output_tokens=10, cached_tokens=5, cache_write_tokens=3, reasoning_tokens=4)
    assert expected == read(reply(content="a", usage=told)).usage
    assert (
        Usage(input_tokens=2, output_tokens=1, cached_tokens=2)
        == read(
            reply(content="a", usage={"prompt_tokens": 2, "completion_tokens": 1, "prompt_cache_hit_tokens": 7})
        ).usage
    )
    assert read(reply(content="a", usage={**told, "prompt_tokens": -1})).usage is None
    assert read(reply(content="a", usage={**told, "completion_tokens": "x"})).usage is None


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("stop", StopReason.END),
        ("length", StopReason.LENGTH),
        ("max_tokens", StopReason.LENGTH),
        ("model_length", StopReason.WINDOW),
        ("tool_calls", StopReason.TOOL),
        ("tool_use", StopReason.TOOL),
        ("function_call", StopReason.TOOL),
        ("content_filter", StopReason.FILTER),
        ("refusal", StopReason.FILTER),
        ("sensitive", StopReason.FILTER),
        ("SAFETY", StopReason.FILTER),
        ("stop_sequence", StopReason.SEQUENCE),
        ("eos", StopReason.END),
        (None, StopReason.END),
    ],
)
def test_finish_reasons(finish: str | None, expected: StopReason) -> None:
    """Each known finish reason is told, and an unknown one is a plain end."""
    assert expected == read(reply(finish, content="a")).stop


def test_a_plain_end_with_calls_is_a_call() -> None:
    """An answer that calls tools and says that it simply ended ended for the tools."""
    assert StopReason.TOOL is read(reply("stop", tool_calls=[CALL])).stop
    assert StopReason.LENGTH is read(reply("length", tool_calls=[CALL])).stop


def test_calls() -> None:
    """Calls are read to the byte; one without an id gets one of its place and content."""
    bare = {"function": {"name": "g", "arguments": {"a": 1}}}
    minted = mint_call_id(3, 1, "g", '{"a":1}')
    answer = read(reply("tool_calls", content=None, tool_calls=[CALL, bare]))
    assert answer.parts == (
        ToolCall(id="c1", name="f", arguments='{"a": 1}'),
        ToolCall(id=minted, name="g", arguments='{"a":1}'),
    )
    legacy = read(reply("function_call", function_call={"name": "f", "arguments": ""}), None)
    assert (ToolCall(id=mint_call_id(0, 0, "f", ""), name="f"),) == legacy.parts


SIGNED = {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}
HIDDEN = {"type": "reasoning.encrypted", "data": "h", "format": "any", "index": 1}


def test_thinking() -> None:
    """Thinking is read from every place servers put it, in front of the text."""
    said = Text("a")
    assert (Thinking(text="hm"), said) == thinking(reasoning_content="hm")
    assert (Thinking(text="hm"), said) == thinking(reasoning="hm", reasoning_content=None)
    assert (Thinking(text="hm", signature="s"), Thinking(hidden="h"), said) == thinking(SIGNED, HIDDEN, reasoning="hm")
    assert (Thinking(text="short"), Thinking(hidden="h"), said) == thinking(HIDDEN, reasoning="short")
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "h"}]
    assert (Thinking(text="hm", signature="s"), Thinking(hidden="h"), said) == thinking(
        thinking_blocks=blocks, reasoning_content="hm"
    )


def test_contents_of_parts() -> None:
    """Mistral's list of thinking and text is read in its order, and a refusal as one."""
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
        {"type": "text", "text": ""},
        {"type": "reference", "reference_ids": [1]},
    ]
    assert (Thinking(text="hm"), Text("a")) == read(reply(content=content)).parts
    assert (Text("no", is_refusal=True),) == read(reply(refusal="no")).parts


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FaultKind.EMPTY_BODY),
        (b"<html>", FaultKind.HTML_PAGE),
        (b"{", FaultKind.MALFORMED),
        (b"[]", FaultKind.MALFORMED),
        (reply(content=""), FaultKind.EMPTY_ANSWER),
        (b'{"choices": []}', FaultKind.EMPTY_ANSWER),
        (b'{"error": {"message": "x", "code": "context_length_exceeded"}}', FaultKind.CONTEXT_OVERFLOW),
        (reply("error", content="a"), FaultKind.CUT),
        (reply("abort", content="a"), FaultKind.CUT),
        (reply("network_error", content="a"), FaultKind.CUT),
        (reply("insufficient_system_resource", content="a"), FaultKind.CUT),
        (reply(tool_calls=[{"id": "c", "function": {"arguments": "{}"}}]), FaultKind.MALFORMED),
        (reply(tool_calls=[{"id": "c", "type": "custom"}]), FaultKind.MALFORMED),
    ],
)
def test_answers_that_are_none(body: bytes, kind: FaultKind) -> None:
    """A body that is no answer is the fault it is."""
    fault = read(body).fault
    assert fault is not None
    assert kind is fault.kind


def test_empty_answers_with_a_reason() -> None:
    """An answer without text whose finish reason explains that is whole."""
    assert Answer(stop=StopReason.LENGTH, id="chatcmpl-1", model="m-1") == read(reply("length", content=""))


def body(answer: Answer, **asked: Any) -> dict[str, Any]:
    """Return a written answer, which the official SDK must read."""
    raw = WIRE.write_answer(answer, ask(**asked), created_unix_s=5)
    ChatCompletion.model_validate_json(raw)
    return json.loads(raw)  # type: ignore[no-any-return]


WHOLE = Answer(
    parts=(
        Thinking(text="hm", signature="s"),
        Thinking(hidden="h"),
        Thinking(text="so"),
        Text("a"),
        Text("b"),
        Text("no", is_refusal=True),
        ToolCall(id="c1", name="f", arguments='{"a": 1}'),
        ToolCall(id="c2", name="g", arguments=" "),
    ),
    stop=StopReason.TOOL,
    usage=Usage(input_tokens=20, output_tokens=10, cached_tokens=5, cache_write_tokens=3, reasoning_tokens=4),
    id="msg_1",
    model="claude",
)


def test_every_field_is_written() -> None:
    """Everything an answer holds stands in the completion, in OpenAI's order."""
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "h", "format": "anthropic-claude-v1", "index": 1},
    ]
    empty = {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    message = {
        "role": "assistant",
        "content": "ab",
        "refusal": "no",
        "reasoning_content": "hmso",
        "reasoning_details": details,
        "tool_calls": [CALL, empty],
    }
    expected = {
        "id": "chatcmpl-msg_1",
        "object": "chat.completion",
        "created": 5,
        "model": "claude",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 10,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }
    assert json.dumps(expected) == json.dumps(body(WHOLE))


def test_the_least_answer() -> None:
    """What an answer does not hold is null, empty or absent, as OpenAI has it."""
    written = body(Answer(parts=(Text("a"),)))
    message = {"role": "assistant", "content": "a", "refusal": None}
    assert [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}] == written["choices"]
    assert "default" == written["model"], "who did not say its name is called what was asked for"
    assert "usage" not in written
    calls = body(Answer(parts=(ToolCall(id="c", name="f"),), stop=StopReason.TOOL))
    assert calls["choices"][0]["message"]["content"] is None
    assert "" == body(Answer(stop=StopReason.LENGTH))["choices"][0]["message"]["content"]
    refusal = body(Answer(parts=(Text("no", is_refusal=True),)))["choices"][0]["message"]
    assert (None, "no") == (refusal["content"], refusal["refusal"])
    usage = body(Answer(parts=(Text("a"),), usage=Usage(input_tokens=1)))["usage"]
    assert {"cached_tokens": 0} == usage["prompt_tokens_details"]


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (StopReason.END, "stop"),
        (StopReason.SEQUENCE, "stop"),
        (StopReason.PAUSE, "stop"),
        (StopReason.LENGTH, "length"),
        (StopReason.WINDOW, "length"),
        (StopReason.TOOL, "tool_calls"),
        (StopReason.FILTER, "content_filter"),
    ],
)
def test_written_finish_reasons(stop: StopReason, expected: str) -> None:
    """Every reason has its word."""
    assert expected == body(Answer(parts=(Text("a"),), stop=stop))["choices"][0]["finish_reason"]


def test_ids_keep_their_shape() -> None:
    """An answer's id looks like OpenAI's and holds the provider's own; without one it is made of the request."""
    assert "chatcmpl-x" == body(Answer(parts=(Text("a"),), id="chatcmpl-x"))["id"]
    minted = body(Answer(parts=(Text("a"),)))["id"]
    assert minted.startswith("chatcmpl-")
    assert len(minted) == len("chatcmpl-") + 24
    assert minted == body(Answer(parts=(Text("b"),)))["id"]
    assert minted != body(Answer(parts=(Text("a"),)), user="u")["id"]


@pytest.mark.parametrize("asked", [{"reasoning": {"exclude": True}}, {"include_reasoning": False}])
def test_hidden_thinking_is_left_out(asked: dict[str, Any]) -> None:
    """A client that wants no thinking gets none."""
    message = body(WHOLE, **asked)["choices"][0]["message"]
    assert ["role", "content", "refusal", "tool_calls"] == list(message)
    assert "reasoning_content" in body(WHOLE, reasoning={"effort": "low"})["choices"][0]["message"]


def test_an_older_client_gets_its_older_form() -> None:
    """A client that speaks of functions gets the first call as one."""
    choice = body(WHOLE, functions=[{"name": "f"}])["choices"][0]
    assert "function_call" == choice["finish_reason"]
    assert {"name": "f", "arguments": '{"a": 1}'} == choice["message"]["function_call"]
    assert "tool_calls" not in choice["message"]
    both = body(WHOLE, functions=[{"name": "f"}], tools=[{"type": "function", "function": {"name": "f"}}])
    assert "tool_calls" in both["choices"][0]["message"]


def test_a_written_answer_is_read_as_it_was() -> None:
    """What an answer says survives being written and read."""
    raw = WIRE.write_answer(
        Answer(
            parts=(
                Thinking(text="hm", signature="s"),
                Thinking(hidden="h"),
                Text("a"),
                ToolCall(id="c1", name="f", arguments='{"a": 1}'),
            ),
            stop=StopReason.TOOL,
            usage=WHOLE.usage,
            id="chatcmpl-1",
            model="m",
        ),
        ASKED,
        created_unix_s=1,
    )
    again = WIRE.write_answer(read(raw), ASKED, created_unix_s=1)
    assert raw == again
