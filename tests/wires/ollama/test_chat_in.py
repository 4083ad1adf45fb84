"""A client's `/api/chat` request is read into no wire's words, and what cannot be is named."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from everup.shapes.chat import (
    ChatRequest,
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
    ToolResult,
)
from everup.shapes.fault import Fault, FaultKind
from everup.wires.mint import mint_call_id
from tests.wires.ollama.make import LIMITS, PNG, WIRE, ask, call


def read(**fields: Any) -> ChatRequest:
    """Return a request in no wire's words."""
    found = WIRE.read_chat(ask(**fields))
    assert isinstance(found, ChatRequest), found.message
    return found


def turns(*messages: dict[str, Any]) -> tuple[Message, ...]:
    """Return the turns of some messages."""
    return read(messages=list(messages)).messages


def refused(**fields: Any) -> Fault:
    """Return the fault of what cannot be said."""
    found = WIRE.read_chat(ask(**fields))
    assert isinstance(found, Fault)
    assert FaultKind.UNSUPPORTED is found.kind
    return found


def test_the_least_request() -> None:
    """A request that says nothing else is a user's turn, streamed."""
    assert ChatRequest(messages=(Message(Role.USER, (Text("hi"),)),), is_stream=True) == read()


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_role_and_text(role: str) -> None:
    """Role and content are who speaks and what; the role may be in capitals, as Ollama allows."""
    assert (Message(Role(role), (Text("a"),)),) == turns({"role": role.upper(), "content": "a"})


def test_an_empty_content_is_no_part() -> None:
    """An empty or absent content is a turn without parts."""
    assert (Message(Role.USER, ()), Message(Role.USER, ())) == turns({"role": "user", "content": ""}, {"role": "user"})


KINDS = (
    (PNG, "image/png"),
    ("/9j/4AAQ", "image/jpeg"),
    ("R0lGODlh", "image/gif"),
    ("UklGRh4A", "image/webp"),
    ("AAAA", ""),
)


@pytest.mark.parametrize(("data", "kind"), KINDS)
def test_images_have_the_type_of_their_first_bytes(data: str, kind: str) -> None:
    """An image's type, which this wire does not tell, is seen by its first bytes."""
    message = {"role": "user", "content": "what?", "images": [data]}
    assert (Message(Role.USER, (Text("what?"), Image(media_type=kind, data=data))),) == turns(message)


def test_thinking_comes_first() -> None:
    """A turn's thinking is its first part."""
    message = {"role": "assistant", "content": "4", "thinking": "hm"}
    assert (Message(Role.ASSISTANT, (Thinking(text="hm"), Text("4"))),) == turns(message)


def test_calls_and_results_find_each_other() -> None:
    """Calls keep their ids or get those of their answer; results find theirs by id, by name or by order."""
    made = [call("f", {"a": 1}, id="call_a"), call("g", {"b": 2}), call("g")]
    second, third = mint_call_id(1, 1, "g", '{"b": 2}'), mint_call_id(1, 2, "g", "{}")
    found = turns(
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "tool_calls": made},
        {"role": "tool", "tool_name": "g", "content": "two"},
        {"role": "tool", "content": "one", "tool_call_id": "call_a", "images": [PNG]},
        {"role": "tool", "content": "three"},
        {"role": "tool", "tool_call_id": "call_z", "tool_name": "z"},
    )
    calls = (
        ToolCall(id="call_a", name="f", arguments='{"a": 1}'),
        ToolCall(id=second, name="g", arguments='{"b": 2}'),
        ToolCall(id=third, name="g", arguments="{}"),
    )
    assert calls == found[1].parts
    results: list[tuple[Part, ...]] = [
        (ToolResult(id=second, name="g", parts=(Text("two"),)),),
        (ToolResult(id="call_a", parts=(Text("one"), Image(media_type="image/png", data=PNG))),),
        (ToolResult(id=third, parts=(Text("three"),)),),
        (ToolResult(id="call_z", name="z"),),
    ]
    assert results == [message.parts for message in found[2:]]
    assert {Role.TOOL} == {message.role for message in found[2:]}


def test_tools_keep_their_schema_byte_for_byte() -> None:
    """A tool's schema is the client's bytes, none is an empty one."""
    schema = b'{"type":  "object"}'
    body = b'{"model":"m","messages":[{"role":"user"}],"tools":[{"type":"function","function":{"name":"f",'
    body += b'"description":"d","parameters":' + schema + b'}},{"function":{"name":"g","parameters":null}}]}'
    found = WIRE.read_chat(WIRE.read_request(body, LIMITS))
    assert isinstance(found, ChatRequest)
    assert (Tool(name="f", description="d", parameters=Raw(schema)), Tool(name="g")) == found.tools


SAMPLED: tuple[tuple[dict[str, Any], Sampling], ...] = (
    ({"temperature": 0.5}, Sampling(temperature=0.5)),
    ({"top_p": 0.5}, Sampling(top_p=0.5)),
    ({"top_k": 4}, Sampling(top_k=4)),
    ({"min_p": 0.5}, Sampling(min_p=0.5)),
    ({"seed": 4}, Sampling(seed=4)),
    ({"presence_penalty": 0.5}, Sampling(presence_penalty=0.5)),
    ({"frequency_penalty": 0.5}, Sampling(frequency_penalty=0.5)),
    ({"stop": ["a", "", "b"]}, Sampling(stop=("a", "b"))),
    ({"stop": "a"}, Sampling(stop=("a",))),
    ({}, Sampling()),
)


@pytest.mark.parametrize(("options", "sampling"), SAMPLED)
def test_sampling(options: dict[str, Any], sampling: Sampling) -> None:
    """Each option that steers the choice of words is read."""
    found = read(options=options)
    assert (sampling, ()) == (found.sampling, found.unread)


@pytest.mark.parametrize(("given", "limit"), [(7, 7), (-1, None), (-2, None), (0, None), (None, None)])
def test_limit(given: int | None, limit: int | None) -> None:
    """The most tokens of an answer are read; what is below 1 means none."""
    assert limit == read(options={"num_predict": given}).output_tokens_max


THOUGHT: tuple[tuple[object, Reasoning | None, tuple[str, ...]], ...] = (
    (True, Reasoning(effort=Effort.MEDIUM), ()),
    (False, Reasoning(effort=Effort.NONE), ()),
    ("low", Reasoning(effort=Effort.LOW), ()),
    ("max", Reasoning(effort=Effort.MAX), ()),
    (None, None, ()),
    ("wildly", None, ("think",)),
)


@pytest.mark.parametrize(("think", "reasoning", "unread"), THOUGHT)
def test_think(think: object, reasoning: Reasoning | None, unread: tuple[str, ...]) -> None:
    """Thinking on, off, or at a level is an effort; an unknown level is named."""
    found = read(think=think)
    assert (reasoning, unread) == (found.reasoning, found.unread)


FORMATS: tuple[tuple[object, Format | None], ...] = (
    ("json", Format()),
    ({"type": "object"}, Format(schema=Raw(b'{"type": "object"}'))),
    ("", None),
    (None, None),
)


@pytest.mark.parametrize(("given", "format_"), FORMATS)
def test_format(given: object, format_: Format | None) -> None:
    """A format is any JSON object, a schema's bytes, or none."""
    assert format_ == read(format=given).format


def test_keep_alive_and_stream() -> None:
    """How long a model stays loaded is kept as JSON, and so is whether to stream."""
    found = read(keep_alive="5m", stream=False)
    assert ('"5m"', False) == (found.keep_alive, found.is_stream)
    assert ("0", True) == (read(keep_alive=0).keep_alive, read().is_stream)


def test_what_has_no_word_is_named() -> None:
    """Fields and options that no other wire knows are named in their order, empty ones are not."""
    found = read(
        truncate=True, shift=False, logprobs=True, template="", options={"num_ctx": 1, "seed": 1, "mirostat": 2}
    )
    assert ("truncate", "logprobs", "options.num_ctx", "options.mirostat") == found.unread


def test_names_are_bounded() -> None:
    """No more names are kept than a header can hold."""
    assert 64 == len(read(options={f"o{number}": 1 for number in range(100)}).unread)


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"messages": [{"role": "user"}, {"role": "critic", "content": "secret"}]}, "messages[1].role"),
    ({"messages": [{"role": "user", "content": ["secret"]}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "images": "secret"}]}, "messages[0].images"),
    ({"messages": [{"role": "tool", "content": "secret"}]}, "messages[0].tool_name"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"name": "secret"}]}]}, "messages[0].tool_calls[0]"),
    ({"tools": [{"function": {"name": 7}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "search", "function": {"name": "secret"}}]}, "tools[0].type"),
    ({"tools": [{"function": {"name": "f", "parameters": "secret"}}]}, "tools[0].function.parameters"),
    ({"options": {"temperature": "secret"}}, "options.temperature"),
    ({"options": "secret"}, "options"),
    ({"think": 7}, "think"),
    ({"format": "yaml"}, "format"),
)


@pytest.mark.parametrize(("fields", "place"), REFUSED)
def test_what_cannot_be_said(fields: dict[str, Any], place: str) -> None:
    """What no other wire could be told is a fault that names its place and repeats no content."""
    fault = refused(**fields)
    assert place == fault.param
    assert f"'{place}'" in fault.message
    assert "secret" not in fault.message
