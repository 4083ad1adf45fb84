"""
A whole answer as a client of `/api/chat` reads it.

Lives here: its fields, and the words that its stream shares. Must not: judging an answer. Durations are left out: what
the gateway could measure is not what the fields mean.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from everup.shapes.chat import Text, Thinking, ToolCall
from everup.wires.ollama.quirks import STOP_WORDS

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.chat import Answer, StopReason
    from everup.shapes.events import Usage

EMPTY_OBJECT = Raw(b"{}")
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


def write_answer(answer: Answer, asked: Asked, *, created_unix_s: int) -> bytes:
    """Return a good answer as one finished object."""
    texts = [part.text for part in answer.parts if isinstance(part, Text)]
    thoughts = [part.text for part in answer.parts if isinstance(part, Thinking)]
    calls = [part for part in answer.parts if isinstance(part, ToolCall)]
    message: dict[str, object] = {"role": "assistant", "content": "".join(texts)}
    if any(thoughts):
        message["thinking"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = [call_row(call, place) for place, call in enumerate(calls)]
    return encode(
        {
            "model": answer.model or asked.model,
            "created_at": time_of(created_unix_s),
            "message": message,
            **ending(answer.stop, answer.usage),
        }
    )


def ending(stop: StopReason, usage: Usage | None) -> dict[str, object]:
    """Return the fields of a finished answer."""
    fields: dict[str, object] = {"done": True, "done_reason": STOP_WORDS.get(stop, "stop")}
    if usage is not None:
        fields["prompt_eval_count"] = usage.input_tokens
        fields["eval_count"] = usage.output_tokens
    return fields


def call_row(call: ToolCall, place: int) -> dict[str, object]:
    """Return a tool call; `place` counts the answer's calls."""
    function = {"index": place, "name": call.name, "arguments": arguments_of(call.arguments)}
    return {"id": call.id, "function": function}


def arguments_of(arguments: str) -> object:
    """
    Return a call's arguments as they came.

    Without the line ends that a line of JSON cannot hold.
    What is no JSON stays what the model wrote, as a text (row 43: nothing is repaired).
    """
    if arguments.strip() in {"", "null"}:
        return EMPTY_OBJECT
    try:
        data = arguments.encode()
        decode(data)
    except (ValueError, RecursionError):
        return arguments
    return Raw(data.translate(None, b"\r\n"))


def time_of(unix_s: int) -> str:
    """Return a time as this wire writes it (RFC 3339)."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
