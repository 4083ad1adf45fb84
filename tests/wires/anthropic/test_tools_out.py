"""Tools, their choice and structured answers reach Anthropic as its API wants them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from everup.shapes.chat import ChatRequest, Format, Tool, ToolChoice, ToolMode
from everup.wires.anthropic.models import traits_of
from everup.wires.anthropic.tools_out import answer_tool
from tests.wires.anthropic.upstream import ADAPTIVE, BUDGET, HI, NEWEST, OLD, PLAIN, TOOL, body, dropped, encoded

SCHEMA = Raw(b'{"type": "object",  "properties": {"n": {"type": "integer"}}}')
OTHER = Tool(name="g")
REQUIRED, AUTO, NONE = ToolChoice(ToolMode.REQUIRED), ToolChoice(ToolMode.AUTO), ToolChoice(ToolMode.NONE)
NAMED = ToolChoice(ToolMode.NAMED, ("f",))
FORM = Format(schema=SCHEMA, name="count", description="Counts.")


def choice(wanted: ToolChoice | None, **fields: Any) -> Any:
    """Return the choice of a tool in a body, None for none."""
    return body(tools=fields.pop("tools", (TOOL, OTHER)), tool_choice=wanted, **fields).get("tool_choice")


def test_a_tool() -> None:
    """A tool keeps its name, its description and its schema."""
    sent = body(tools=(Tool(name="f", description="Does it.", parameters=SCHEMA), OTHER))["tools"]
    assert [
        {
            "name": "f",
            "description": "Does it.",
            "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
        },
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ] == sent


def test_a_schema_keeps_its_bytes() -> None:
    """A schema's white space and order are not touched, so that caches hold."""
    assert b'"input_schema":' + bytes(SCHEMA) in encoded(tools=(Tool(name="f", parameters=SCHEMA),)).body


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (b"{}", b'{"type":"object","properties":{}}'),
        (b" { } ", b'{"type":"object","properties":{}}'),
        (b'{"properties":{"a":{"type":"string"}}}', b'{"type":"object","properties":{"a":{"type":"string"}}}'),
        (b'{"type":"object"}', b'{"type":"object"}'),
        (b'{"properties":{},"type":["object","null"]}', b'{"properties":{},"type":["object","null"]}'),
        (b'{"type":null}', b'{"type":null}'),
        (b'{"enum":[1],"type":7}', b'{"enum":[1],"type":7}'),
    ],
)
def test_a_schema_has_a_type(given: bytes, sent: bytes) -> None:
    """A schema without a type at its root gets the one that the provider requires."""
    assert b'"input_schema":%b' % sent in encoded(tools=(Tool(name="f", parameters=Raw(given)),)).body


def test_strict_tools() -> None:
    """A strict tool stays strict where the family knows it; elsewhere that is named as dropped."""
    strict, loose = Tool(name="f", is_strict=True), Tool(name="g", is_strict=False)
    sent = body(tools=(strict, loose))["tools"]
    assert sent[0]["strict"] is True
    assert "strict" not in sent[1]
    assert () == dropped(tools=(strict,))
    assert ("strict",) == dropped(tools=(strict,), to=OLD)
    assert "strict" not in body(tools=(strict,), to=OLD)["tools"][0]


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (None, None),
        (AUTO, {"type": "auto"}),
        (NONE, {"type": "none"}),
        (REQUIRED, {"type": "any"}),
        (NAMED, {"type": "tool", "name": "f"}),
        (ToolChoice(ToolMode.REQUIRED, ("g",)), {"type": "tool", "name": "g"}),
    ],
)
def test_a_choice(wanted: ToolChoice | None, sent: dict[str, str] | None) -> None:
    """Each choice of a tool has its word here."""
    assert sent == choice(wanted)


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        (AUTO, {"type": "auto", "disable_parallel_tool_use": True}),
        (REQUIRED, {"type": "any", "disable_parallel_tool_use": True}),
        (NAMED, {"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
        (NONE, {"type": "none"}),
    ],
)
def test_one_call_at_a_time(wanted: ToolChoice | None, sent: dict[str, object]) -> None:
    """Who wants one call at a time gets it with any choice that may call; who wants several needs no word."""
    assert sent == choice(wanted, is_parallel=False)
    assert "disable_parallel_tool_use" not in (choice(wanted, is_parallel=True) or {})


def test_a_choice_among_some_offers_only_those() -> None:
    """Where only some tools are allowed the others are not offered."""
    allowed = ToolChoice(ToolMode.AUTO, ("g",))
    sent = body(tools=(TOOL, OTHER), tool_choice=allowed)
    assert (["g"], {"type": "auto"}) == ([tool["name"] for tool in sent["tools"]], sent["tool_choice"])
    assert ["f", "g"] == [tool["name"] for tool in body(tools=(TOOL, OTHER), tool_choice=NAMED)["tools"]]


def test_a_choice_without_tools() -> None:
    """A choice without tools is not sent, which the provider would refuse; one that wants a call is named."""
    for wanted, lost in ((AUTO, ()), (NONE, ()), (REQUIRED, ("tool_choice",)), (NAMED, ("tool_choice",))):
        assert "tool_choice" not in body(tool_choice=wanted, is_parallel=False)
        assert lost == dropped(tool_choice=wanted)


@pytest.mark.parametrize("wanted", [REQUIRED, NAMED])
def test_models_on_which_no_tool_can_be_forced(wanted: ToolChoice) -> None:
    """The newest models refuse a forced tool: they choose themselves, and that is named."""
    assert {"type": "auto"} == choice(wanted, to=NEWEST)
    assert ("tool_choice",) == dropped(tools=(TOOL,), tool_choice=wanted, to=NEWEST)
    assert () == dropped(tools=(TOOL,), tool_choice=wanted, to=ADAPTIVE)


def test_models_on_which_no_tool_can_be_forced_take_other_choices() -> None:
    """What forces nothing is the same for the newest models."""
    for wanted, sent in ((AUTO, {"type": "auto"}), (NONE, {"type": "none"}), (None, None)):
        assert sent == choice(wanted, to=NEWEST)
        assert () == dropped(tools=(TOOL,), tool_choice=wanted, to=NEWEST)


# Structured answers.


def test_a_schema_for_newer_models() -> None:
    """Newer models take the schema of the answer as it came."""
    sent = encoded(format=FORM)
    assert b'"output_config":{"format":{"type":"json_schema","schema":%b}}' % bytes(SCHEMA) in sent.body
    assert b'"tools"' not in sent.body
    assert () == sent.dropped


@pytest.mark.parametrize("model", [OLD, PLAIN, "claude-opus-4-1"])
def test_a_forced_tool_for_older_models(model: str) -> None:
    """Older models get the schema as a tool that they must call, once."""
    sent = body(format=FORM, to=model)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert [{"name": "count", "description": "Counts.", "input_schema": schema}] == sent["tools"]
    assert {"type": "tool", "name": "count", "disable_parallel_tool_use": True} == sent["tool_choice"]
    assert "output_config" not in sent


def test_a_forced_tool_beside_the_client_s_own() -> None:
    """With tools of the client's an older model must call one, its own or the answer's."""
    sent = body(format=FORM, tools=(TOOL,), to=OLD)
    assert ["f", "count"] == [tool["name"] for tool in sent["tools"]]
    assert {"type": "any"} == sent["tool_choice"]
    assert {"type": "any"} == choice(AUTO, format=FORM, to=OLD)
    assert "count" == choice(REQUIRED, format=FORM, tools=(), to=OLD)["name"]
    sent = body(format=FORM, tools=(TOOL,), tool_choice=NONE, to=OLD)
    assert ("tool", "count") == (sent["tool_choice"]["type"], sent["tool_choice"]["name"])


@pytest.mark.parametrize("wanted", [REQUIRED, NAMED])
def test_a_tool_that_must_be_called_leaves_no_answer_to_structure(wanted: ToolChoice) -> None:
    """Where a tool of the client's must be called there is no structured answer in this turn."""
    assert ["f"] == [tool["name"] for tool in body(format=FORM, tools=(TOOL,), tool_choice=wanted, to=OLD)["tools"]]


@pytest.mark.parametrize(
    ("name", "tools", "found"),
    [("", (), "answer"), ("a b.c", (), "a_b_c"), ("f", (TOOL,), "f_"), ("x" * 90, (), "x" * 63)],
)
def test_the_answer_s_tool_has_a_lawful_name(name: str, tools: tuple[Tool, ...], found: str) -> None:
    """The tool that stands for the answer has a name that the provider takes, and no other tool's."""
    chat = ChatRequest(messages=(HI,), tools=tools, format=Format(schema=SCHEMA, name=name))
    assert found == answer_tool(chat, traits_of(OLD))
    assert not answer_tool(chat, traits_of(BUDGET))


def test_any_json_has_no_counterpart() -> None:
    """A request for any JSON object cannot be said here, and is named."""
    assert ("response_format",) == dropped(format=Format())
    assert ("response_format",) == dropped(format=Format(), to=OLD)
    assert body(format=Format(), to=OLD).keys().isdisjoint({"tools", "tool_choice"})
