"""
An Anthropic request reduced to what it says, so that two that say the same are equal.

Lives here: blocks without cache marks, neighbouring turns of one role joined, Anthropic's own tools and their traces
left out. Must not: anything of everup's. Used on the recorded request and on the one that everup sent.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from tests.recorded.asked import blocks_of, own_tools

NOT_SAYABLE = {"container", "context_management", "cache_control", "stream"}
"""Recorded fields without a word in chat completions, or without meaning here; so are a budget for a whole task, and an
effort without thinking: an effort asked for in chat completions turns thinking on."""
OWN_TRACES = ("server_tool_use", "compaction")
MEANINGS = {
    "text": ("text",),
    "tool_reference": ("tool_name",),
    "image": ("source",),
    "tool_use": ("id", "name", "input"),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
}
"""The fields of a block that say something."""
TOOL_FIELDS = ("name", "description", "input_schema", "strict")


def said(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request's meaning."""
    found = {name: value for name, value in request.items() if name not in NOT_SAYABLE}
    found["system"] = "\n\n".join(block["text"] for block in blocks_of(request.get("system") or []))
    found["tools"] = [{name: tool[name] for name in TOOL_FIELDS if tool.get(name)} for tool in own_tools(request)]
    if not found["tools"]:
        found.pop("tool_choice", None)
    if "output_config" in found:
        unsaid = {"task_budget"} if "thinking" in found else {"task_budget", "effort"}
        config = {name: value for name, value in found.pop("output_config").items() if name not in unsaid}
        found |= {"output_config": config} if config else {}
    turns = ((turn["role"], blocks_of(turn["content"])) for turn in request["messages"])
    joined = [
        (role, [block for _, blocks in group for block in blocks])
        for role, group in groupby(turns, key=lambda turn: turn[0])
    ]
    found["messages"] = [(role, parts(role, blocks)) for role, blocks in joined]
    return found


def parts(role: str, blocks: list[dict[str, Any]]) -> list[Any]:
    """Return the blocks of one turn in an order that says no more than chat completions can."""
    plain = [part(block) for block in blocks if not is_trace(block)]
    if role != "assistant":
        return [block for block in plain if block != ("text", "")]
    text = "".join(block[1] for block in plain if block[0] == "text")
    thinking = [block for block in plain if "thinking" in block[0]]
    return [*thinking, *([("text", text)] if text else []), *(block for block in plain if block[0] == "tool_use")]


def is_trace(block: dict[str, Any]) -> bool:
    """Return whether a block is what one of Anthropic's own tools left."""
    kind = block["type"]
    return kind in OWN_TRACES or (kind.endswith("_tool_result") and kind != "tool_result")


def part(block: dict[str, Any]) -> tuple[Any, ...]:
    """Return one block's meaning; `KeyError` for a type without one."""
    kind = block["type"]
    if kind == "tool_result":
        return (kind, block["tool_use_id"], [part(each) for each in blocks_of(block.get("content") or [])])
    if kind == "document":
        return ("text", block["source"]["data"])
    return ("text" if kind == "tool_reference" else kind, *(block[name] for name in MEANINGS[kind]))
