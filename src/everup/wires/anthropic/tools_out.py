"""
Tools, their choice, and the tool that stands for a structured answer.

Lives here: which tools a model is offered and must call. Must not: calls in a history (see `blocks_out`). A schema's
bytes stay as they came, so that prompt caches hold.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.shapes.chat import ToolMode
from everup.wires.anthropic.models import Forces

if TYPE_CHECKING:
    from everup.shapes.chat import ChatRequest, Tool, ToolChoice
    from everup.wires.anthropic.blocks_out import BlocksOut, Row
    from everup.wires.anthropic.models import Traits

FORCED = frozenset({"any", "tool"})
UNLAWFUL = re.compile(r"[^a-zA-Z0-9_-]", re.ASCII)
NAME_CHARS_MAX = 64
NO_SCHEMA = Raw(b'{"type":"object","properties":{}}')
TYPED = b'{"type":"object",'
UNSAID = Raw(b"")


class Root(Struct):
    """A schema's root: its type alone matters."""

    type: Raw = UNSAID


decode_root = msgspec.json.Decoder(Root).decode


def answer_tool(chat: ChatRequest, traits: Traits) -> str:
    """
    Return the tool whose input is the structured answer, "" for none.

    It stands in for `output_config.format` where the family does not know that; a client that forces a tool of its
    own gets no structured answer in this turn anyway.
    """
    wanted = chat.format
    if wanted is None or wanted.schema is None or traits.has_formats:
        return ""
    if chat.tools and chat.tool_choice and chat.tool_choice.mode in {ToolMode.REQUIRED, ToolMode.NAMED}:
        return ""
    name = UNLAWFUL.sub("_", wanted.name)[: NAME_CHARS_MAX - 1] or "answer"
    taken = {tool.name for tool in chat.tools}
    while name in taken:
        name += "_"
    return name


def tools_of(chat: ChatRequest, traits: Traits, answer: str, out: BlocksOut) -> list[Row]:
    """Return the tools in the client's order, the structured answer's last."""
    choice = chat.tool_choice
    allowed = frozenset(choice.names) if choice and choice.mode is not ToolMode.NAMED else frozenset()
    rows = [tool_of(tool, traits, out) for tool in chat.tools if not allowed or tool.name in allowed]
    if any(tool.is_strict for tool in chat.tools) and not traits.has_formats:
        out.dropped.append("strict")
    if answer and chat.format is not None and chat.format.schema is not None:
        told = {"description": chat.format.description} if chat.format.description else {}
        rows.append({"name": answer, **told, "input_schema": schema_of(chat.format.schema)})
    return rows


def tool_of(tool: Tool, traits: Traits, out: BlocksOut) -> Row:
    """Return one tool."""
    row: Row = {"name": tool.name}
    if tool.description:
        row["description"] = tool.description
    row["input_schema"] = schema_of(tool.parameters)
    if tool.is_strict and traits.has_formats:
        row["strict"] = True
    return out.marked(row, tool.cache)


def schema_of(parameters: Raw) -> Raw:
    """Return a schema as it came; at its root the provider requires a type."""
    text = bytes(parameters).strip()
    try:
        root = decode_root(text)
    except (ValueError, RecursionError):
        return parameters
    if root.type is not UNSAID:
        return parameters
    inner = text[1:].lstrip()
    return NO_SCHEMA if inner == b"}" else Raw(TYPED + inner)


def choice_of(chat: ChatRequest, traits: Traits, answer: str, out: BlocksOut) -> Row:
    """Return the choice of a tool, empty where there is nothing to say."""
    choice = chat.tool_choice
    if answer:
        row = answer_choice(chat, answer)
    elif not chat.tools:
        if choice is not None and choice.mode in {ToolMode.REQUIRED, ToolMode.NAMED}:
            out.dropped.append("tool_choice")
        return {}
    else:
        row = mode_of(choice)
    if row.get("type") in FORCED and traits.forces is Forces.NEVER:
        out.dropped.append("tool_choice")
        row = {"type": "auto"}
    if chat.is_parallel is False or row.get("name") == answer != "":
        row = {"type": "auto", **row}
        if row["type"] != "none":
            row["disable_parallel_tool_use"] = True
    return row


def answer_choice(chat: ChatRequest, answer: str) -> Row:
    """
    Return the choice that leads to a structured answer.

    Its tool, or any where the client's may be called first.
    """
    may_call = bool(chat.tools) and not (chat.tool_choice and chat.tool_choice.mode is ToolMode.NONE)
    return {"type": "any"} if may_call else {"type": "tool", "name": answer}


def mode_of(choice: ToolChoice | None) -> Row:
    """Return the client's own choice."""
    if choice is None:
        return {}
    is_one = choice.mode is ToolMode.NAMED or (choice.mode is ToolMode.REQUIRED and len(choice.names) == 1)
    if is_one:
        return {"type": "tool", "name": choice.names[0]}
    return {"type": {ToolMode.AUTO: "auto", ToolMode.NONE: "none", ToolMode.REQUIRED: "any"}[choice.mode]}
