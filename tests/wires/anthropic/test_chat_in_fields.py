"""Every top-level field of a Messages request is read, named or told to have no counterpart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from everup.shapes.chat import (
    CacheMark,
    ChatRequest,
    Effort,
    Format,
    Reasoning,
    ToolChoice,
    ToolMode,
)
from everup.wires.anthropic.chat_in import UNREAD_MAX, read_chat
from everup.wires.anthropic.request_in import read_request
from tests.wires.anthropic.client import LIMITS, SCHEMA, chat, refused, turn

HOUR = {"type": "ephemeral", "ttl": "1h"}
MARK = {"type": "ephemeral"}
BASE64 = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
TOOL = {"name": "f", "input_schema": SCHEMA}


def test_tools() -> None:
    """A tool keeps its name, description, strictness and cache mark."""
    (plain, full) = chat(
        tools=[TOOL, {**TOOL, "type": "custom", "description": "what it does", "strict": True, "cache_control": HOUR}]
    ).tools
    assert ("f", "", None, None) == (plain.name, plain.description, plain.is_strict, plain.cache)
    assert ("f", "what it does", True, CacheMark("1h")) == (full.name, full.description, full.is_strict, full.cache)


def test_schemas_pass_byte_for_byte() -> None:
    """A tool's schema is the client's own bytes."""
    body = b"""{"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": [
        {"name": "f", "input_schema": {"type" : "object",  "b":1, "a" : 2}}]}"""
    found = read_chat(read_request(body, LIMITS))
    assert isinstance(found, ChatRequest)
    assert b'{"type" : "object",  "b":1, "a" : 2}' == bytes(found.tools[0].parameters)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, ToolChoice(ToolMode.AUTO)),
        ({"type": "any"}, ToolChoice(ToolMode.REQUIRED)),
        ({"type": "tool", "name": "f"}, ToolChoice(ToolMode.NAMED, ("f",))),
        ({"type": "none"}, ToolChoice(ToolMode.NONE)),
        (None, None),
    ],
)
def test_tool_choice(choice: object, expected: ToolChoice | None) -> None:
    """Each way to choose a tool is read, without an opinion on parallel calls."""
    found = chat(tools=[TOOL], tool_choice=choice)
    assert (expected, None) == (found.tool_choice, found.is_parallel)


@pytest.mark.parametrize("choice", [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "f"}])
@pytest.mark.parametrize("is_disabled", [True, False])
def test_parallel_calls(choice: dict[str, object], *, is_disabled: bool) -> None:
    """Every choice may say whether several calls at a time are wanted."""
    found = chat(tools=[TOOL], tool_choice={**choice, "disable_parallel_tool_use": is_disabled})
    assert (not is_disabled) is found.is_parallel


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.5), ("temperature", 1), ("top_p", 0.9), ("top_k", 40)])
def test_sampling(name: str, value: float) -> None:
    """Each number that steers the choice of words is read."""
    assert value == getattr(chat(**{name: value}).sampling, name)


def test_stop_sequences() -> None:
    """Stop sequences keep their order."""
    assert ("a", "b") == chat(stop_sequences=["a", "b"]).sampling.stop


def test_limit_of_the_answer() -> None:
    """The limit on the answer is read."""
    assert 77 == chat(max_tokens=77).output_tokens_max


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort=Effort.NONE)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Reasoning(budget_tokens=2048)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}},
            Reasoning(budget_tokens=2048, is_shown=False),
        ),
        ({"thinking": {"type": "adaptive"}}, Reasoning(is_adaptive=True)),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, Reasoning(is_adaptive=True)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Reasoning(is_adaptive=True, is_shown=False)),
        ({"output_config": {"effort": "max"}}, Reasoning(effort=Effort.MAX)),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            Reasoning(is_adaptive=True, effort=Effort.LOW),
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "xhigh"}},
            Reasoning(budget_tokens=2048, effort=Effort.XHIGH),
        ),
    ],
)
def test_reasoning(fields: dict[str, Any], expected: Reasoning | None) -> None:
    """Thinking, its budget, its display and the effort are read."""
    assert chat(**fields).reasoning == expected


@pytest.mark.parametrize("word", ["low", "medium", "high", "xhigh", "max"])
def test_every_effort(word: str) -> None:
    """Each effort of this wire is read."""
    reasoning = chat(output_config={"effort": word}).reasoning
    assert reasoning
    assert Effort(word) is reasoning.effort


def test_unknown_effort_is_named() -> None:
    """An effort that nobody here knows is named, and changes nothing."""
    found = chat(output_config={"effort": "ludicrous"})
    assert (None, ("output_config.effort",)) == (found.reasoning, found.unread)


def test_effort_without_thinking_is_named() -> None:
    """An effort beside thinking that is off is named: other wires have one word for both."""
    assert ("output_config.effort",) == chat(thinking={"type": "disabled"}, output_config={"effort": "low"}).unread


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"output_format": {"type": "json_schema", "schema": {"type": "object"}}},
    ],
)
def test_format(fields: dict[str, Any]) -> None:
    """The schema of a structured answer is read, under its old name too."""
    found = chat(**fields).format
    assert isinstance(found, Format)
    assert found.schema is not None
    assert {"type": "object"} == json.loads(bytes(found.schema))


def test_schema_of_the_answer_passes_byte_for_byte() -> None:
    """The schema of a structured answer is the client's own bytes."""
    body = b"""{"model": "m", "messages": [{"role": "user", "content": "a"}],
        "output_config": {"format": {"type": "json_schema", "schema": {"b" : 1,"a":2}}}}"""
    found = read_chat(read_request(body, LIMITS))
    assert isinstance(found, ChatRequest)
    assert found.format
    assert found.format.schema
    assert b'{"b" : 1,"a":2}' == bytes(found.format.schema)


def test_stream() -> None:
    """Whether the answer is streamed is read."""
    assert (True, False) == (chat(stream=True).is_stream, chat(stream=False).is_stream)
    assert () == chat(stream=True).unread


def test_user() -> None:
    """Whom a request is for is read."""
    assert ("u1", "", "") == (chat(metadata={"user_id": "u1"}).user, chat(metadata={}).user, chat().user)


def test_fields_without_a_word_are_named() -> None:
    """Top-level fields that only this wire has are named in the client's order, those that say nothing are not."""
    found = chat(service_tier="auto", container=None, inference_geo="eu", betas=[], cache_control=MARK)
    assert ("service_tier", "inference_geo", "cache_control") == found.unread


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"output_config": {"task_budget": {"total": 9}}}, "output_config.task_budget"),
        ({"tools": [{**TOOL, "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [{**TOOL, "input_examples": [{"a": 1}]}]}, "tools[0].input_examples"),
        ({"tools": [{**TOOL, "allowed_callers": ["direct"]}]}, "tools[0].allowed_callers"),
        ({"tools": [{**TOOL, "eager_input_streaming": True}]}, "tools[0].eager_input_streaming"),
        (
            {"messages": turn({"type": "text", "text": "a", "citations": [{}]}, role="assistant")},
            "messages[0].content[0].citations",
        ),
        (
            {"messages": turn({"type": "document", "source": PDF, "citations": {"enabled": True}})},
            "messages[0].content[0].citations",
        ),
        (
            {"messages": turn({"type": "document", "source": PDF, "context": "from a shelf"})},
            "messages[0].content[0].context",
        ),
    ],
)
def test_inner_fields_without_a_word_are_named(fields: dict[str, Any], name: str) -> None:
    """Inner fields that only this wire has are named by their place."""
    assert (name,) == chat(**fields).unread


def test_names_are_bounded() -> None:
    """However much has no word elsewhere, the list of names stays short."""
    blocks = [{"type": "text", "text": "a", "citations": [{}]} for _ in range(500)]
    assert UNREAD_MAX == len(chat(messages=turn(*blocks)).unread)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        (
            {"messages": turn({"type": "server_tool_use", "id": "a", "name": "b", "input": {}}, role="assistant")},
            "type",
        ),
        ({"messages": turn({"type": "web_search_tool_result", "content": []}, role="assistant")}, "type"),
        ({"messages": turn({"type": "search_result", "content": []})}, "type"),
        ({"messages": turn({"type": "container_upload", "file_id": "f"})}, "type"),
        ({"messages": turn({"type": "image", "source": BASE64}, role="assistant")}, "type"),
        ({"messages": turn({"type": "tool_use", "id": "a", "name": "b", "input": {}})}, "type"),
        ({"messages": turn({"type": "image", "source": BASE64}, role="system")}, "type"),
        (
            {"messages": turn({"type": "document", "source": {"type": "content", "content": [{"type": "text"}]}})},
            "source.content",
        ),
        ({"messages": turn({"type": "image", "source": {"type": "tape"}})}, "source.type"),
        ({"messages": turn({"type": "text", "text": 7})}, "text"),
        (
            {
                "messages": turn(
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "tool_reference", "tool_name": "f"}],
                    }
                )
            },
            "content[0].type",
        ),
    ],
)
def test_blocks_without_a_counterpart_are_told_by_place(fields: dict[str, Any], place: str) -> None:
    """A block that no other wire can say is a fault that names where it is."""
    fault = refused(**fields)
    assert f"messages[0].content[0].{place}" == fault.param
    assert fault.param in fault.message


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}]}, "tools[1].type"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [{"name": "f", "input_schema": "object"}]}, "tools[0].input_schema"),
        ({"tools": {}}, "tools"),
        ({"mcp_servers": [{"type": "url", "url": "https://tools.example"}]}, "mcp_servers"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"thinking": {"type": "enabled"}}, "thinking"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format.type"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": "END"}, "stop_sequences"),
    ],
)
def test_fields_without_a_counterpart_are_told_by_place(fields: dict[str, Any], place: str) -> None:
    """A field that no other wire can say is a fault that names it."""
    fault = refused(**fields)
    assert place == fault.param
    assert f"'{place}'" in fault.message


def test_a_fault_names_the_kind_of_block() -> None:
    """The sentence says which kind of block it is about."""
    fault = refused(messages=turn({"type": "server_tool_use"}, role="assistant"))
    assert "'server_tool_use'" in fault.message


def test_a_fault_repeats_no_content() -> None:
    """What a client wrote is not repeated, unless it is a word like a type."""
    fault = refused(messages=turn({"type": "My secret! is here", "text": "My secret"}))
    assert "secret" not in fault.message
