"""
A recorded Anthropic request as the same conversation in chat completions' words.

Lives here: what a client of the `openai` SDK would have written to ask the same, and the parts of the recorded request
that can be said so. Must not: anything of everup's.
"""

from __future__ import annotations

import json
from typing import Any


def arguments(request: dict[str, Any]) -> dict[str, Any]:
    """Return the SDK's arguments (all but model and stream)."""
    found: dict[str, Any] = {"messages": messages(request), "max_tokens": request["max_tokens"]}
    if tools := [function(tool) for tool in own_tools(request)]:
        found["tools"] = tools
        if choice := request.get("tool_choice"):
            found["tool_choice"] = chosen(choice)
    if user := (request.get("metadata") or {}).get("user_id"):
        found["user"] = user
    config = request.get("output_config") or {}
    if schema := (config.get("format") or {}).get("schema"):
        found["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        }
    if thinking := request.get("thinking"):
        found["extra_body"] = {"thinking": thinking}
        if config.get("effort"):
            found["reasoning_effort"] = config["effort"]
    return found


def own_tools(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tools that a client has itself; Anthropic's own have no word in chat completions."""
    return [tool for tool in request.get("tools") or () if "input_schema" in tool]


def function(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a tool as a function."""
    strict = {"strict": tool["strict"]} if "strict" in tool else {}
    told = {"name": tool["name"], "description": tool.get("description"), "parameters": tool["input_schema"], **strict}
    return {"type": "function", "function": {name: value for name, value in told.items() if value is not None}}


def chosen(choice: dict[str, Any]) -> Any:
    """Return a choice of tools."""
    if choice["type"] == "tool":
        return {"type": "function", "function": {"name": choice["name"]}}
    return {"auto": "auto", "any": "required", "none": "none"}[choice["type"]]


def messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the conversation, system text first."""
    system = request.get("system")
    found: list[dict[str, Any]] = [{"role": "system", "content": content(system)}] if system else []
    for turn in request["messages"]:
        blocks = blocks_of(turn["content"])
        if turn["role"] == "assistant":
            found.append(assistant(blocks))
            continue
        results = [block for block in blocks if block["type"] == "tool_result"]
        found += [
            {"role": "tool", "tool_call_id": each["tool_use_id"], "content": content(each["content"])}
            for each in results
        ]
        if others := [block for block in blocks if block["type"] != "tool_result"]:
            found.append({"role": turn["role"], "content": content(others)})
    return found


def blocks_of(value: Any) -> list[dict[str, Any]]:
    """Return content as blocks."""
    return [{"type": "text", "text": value}] if isinstance(value, str) else list(value)


def content(value: Any) -> Any:
    """Return content as chat completions' parts; a text stays a text."""
    return value if isinstance(value, str) else [part(block) for block in value]


def part(block: dict[str, Any]) -> dict[str, Any]:
    """Return one block of a system, user or tool turn as a part."""
    source = block.get("source") or {}
    match block["type"], source.get("type"):
        case "text", _:
            return {"type": "text", "text": block["text"]}
        case "image", "url":
            return {"type": "image_url", "image_url": {"url": source["url"]}}
        case "image", "base64":
            return {"type": "image_url", "image_url": {"url": f"data:{source['media_type']};base64,{source['data']}"}}
        case "document", "text":
            return {"type": "text", "text": source["data"]}
        case "tool_reference", _:
            return {"type": "text", "text": block["tool_name"]}
        case kind, of:
            raise ValueError(f"no word for {kind} from {of}")


def assistant(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an assistant's turn as OpenRouter's clients send it back: thinking in `reasoning_details`."""
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    found: dict[str, Any] = {"role": "assistant", "content": text or None}
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
        }
        for block in blocks
        if block["type"] == "tool_use"
    ]
    details = [detail(block, index) for index, block in enumerate(blocks) if block["type"].endswith("thinking")]
    if calls:
        found["tool_calls"] = calls
    if details:
        found["reasoning_details"] = details
    return found


def detail(block: dict[str, Any], index: int) -> dict[str, Any]:
    """Return a thinking block as a reasoning detail."""
    form = {"format": "anthropic-claude-v1", "index": index}
    if block["type"] == "redacted_thinking":
        return {"type": "reasoning.encrypted", "data": block["data"], **form}
    return {"type": "reasoning.text", "text": block["thinking"], "signature": block["signature"], **form}
