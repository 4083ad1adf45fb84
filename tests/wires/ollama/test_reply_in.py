"""A whole answer of an Ollama server is read into parts, a reason and its tokens, or into the fault that it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs
from ollama import ChatResponse

from everup.shapes.chat import Answer, ChatRequest, Reasoning, Role, StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Usage
from everup.shapes.fault import FaultKind
from everup.wires.mint import mint_call_id
from tests.wires.ollama.make import CREATED, JSON, WIRE, call, candidate, chat, say


def answer(request: ChatRequest | None = None, /, **fields: Any) -> Answer:
    """Return how a whole answer is read."""
    reply = {"model": "qwen3:8b", "created_at": CREATED, "done": True, "done_reason": "stop", **fields}
    return WIRE.read_answer(JSON, json.dumps(reply).encode(), request, candidate())


def said(request: ChatRequest | None = None, /, **message: Any) -> Answer:
    """Return how an answer with this message is read."""
    return answer(request, message={"role": "assistant", **message})


def fault_kind(body: bytes, content_type: str = JSON) -> tuple[FaultKind, str]:
    """Return the kind and the row of what is no answer."""
    fault = WIRE.read_answer(content_type, body, None, candidate()).fault
    assert fault is not None
    return fault.kind, fault.rule


def test_text_is_a_part() -> None:
    """The content is the answer's text, the model is who gave it, and there is no id."""
    assert Answer(parts=(Text("4"),), model="qwen3:8b") == said(content="4")


def test_a_missing_model_is_not_said() -> None:
    """A server that does not tell its model has said none."""
    assert "" == answer(message={"content": "4"}, model=None).model


def test_thinking_comes_before_text() -> None:
    """Thinking is a part of its own before the text."""
    assert (Thinking(text="hm"), Text("4")) == said(content="4", thinking="hm").parts


def test_thinking_can_be_left_out() -> None:
    """Who asked not to see the thinking does not."""
    request = chat(reasoning=Reasoning(is_shown=False))
    assert (Text("4"),) == said(request, content="4", thinking="hm").parts
    assert (Thinking(text="hm"), Text("4")) == said(chat(reasoning=Reasoning()), content="4", thinking="hm").parts


def test_calls_come_last_and_keep_their_bytes() -> None:
    """Tool calls are parts with the server's ids, their arguments as it wrote them."""
    body = (
        b'{"model":"m","message":{"role":"assistant","content":"wait","tool_calls":['
        b'{"id":"call_a","function":{"index":0,"name":"f","arguments":{"b":  1,"a":"\\u00e9"}}},'
        b'{"function":{"name":"g","arguments":{}}}]},"done":true,"done_reason":"stop"}'
    )
    request = chat(say("one"), say("two"))
    first = ToolCall(id="call_a", name="f", arguments='{"b":  1,"a":"\\u00e9"}')
    second = ToolCall(id=mint_call_id(2, 1, "g", "{}"), name="g", arguments="{}")
    found = WIRE.read_answer(JSON, body, request, candidate())
    assert (Text("wait"), first, second) == found.parts
    assert StopReason.TOOL is found.stop


@pytest.mark.parametrize(
    ("arguments", "text"), [({"a": 1}, '{"a": 1}'), ("{}", "{}"), ('{"a":1}', '{"a":1}'), (None, "")]
)
def test_arguments_may_be_a_text(arguments: object, text: str) -> None:
    """Arguments that a server wrote as a text are that text, and null is none."""
    part = said(tool_calls=[{"function": {"name": "f", "arguments": arguments}}]).parts[0]
    assert isinstance(part, ToolCall)
    assert text == part.arguments


def test_a_minted_id_is_that_of_its_place() -> None:
    """An id that the server did not give is made of where the call stands and what it says."""
    one = said(chat(), tool_calls=[call(), call()]).parts
    again = said(chat(), tool_calls=[call(), call()]).parts
    longer = said(chat(say("a"), say("b")), tool_calls=[call()]).parts
    assert one == again
    assert 3 == len({part.id for part in (*one, *longer) if isinstance(part, ToolCall)})


STOPS = (
    ("stop", {"content": "4"}, StopReason.END),
    ("length", {"content": "4"}, StopReason.LENGTH),
    ("length", {"content": ""}, StopReason.LENGTH),
    ("novel", {"content": "4"}, StopReason.END),
    (None, {"content": "4"}, StopReason.END),
    ("stop", {"tool_calls": [call()]}, StopReason.TOOL),
    ("length", {"tool_calls": [call()]}, StopReason.LENGTH),
)


@pytest.mark.parametrize(("word", "message", "stop"), STOPS)
def test_reason(word: str | None, message: dict[str, Any], stop: StopReason) -> None:
    """Each reason is read, and an end with tool calls is a wish for their results."""
    found = answer(message=message, done_reason=word)
    assert (stop, None) == (found.stop, found.fault)


USAGES = (
    ({"prompt_eval_count": 26, "eval_count": 290}, Usage(input_tokens=26, output_tokens=290)),
    ({"prompt_eval_count": 26}, Usage(input_tokens=26, output_tokens=0)),
    ({"eval_count": 5}, Usage(input_tokens=2, output_tokens=5, is_estimated=True)),
    ({"prompt_eval_count": -1, "eval_count": 5}, Usage(input_tokens=2, output_tokens=5, is_estimated=True)),
    ({"prompt_eval_count": "9"}, None),
    ({}, None),
)


@pytest.mark.parametrize(("counts", "usage"), USAGES)
def test_tokens(counts: dict[str, Any], usage: Usage | None) -> None:
    """Counts are told as they are; a prompt that was all in the server's cache is estimated from its text."""
    request = chat(say("12345678"), say("", Role.ASSISTANT))
    assert usage == answer(request, message={"content": "4"}, **counts).usage


@pytest.mark.parametrize("reason", ["stop", "load", "unload", None])
def test_nothing_said_is_an_empty_answer(reason: str | None) -> None:
    """An answer without anything in it is none, and loading a model is not an answer."""
    fault = answer(message={"role": "assistant", "content": ""}, done_reason=reason).fault
    assert fault is not None
    assert FaultKind.EMPTY_ANSWER is fault.kind


BROKEN = (
    (b"", JSON, FaultKind.EMPTY_BODY, "5.30"),
    (b"<html></html>", "text/html", FaultKind.HTML_PAGE, "5.32"),
    (b'{"message":', JSON, FaultKind.MALFORMED, "5.34"),
    (b'{"message":{"content":"\xff"},"done":true}', JSON, FaultKind.MALFORMED, "5.34"),
    (b'{"message":{"content":"4"},"x":"\xff","done":true}', JSON, FaultKind.MALFORMED, "5.34"),
    (b"[" * 5000, JSON, FaultKind.MALFORMED, "5.34"),
    (b"[]", JSON, FaultKind.MALFORMED, "5.34"),
    (b'{"done":true}', JSON, FaultKind.MALFORMED, "5.34"),
    (b'{"message":"4","done":true}', JSON, FaultKind.MALFORMED, "5.34"),
    (b'{"error":"llama runner process has terminated: exit status 2"}', JSON, FaultKind.SERVER_ERROR, "5.31"),
    (b'{"message":{"content":"4"},"done":false}', JSON, FaultKind.CUT, "5.39"),
    (b'{"error":{"a":1}}', JSON, FaultKind.SERVER_ERROR, "5.31"),
    (b'{"error":["a"]}', JSON, FaultKind.SERVER_ERROR, "5.31"),
    (b'{"detail":"the input length exceeds the context length"}', JSON, FaultKind.CONTEXT_OVERFLOW, "5.3"),
    (b'{"code":"x","message":"overloaded"}', JSON, FaultKind.OVERLOADED, "5.26"),
    (b'{"message":"overloaded","done":true}', JSON, FaultKind.MALFORMED, "5.34"),
    (b'{"error":"CUDA error: out of memory","message":7}', JSON, FaultKind.OUT_OF_MEMORY, "5.57"),
    (b'{"error":"the input length exceeds the context length"}', JSON, FaultKind.CONTEXT_OVERFLOW, "5.3"),
)


@pytest.mark.parametrize(("body", "content_type", "kind", "row"), BROKEN)
def test_what_is_no_answer(body: bytes, content_type: str, kind: FaultKind, row: str) -> None:
    """Each body that is no answer means its kind and row, an error inside a 200 among them."""
    assert (kind, row) == fault_kind(body, content_type)


def test_a_byte_order_mark_is_no_fault() -> None:
    """A byte order mark before the answer is skipped."""
    body = b'\xef\xbb\xbf{"message":{"content":"4"},"done":true}'
    assert (Text("4"),) == WIRE.read_answer(JSON, body, None, candidate()).parts


def test_the_sdks_own_answer_is_read() -> None:
    """An answer made of the official SDK's type is read to the same values."""
    made = ChatResponse(
        model="qwen3:8b",
        created_at=CREATED,
        done=True,
        done_reason="stop",
        total_duration=5,
        load_duration=1,
        prompt_eval_count=26,
        prompt_eval_duration=2,
        eval_count=7,
        eval_duration=2,
        message={  # type: ignore[arg-type]  # pydantic makes its own type of it
            "role": "assistant",
            "content": "4",
            "thinking": "hm",
            "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
        },
    )
    found = WIRE.read_answer(JSON, made.model_dump_json().encode(), chat(), candidate())
    last = found.parts[-1]
    assert isinstance(last, ToolCall)
    assert (Thinking(text="hm"), Text("4"), ToolCall(id="", name="f", arguments='{"a":1}')) == (
        *found.parts[:-1],
        structs.replace(last, id=""),
    )
    assert (StopReason.TOOL, Usage(input_tokens=26, output_tokens=7)) == (found.stop, found.usage)
