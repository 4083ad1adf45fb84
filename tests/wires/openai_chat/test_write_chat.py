"""A request of another wire becomes a chat completion's body."""

from __future__ import annotations

import json
from typing import Any

import pytest
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
    Part,
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
from everup.shapes.fault import FaultKind
from everup.shapes.route import Candidate
from everup.wires.openai_chat.quirks import NO_STREAM_OPTIONS
from tests.wires.openai_chat.chats import OPENROUTER
from tests.wires.support import WIRE, candidate

PLAIN = candidate("m")
HOUR = CacheMark("1h")
USER = Message(Role.USER, (Text("hi"),))


def body(to: Candidate = PLAIN, *, foreign: frozenset[str] | None = None, **fields: Any) -> dict[str, Any]:
    """Return the body of a request, decoded."""
    written = WIRE.write_chat(ChatRequest(**{"messages": (USER,), **fields}), to, foreign=foreign)
    assert written.fault is None
    return json.loads(written.body)  # type: ignore[no-any-return]


def rows(*messages: Message, to: Candidate = PLAIN, foreign: frozenset[str] | None = None) -> list[dict[str, Any]]:
    """Return the messages of a body."""
    return body(to, foreign=foreign, messages=messages)["messages"]  # type: ignore[no-any-return]


def test_the_least() -> None:
    """A request that says nothing else is a model and its messages."""
    assert {"model": "m", "messages": [{"role": "user", "content": "hi"}]} == body()


def test_every_field_in_a_fixed_order() -> None:
    """Each field is written by its name, in an order that never changes."""
    written = body(
        OPENROUTER,
        tools=(Tool(name="f", description="does", parameters=Raw(b'{"a":1}'), is_strict=True, cache=HOUR),),
        tool_choice=ToolChoice(),
        is_parallel=False,
        sampling=Sampling(
            temperature=0.5,
            top_p=0.25,
            top_k=4,
            min_p=0.125,
            seed=7,
            presence_penalty=1,
            frequency_penalty=2,
            stop=("a",),
        ),
        output_tokens_max=9,
        reasoning=Reasoning(effort=Effort.LOW, budget_tokens=5, is_shown=False),
        format=Format(schema=Raw(b'{"b":2}'), name="n", description="d", is_strict=False),
        user="u",
        is_stream=True,
    )
    mark = {"type": "ephemeral", "ttl": "1h"}
    function = {"name": "f", "description": "does", "parameters": {"a": 1}, "strict": True}
    schema = {"name": "n", "description": "d", "schema": {"b": 2}, "strict": False}
    expected = {
        "model": "anthropic/claude-sonnet-4.5",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": function, "cache_control": mark}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.25,
        "top_k": 4,
        "min_p": 0.125,
        "seed": 7,
        "presence_penalty": 1,
        "frequency_penalty": 2,
        "stop": ["a"],
        "max_tokens": 9,
        "reasoning": {"effort": "low", "max_tokens": 5, "exclude": True},
        "response_format": {"type": "json_schema", "json_schema": schema},
        "user": "u",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert json.dumps(expected) == json.dumps(written)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Text("a", HOUR), {"type": "text", "text": "a"}),
        (Text("a", is_refusal=True), {"type": "refusal", "refusal": "a"}),
        (Image(url="https://e.org/a", detail="low"), {"url": "https://e.org/a", "detail": "low"}),
        (Image(media_type="image/png", data="QUJD"), {"url": "data:image/png;base64,QUJD"}),
        (Audio("QUJD", "wav"), {"data": "QUJD", "format": "wav"}),
        (Document(text="whole", name="a"), {"type": "text", "text": "whole"}),
        (Document(file_id="f", name="a"), {"file_id": "f", "filename": "a"}),
        (
            Document(media_type="application/pdf", data="QUJD", name="a"),
            {"filename": "a", "file_data": "data:application/pdf;base64,QUJD"},
        ),
        (Document(data="QUJD"), {"file_data": "QUJD"}),
        (Document(url="https://e.org/a"), {"file_data": "https://e.org/a"}),
    ],
)
def test_parts(part: Part, expected: dict[str, Any]) -> None:
    """Each kind of part is written with all it holds; a provider that knows no cache marks gets none."""
    kind = {Image: "image_url", Audio: "input_audio", Document: "file"}.get(type(part), "")
    whole = expected if "type" in expected else {"type": kind, kind: expected}
    second = {"type": "text", "text": "b"}
    assert [{"role": "user", "content": [whole, second]}] == rows(Message(Role.USER, (part, Text("b"))))


def test_turns() -> None:
    """Roles, names, calls and results are written as this wire groups them."""
    calls = (ToolCall(id="c1", name="f", arguments='{"a": 1}'), ToolCall(id="c2", name="g", cache=HOUR))
    result = ToolResult(id="c1", parts=(Text("1"),), name="f", is_error=True)
    written = rows(
        Message(Role.SYSTEM, (Text("be"),), "Ann"),
        Message(Role.ASSISTANT, calls),
        Message(Role.TOOL, (result, ToolResult(id="c2", parts=(Text("2"), Text("3"))))),
        Message(Role.ASSISTANT, (Text("a"), calls[0])),
        Message(Role.USER, (ToolResult(id="c1"), Text("so"))),
        Message(Role.ASSISTANT, ()),
    )
    one = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    two = {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}
    many = [{"type": "text", "text": "2"}, {"type": "text", "text": "3"}]
    assert written == [
        {"role": "system", "name": "Ann", "content": "be"},
        {"role": "assistant", "content": None, "tool_calls": [one, two]},
        {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": many},
        {"role": "assistant", "content": "a", "tool_calls": [one]},
        {"role": "tool", "tool_call_id": "c1", "content": ""},
        {"role": "user", "content": "so"},
        {"role": "assistant", "content": ""},
    ]


def test_marks_go_where_they_are_understood() -> None:
    """A provider with OpenRouter's words gets cache marks on parts, calls and results."""
    written = rows(
        Message(Role.USER, (Text("a", CacheMark()),)),
        Message(Role.USER, (Image(url="u", cache=HOUR), Document(file_id="f", cache=HOUR))),
        Message(Role.ASSISTANT, (ToolCall(id="c", name="f", cache=HOUR), Text("n", HOUR, is_refusal=True))),
        Message(Role.TOOL, (ToolResult(id="c", cache=HOUR),)),
        to=OPENROUTER,
    )
    hour = {"type": "ephemeral", "ttl": "1h"}
    assert [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}] == written[0]["content"]
    assert [hour, hour] == [part["cache_control"] for part in written[1]["content"]]
    assert hour == written[2]["tool_calls"][0]["cache_control"]
    assert hour == written[2]["content"][0]["cache_control"]
    assert hour == written[3]["cache_control"]


THOUGHT = Message(
    Role.ASSISTANT,
    (Thinking(text="hm", signature="s"), Thinking(hidden="h"), Thinking(text="unsigned"), Text("a")),
)
DETAILS = [
    {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "h", "format": "anthropic-claude-v1", "index": 1},
]


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [
        (None, DETAILS),
        (frozenset({"x"}), DETAILS),
        (frozenset({"h"}), DETAILS[:1]),
        (frozenset({"s"}), [{**DETAILS[1], "index": 0}]),
        (frozenset({"*"}), None),
    ],
)
def test_thinking(foreign: frozenset[str] | None, expected: object) -> None:
    """Thinking that can be replayed goes back, except what somebody else minted."""
    assert expected == rows(THOUGHT, to=OPENROUTER, foreign=foreign)[0].get("reasoning_details")
    assert [{"role": "assistant", "content": "a"}] == rows(THOUGHT, foreign=foreign)
    said = Message(Role.USER, THOUGHT.parts)
    assert [{"role": "user", "content": "a"}] == rows(said, to=OPENROUTER, foreign=foreign)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice(ToolMode.NONE), "none"),
        (ToolChoice(ToolMode.REQUIRED), "required"),
        (ToolChoice(ToolMode.NAMED, ("f",)), {"type": "function", "function": {"name": "f"}}),
        (
            ToolChoice(ToolMode.AUTO, ("f",)),
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
        ),
    ],
)
def test_choices(choice: ToolChoice, expected: object) -> None:
    """Each choice among tools is written."""
    assert expected == body(tool_choice=choice)["tool_choice"]


@pytest.mark.parametrize(
    ("reasoning", "effort", "table"),
    [
        (Reasoning(effort=Effort.XHIGH), "xhigh", {"effort": "xhigh"}),
        (Reasoning(budget_tokens=0), "none", {"max_tokens": 0}),
        (Reasoning(budget_tokens=1024), "low", {"max_tokens": 1024}),
        (Reasoning(budget_tokens=2048), "medium", {"max_tokens": 2048}),
        (Reasoning(budget_tokens=12_288), "high", {"max_tokens": 12_288}),
        (Reasoning(effort=Effort.LOW, budget_tokens=32_000), "low", {"effort": "low", "max_tokens": 32_000}),
        (Reasoning(is_adaptive=True), None, {"enabled": True}),
        (Reasoning(is_shown=False), None, {"exclude": True}),
        (Reasoning(), None, None),
    ],
)
def test_reasoning(reasoning: Reasoning, effort: str | None, table: dict[str, Any] | None) -> None:
    """A budget is the nearest effort, except where the provider can be told the budget itself."""
    assert effort == body(reasoning=reasoning).get("reasoning_effort")
    assert table == body(OPENROUTER, reasoning=reasoning).get("reasoning")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4.1-mini", "max_tokens"),
        ("gpt-5-mini", "max_completion_tokens"),
        ("o1", "max_completion_tokens"),
        ("o3", "max_completion_tokens"),
        ("openai/o4-mini", "max_completion_tokens"),
        ("o3x/other", "max_tokens"),
    ],
)
def test_the_limits_name(model: str, name: str) -> None:
    """The field that limits an answer is the one that the model takes."""
    assert {name: 5} == {
        key: value for key, value in body(candidate(model), output_tokens_max=5).items() if "max" in key
    }


def test_formats_and_tools_at_their_least() -> None:
    """A form without a schema, a schema without a name, and a tool without anything are written."""
    assert {"type": "json_object"} == body(format=Format())["response_format"]
    schema = {"name": "answer", "schema": {}}
    assert {"type": "json_schema", "json_schema": schema} == body(format=Format(schema=Raw(b"{}")))["response_format"]
    assert [{"type": "function", "function": {"name": "f", "parameters": {}}}] == body(tools=(Tool(name="f"),))["tools"]


def test_streams_ask_for_their_usage() -> None:
    """A stream's usage is asked for, except of a provider that refuses the question."""
    shy = candidate("m", quirks=frozenset({NO_STREAM_OPTIONS}))
    assert {"include_usage": True} == body(is_stream=True)["stream_options"]
    assert body(shy, is_stream=True)["stream"] is True
    assert "stream_options" not in body(shy, is_stream=True)


def test_params_stand_under_the_requests_own() -> None:
    """Configured params are added where the request says nothing, inside tables too."""
    params = {
        "top_p": 0.5,
        "temperature": 0.9,
        "max_completion_tokens": 7,
        "model": "x",
        "messages": [],
        "reasoning": {"effort": "high", "exclude": True},
        "response_format": {"strict": True},
    }
    to = candidate("m", params=params)
    written = body(to, sampling=Sampling(temperature=0.1), output_tokens_max=5, format=Format())
    assert {**written, "model": "m", "temperature": 0.1, "max_tokens": 5, "top_p": 0.5} == written
    assert "max_completion_tokens" not in written
    assert {"type": "json_object", "strict": True} == written["response_format"]
    assert params["reasoning"] == written["reasoning"]
    assert [{"role": "user", "content": "hi"}] == written["messages"]


def test_what_is_dropped_is_named() -> None:
    """Fields without a word in this wire are named by their own names."""
    request = ChatRequest(messages=(USER,), keep_alive='"5m"', unread=("shape", "colour"))
    assert ("keep_alive", "shape", "colour") == WIRE.write_chat(request, PLAIN, foreign=None).dropped


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (Message(Role.USER, (Text("a"), Image(file_id="f"))), "messages[1].parts[1]"),
        (Message(Role.USER, (Document(name="a"),)), "messages[1].parts[0]"),
        (Message(Role.TOOL, (ToolResult(id="c", parts=(Image(url="u"),)),)), "messages[1].parts[0]"),
    ],
)
def test_what_cannot_be_written_is_a_fault(message: Message, place: str) -> None:
    """A part that this wire has no place for is a fault that names it, before anything is sent."""
    written = WIRE.write_chat(ChatRequest(messages=(USER, message)), PLAIN, foreign=None)
    assert written.fault is not None
    assert (b"", FaultKind.UNSUPPORTED, place) == (written.body, written.fault.kind, written.fault.param)
    assert written.fault.message.startswith(place)
