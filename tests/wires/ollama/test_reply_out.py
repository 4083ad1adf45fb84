"""A whole answer is written as a client of `/api/chat` reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ollama import ChatResponse

from everup.shapes.chat import Answer, StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Usage
from tests.wires.ollama.make import CREATED, CREATED_UNIX_S, WIRE, ask


def written(answer: Answer) -> bytes:
    """Return an answer's body."""
    return WIRE.write_answer(answer, ask(model="mine"), created_unix_s=CREATED_UNIX_S)


def fields(answer: Answer) -> dict[str, Any]:
    """Return an answer's fields, which the official SDK reads to the same values."""
    body = written(answer)
    found: dict[str, Any] = json.loads(body)
    assert found.items() >= ChatResponse(**found).model_dump(exclude_none=True, exclude={"message"}).items()
    return found


def test_text() -> None:
    """An answer's text is the content, with model, time, reason and tokens."""
    usage = Usage(input_tokens=9, output_tokens=2, cached_tokens=5, reasoning_tokens=1)
    assert {
        "model": "m-1",
        "created_at": CREATED,
        "message": {"role": "assistant", "content": "45"},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 9,
        "eval_count": 2,
    } == fields(Answer(parts=(Text("4"), Text("5", is_refusal=True)), usage=usage, model="m-1", id="x"))


def test_what_is_not_known() -> None:
    """Without a model's name the client's is told, without tokens none are."""
    found = fields(Answer(parts=(Text("4"),)))
    assert "mine" == found["model"]
    assert not {"prompt_eval_count", "eval_count"} & found.keys()


def test_thinking() -> None:
    """Thinking is a field beside the text; what is hidden or signed cannot be told."""
    parts = (Thinking(text="h", signature="s"), Thinking(hidden="x"), Thinking(text="m"), Text("4"))
    assert {"role": "assistant", "content": "4", "thinking": "hm"} == fields(Answer(parts=parts))["message"]
    hidden = Answer(parts=(Thinking(hidden="x"), Text("4")))
    assert {"role": "assistant", "content": "4"} == fields(hidden)["message"]


def test_calls() -> None:
    """Tool calls are numbered, with object arguments byte for byte, as the official SDK reads them."""
    calls = (ToolCall(id="call_1", name="f", arguments='{"b":  1}'), ToolCall(id="call_2", name="g"))
    body = written(Answer(parts=calls, stop=StopReason.TOOL))
    assert (
        b'"tool_calls":[{"id":"call_1","function":{"index":0,"name":"f","arguments":{"b":  1}}},'
        b'{"id":"call_2","function":{"index":1,"name":"g","arguments":{}}}]'
    ) in body
    read = ChatResponse(**json.loads(body)).message.tool_calls
    assert [("f", {"b": 1}), ("g", {})] == [(each.function.name, each.function.arguments) for each in read or ()]


@pytest.mark.parametrize(
    ("arguments", "sent"), [('{"a":\n1}', b'{"a":1}'), ("null", b"{}"), (" ", b"{}"), ('{"a":', b'"{\\"a\\":"')]
)
def test_arguments(arguments: str, sent: bytes) -> None:
    """Arguments lose line ends only; what is no JSON stays the text that the model wrote."""
    body = written(Answer(parts=(ToolCall(id="c", name="f", arguments=arguments),)))
    assert b'"arguments":' + sent + b"}" in body
    assert b"\n" not in body


REASONS = {
    StopReason.END: "stop",
    StopReason.LENGTH: "length",
    StopReason.TOOL: "stop",
    StopReason.SEQUENCE: "stop",
    StopReason.FILTER: "stop",
    StopReason.PAUSE: "stop",
    StopReason.WINDOW: "length",
}


@pytest.mark.parametrize("stop", list(StopReason))
def test_reason(stop: StopReason) -> None:
    """Each reason has the word that Ollama has for it."""
    assert REASONS[stop] == fields(Answer(parts=(Text("4"),), stop=stop))["done_reason"]
