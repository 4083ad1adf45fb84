"""A whole answer is the message that the official SDK reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from everup.shapes.chat import Answer, StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Usage
from everup.wires.anthropic.reply_out import write_answer
from tests.wires.anthropic.client import ask

ASKED = ask(model="asked-for")
FULL = Answer(
    parts=(
        Thinking(text="hm", signature="s=="),
        Thinking(hidden="d=="),
        Text("It is warm."),
        ToolCall(id="toolu_1", name="f", arguments='{"b" : 1.50, "a":2}'),
    ),
    stop=StopReason.TOOL,
    usage=Usage(input_tokens=100, output_tokens=20, cached_tokens=30, cache_write_tokens=10, reasoning_tokens=5),
    id="msg_1",
    model="claude-x",
)


def told(**fields: Any) -> Any:
    """Return the JSON of an answer."""
    return json.loads(write_answer(Answer(**fields), ASKED, created_unix_s=1))


def block(part: Text | Thinking | ToolCall) -> Any:
    """Return the one block of an answer of one part."""
    (only,) = told(parts=(part,))["content"]
    return only


def test_message() -> None:
    """An answer is a message of the assistant, in this wire's order of fields."""
    found = told(parts=(Text("a"),), id="msg_1", model="claude-x")
    assert ("message", "assistant", "msg_1", "claude-x") == (found["type"], found["role"], found["id"], found["model"])
    names = ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"]
    assert names == list(found)


def test_text() -> None:
    """A text is a text block, an empty one is none."""
    assert {"type": "text", "text": "a\u00e9\n"} == block(Text("a\u00e9\n"))
    assert [] == told(parts=(Text(""),))["content"]


def test_thinking() -> None:
    """Thinking keeps its signature, hidden thinking its data."""
    assert {"type": "thinking", "thinking": "hm", "signature": "s"} == block(Thinking(text="hm", signature="s"))
    assert {"type": "redacted_thinking", "data": "d"} == block(Thinking(hidden="d"))


def test_tool_call() -> None:
    """A tool call keeps its id and name, and its arguments byte for byte."""
    call = ToolCall(id="call_1", name="f", arguments='{"b" : 1.50, "a":2}')
    assert {"type": "tool_use", "id": "call_1", "name": "f", "input": {"b": 1.5, "a": 2}} == block(call)
    raw = write_answer(Answer(parts=(call,)), ASKED, created_unix_s=1)
    assert b'"input":{"b" : 1.50, "a":2}' in raw


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("", {}), (" ", {}), ("null", {}), ("{}", {}), ('{"a"', '{"a"'), ("[1]", [1]), ("[" * 5000, "[" * 5000)],
)
def test_strange_arguments(arguments: str, expected: object) -> None:
    """No arguments are an empty object, broken ones stay what the model wrote."""
    assert expected == block(ToolCall(id="c", name="f", arguments=arguments))["input"]


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (StopReason.END, "end_turn"),
        (StopReason.LENGTH, "max_tokens"),
        (StopReason.TOOL, "tool_use"),
        (StopReason.SEQUENCE, "stop_sequence"),
        (StopReason.FILTER, "refusal"),
        (StopReason.PAUSE, "pause_turn"),
        (StopReason.WINDOW, "model_context_window_exceeded"),
    ],
)
def test_stop_reasons(stop: StopReason, expected: str) -> None:
    """Every reason to stop has this wire's word."""
    assert expected == told(stop=stop)["stop_reason"]


def test_stop_sequence() -> None:
    """The stop sequence that ended an answer is told, else there is none."""
    assert "END" == told(stop=StopReason.SEQUENCE, sequence="END")["stop_sequence"]
    assert told()["stop_sequence"] is None


def test_calls_are_the_reason() -> None:
    """An answer with tool calls that says it just ended, ended to call them; another reason stays."""
    call = ToolCall(id="c", name="f")
    assert "tool_use" == told(parts=(call,))["stop_reason"]
    assert "max_tokens" == told(parts=(call,), stop=StopReason.LENGTH)["stop_reason"]


def test_refusals_are_the_reason() -> None:
    """An answer of a refusal that says it just ended, is told as a refusal."""
    assert "refusal" == told(parts=(Text("No.", is_refusal=True),))["stop_reason"]


def test_usage() -> None:
    """Here the input excludes what was cached and what was written to the cache."""
    expected = {
        "input_tokens": 60,
        "cache_creation_input_tokens": 10,
        "cache_read_input_tokens": 30,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    assert expected == told(usage=FULL.usage)["usage"]


def test_no_usage() -> None:
    """An answer without usage has zeros, since clients add them up."""
    expected = {
        "input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
    }
    assert expected == told()["usage"]


def test_absurd_usage() -> None:
    """More cached than there was is no negative input."""
    assert 0 == told(usage=Usage(input_tokens=5, cached_tokens=9))["usage"]["input_tokens"]


def test_model_asked_for() -> None:
    """Where the provider names no model, the one asked for is told."""
    assert "asked-for" == told()["model"]


def test_ids_keep_their_shape() -> None:
    """An id of another wire becomes one of this wire's shape, always the same one."""
    found = told(id="chatcmpl-1")["id"]
    assert found.startswith("msg_")
    assert found == told(id="chatcmpl-1")["id"]
    assert found != told(id="chatcmpl-2")["id"]


def test_ids_are_minted() -> None:
    """An answer without an id gets one, made of what was asked and when."""
    found = told()["id"]
    assert found.startswith("msg_")
    assert found == told()["id"]
    later = json.loads(write_answer(Answer(), ASKED, created_unix_s=2))
    assert found != later["id"]


def test_the_official_types_accept_it() -> None:
    """The official SDK's own type reads a full answer, nothing missing and nothing coerced."""
    types = pytest.importorskip("anthropic.types", reason="the anthropic SDK is not installed")
    message = types.Message.model_validate_json(write_answer(FULL, ASKED, created_unix_s=1), strict=True)
    assert ["thinking", "redacted_thinking", "text", "tool_use"] == [block.type for block in message.content]
    assert ("tool_use", 60, 20) == (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens)
    assert 5 == message.usage.output_tokens_details.thinking_tokens
    assert {"b": 1.5, "a": 2} == message.content[3].input
