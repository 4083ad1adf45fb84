"""A client's tools, and which of them it wants called, are read from the newer form and the older."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from everup.shapes.chat import CacheMark, Tool, ToolChoice, ToolMode
from everup.shapes.fault import FaultKind
from everup.shapes.limits import Limits
from tests.wires.openai_chat.chats import chat, refused
from tests.wires.support import WIRE

MARK = {"type": "ephemeral", "ttl": "5m"}
FULL = {"name": "f", "description": "does", "strict": True, "parameters": {"type": "object"}}
READ = Tool(name="f", description="does", is_strict=True, parameters=Raw(b'{"type": "object"}'))


def function(**fields: Any) -> dict[str, Any]:
    """Return a tool."""
    return {"type": "function", "function": {"name": "f", **fields}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "function", "function": FULL}, READ),
        ({"function": FULL}, READ),
        (function(), Tool(name="f")),
        (function(parameters=None, description=None, strict=None), Tool(name="f")),
        (function(strict=False), Tool(name="f", is_strict=False)),
        ({**function(), "cache_control": MARK}, Tool(name="f", cache=CacheMark("5m"))),
        (function(cache_control=MARK), Tool(name="f", cache=CacheMark("5m"))),
    ],
)
def test_tools(given: dict[str, Any], expected: Tool) -> None:
    """A function is read with its description, its strictness, its mark, and its schema."""
    assert (Tool(name="first"), expected) == chat(tools=[function(name="first"), given]).tools


def test_a_schema_keeps_its_bytes() -> None:
    """White space, key order and number forms of a schema stay as they came."""
    schema = b'{ "b":1.0,\n "a" : [1e2, "\\u00e9"] }'
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"function":{"name":"f","parameters":'
    read = WIRE.read_chat(WIRE.read_request(body + schema + b"}}]}", Limits()))
    assert schema == bytes(read.tools[0].parameters)  # type: ignore[union-attr]


def test_the_older_form() -> None:
    """Functions of the older form are tools too, and stand behind the others."""
    assert (READ,) == chat(functions=[FULL]).tools
    assert ("g", "f") == tuple(tool.name for tool in chat(functions=[FULL], tools=[function(name="g")]).tools)
    assert () == chat(tools=None, functions=[]).tools


ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [function(), function(name="g")]}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"tool_choice": None}, None),
        ({"tool_choice": "auto"}, ToolChoice()),
        ({"tool_choice": "none"}, ToolChoice(ToolMode.NONE)),
        ({"tool_choice": "required"}, ToolChoice(ToolMode.REQUIRED)),
        ({"tool_choice": "any"}, ToolChoice(ToolMode.REQUIRED)),
        ({"tool_choice": function()}, ToolChoice(ToolMode.NAMED, ("f",))),
        ({"tool_choice": ALLOWED}, ToolChoice(ToolMode.REQUIRED, ("f", "g"))),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}},
            ToolChoice(ToolMode.AUTO),
        ),
        ({"function_call": "none"}, ToolChoice(ToolMode.NONE)),
        ({"function_call": {"name": "f"}}, ToolChoice(ToolMode.NAMED, ("f",))),
        ({"tool_choice": "auto", "function_call": "none"}, ToolChoice()),
    ],
)
def test_choices(fields: dict[str, Any], expected: ToolChoice | None) -> None:
    """Every way to choose among tools is read."""
    assert expected == chat(**fields).tool_choice


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools"),
        ({"tools": [function(), {"type": "custom", "custom": {"name": "c"}}]}, "tools[1]"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": 5}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "name": "f"}]}, "tools[0].function.name"),
        ({"tools": [function(parameters=[])]}, "tools[0].function.parameters"),
        ({"tools": [function(strict="yes")]}, "tools[0].function.strict"),
        ({"tools": [function(description=5)]}, "tools[0].function.description"),
        ({"functions": [{"name": 5}]}, "functions[0].name"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "c"}}}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice.allowed_tools.mode"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{}]}}},
            "tool_choice.allowed_tools.tools[0].function.name",
        ),
        ({"function_call": "perhaps"}, "function_call"),
        ({"function_call": {}}, "function_call.name"),
    ],
)
def test_what_cannot_be_said_is_told_by_its_place(fields: dict[str, Any], place: str) -> None:
    """A tool or a choice that only a provider of chat completions could judge is a fault that names the place."""
    fault = refused(**fields)
    assert (FaultKind.UNSUPPORTED, place) == (fault.kind, fault.param)
    assert fault.message.startswith(f"'{place}' ")
