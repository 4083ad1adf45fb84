"""
What a recorded Anthropic answer says, read from the recording alone.

Lives here: a message as text, calls, thinking, usage and reason in chat completions' words; and the same message as
the stream or the whole body that it was not recorded as. Must not: anything of everup's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, structs

from tests.recorded.traffic import Recording

FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
SLICE_CHARS = 17
DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("input", "partial_json"),
}
"""A delta's type: the block's field that it grows, its own field."""


class Told(Struct, frozen=True, kw_only=True):
    """An answer; arguments of calls are parsed, `kept` holds the signatures and hidden data of its thinking."""

    text: str = ""
    thinking: str = ""
    kept: tuple[str, ...] = ()
    calls: tuple[tuple[str, Any], ...] = ()
    finish: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    model: str = ""


def told(message: dict[str, Any]) -> Told:
    """Return what a whole message says to a client of chat completions."""
    blocks, usage = message["content"], message["usage"]
    cached = usage.get("cache_read_input_tokens") or 0
    calls = tuple((block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")
    kept = [block.get("signature") or block.get("data") for block in blocks if block["type"].endswith("thinking")]
    return Told(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        thinking="".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        kept=tuple(each for each in kept if each),
        calls=calls,
        finish="tool_calls" if calls else FINISHES[message["stop_reason"]],
        input_tokens=usage["input_tokens"] + (usage.get("cache_creation_input_tokens") or 0) + cached,
        cached_tokens=cached,
        output_tokens=usage["output_tokens"],
        reasoning_tokens=(usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
        model=message["model"],
    )


def message_of(recording: Recording) -> dict[str, Any]:
    """Return the whole message of a recording, put together from its events if it was streamed."""
    if not recording.is_stream:
        return dict(recording.json)
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events(recording.body):
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                blocks[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                grow(blocks[event["index"]], event["delta"])
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= {name: value for name, value in event["usage"].items() if value is not None}
    for block in blocks.values():
        if isinstance(block.get("input"), str):
            block["input"] = json.loads(block["input"] or "{}")
    return {**message, "content": list(blocks.values())}


def events(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON of a stream's events."""
    return (json.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data:"))


def grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    """One delta has been added to its block."""
    if delta["type"] == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        return
    field, name = DELTAS[delta["type"]]
    before = block.get(field)
    block[field] = (before if isinstance(before, str) else "") + delta[name]


def as_whole(recording: Recording) -> Recording:
    """Return the recording as it would have been without streaming."""
    body = json.dumps(message_of(recording)).encode()
    return structs.replace(recording, headers=(("content-type", "application/json"),), body=body)


def as_stream(recording: Recording) -> Recording:
    """Return the recording as it would have been with streaming."""
    body = b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
        for event in events_of(message_of(recording))
    )
    return structs.replace(recording, headers=(("content-type", "text/event-stream; charset=utf-8"),), body=body)


def events_of(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of a whole message."""
    usage = message["usage"]
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        empty, deltas = opened(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": message.get("stop_sequence")}
    yield {"type": "message_delta", "delta": ended, "usage": usage}
    yield {"type": "message_stop"}


def opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block as it begins and the deltas that fill it; results of server tools come whole."""
    match block["type"]:
        case "text":
            cited = [{"type": "citations_delta", "citation": each} for each in block.get("citations") or ()]
            return {"type": "text", "text": ""}, [*slices("text_delta", "text", block["text"]), *cited]
        case "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            return empty, [*slices("thinking_delta", "thinking", block["thinking"]), signed]
        case "tool_use" | "server_tool_use":
            text = json.dumps(block["input"]) if block["input"] else ""
            first = {"type": "input_json_delta", "partial_json": ""}
            return {**block, "input": {}}, [first, *slices("input_json_delta", "partial_json", text)]
        case _:
            return block, []


def slices(kind: str, field: str, text: str) -> list[dict[str, Any]]:
    """Return the deltas of one text."""
    return [{"type": kind, field: text[at : at + SLICE_CHARS]} for at in range(0, len(text), SLICE_CHARS)]
